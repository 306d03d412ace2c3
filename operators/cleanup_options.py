# SPDX-License-Identifier: GPL-3.0-or-later
"""How a take's keys are cleaned, as the panel shows it and a .blend file keeps it."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty

#: Parts of the body that are smoothed together.
GROUPS = {
    "TRUNK": ("hips", "spine"),
    "HEAD": ("neck", "head"),
    "ARMS": ("clavicle", "upper_arm", "forearm"),
    "HANDS": ("hand",),
    "LEGS": ("thigh", "shin"),
    "FEET": ("foot", "toe"),
}


class BONESETTER_PG_cleanup(bpy.types.PropertyGroup):
    """How Clean Keys cleans."""

    degrees: FloatProperty(
        name="Degrees", description="No bone turns further off than this, from its parent", default=0.5, min=0.01, soft_max=5.0
    )
    mm: FloatProperty(name="mm", description="No joint is further off than this", default=5.0, min=0.1, soft_max=50.0)
    keys_hz: FloatProperty(
        name="Keys a Second",
        description="Keys stand on frames of this rate alone, and may then be further off; 0 for all frames",
        min=0.0,
        soft_max=60.0,
    )
    part: EnumProperty(
        name="Smooth",
        description="Which part of the body is smoothed first; legs and feet are left alone while a foot stands",
        items=(
            ("NONE", "Nothing", "As solved"),
            ("ALL", "Whole Body", "Every bone"),
            *((name, name.title(), f"{', '.join(parts).replace('_', ' ').capitalize()}") for name, parts in GROUPS.items()),
        ),
    )
    seconds: FloatProperty(
        name="Seconds",
        description="Standard deviation of the Gaussian that smooths",
        default=0.02,
        min=0.0,
        soft_max=0.2,
        step=1,
        precision=3,
    )
    mark_gaps: BoolProperty(
        name="Mark Gaps",
        description="Keys in which no marker of the bone is seen become breakdown keys, those beside such a gap extreme keys",
        default=True,
    )
    mark_feet: BoolProperty(name="Mark Feet", description="Markers on the timeline where a foot sets down and lifts", default=True)
