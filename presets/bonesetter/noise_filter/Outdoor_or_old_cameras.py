# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that see less sharply: their residuals and the distances of markers vary more on good samples, too."""

import bpy

settings = bpy.context.scene.bonesetter
settings.max_speed = 8.0
settings.rigid_tolerance = 60.0
settings.max_residual = 30.0
settings.max_gap = 0.5
