# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a solve in order, and the process in which they run beside Blender."""
