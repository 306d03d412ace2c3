# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs what the solver runs on, in an environment of Bonesetter's own. Needs Python alone: neither bpy nor numpy."""
