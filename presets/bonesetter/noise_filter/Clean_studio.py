# SPDX-License-Identifier: GPL-3.0-or-later
"""A calibrated studio whose labels were checked: what Bonesetter begins with."""

import bpy

settings = bpy.context.scene.bonesetter
settings.max_speed = 5.0
settings.rigid_tolerance = 40.0
settings.max_residual = 10.0
settings.max_gap = 0.5
