# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers that twitch, flicker or trade places: more is taken out, and only short gaps are filled from the markers around."""

import bpy

settings = bpy.context.scene.bonesetter
settings.max_speed = 3.0
settings.rigid_tolerance = 40.0
settings.max_residual = 6.0
settings.max_gap = 0.25
