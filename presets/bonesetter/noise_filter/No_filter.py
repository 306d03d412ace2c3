# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is taken for noise: what the file has is solved."""

import bpy

settings = bpy.context.scene.bonesetter
settings.max_speed = 100000.0
settings.rigid_tolerance = 100000.0
settings.max_residual = 100000.0
settings.max_gap = 0.5
