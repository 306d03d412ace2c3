# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: from a C3D file to a solved skeleton. Never imports bpy; runs from the shell as `python -m model`."""
