# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved take, and its report."""
