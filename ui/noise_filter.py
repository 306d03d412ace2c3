# SPDX-License-Identifier: GPL-3.0-or-later
"""The noise filter in the panel: its thresholds, and what they flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
from bl_ui.utils import PresetPanel

from ..model.core.settings import SETTINGS
from ..operators.properties import THRESHOLDS
from ..operators.session import session
from ..operators.takes import active_take, takes_of
from ..operators.translation import translated
from .sidebar import Sidebar
from .text import wrapped

if TYPE_CHECKING:
    from ..model.markers.flags import Reason
    from ..operators.review import Review

#: Which threshold flags for a reason.
THRESHOLD: dict[Reason, str] = {"jump": "max_speed", "rigid": "rigid_tolerance", "residual": "max_residual"}


class BONESETTER_PT_filter_presets(PresetPanel, bpy.types.Panel):
    """Presets of the noise filter"""

    bl_label = "Noise Filter Presets"
    preset_subdir = "bonesetter/noise_filter"
    preset_operator = "bonesetter.load_filter_preset"
    preset_add_operator = "bonesetter.add_filter_preset"
    preset_extensions = (".py",)


class BONESETTER_PT_filter(Sidebar, bpy.types.Panel):
    bl_label = "Noise Filter"
    bl_parent_id = "BONESETTER_PT_main"
    bl_order = 10

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        BONESETTER_PT_filter_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        from ..operators.review import review_of

        layout = self.layout
        # Names inside the fields: beside them, a sidebar of usual width would cut them off before the unit.
        layout.enabled = session.solve is None
        take = active_take(context)
        owner: Any = take or context.scene
        column = layout.column(align=True)
        for name in THRESHOLDS:
            column.prop(owner.bonesetter, name)
        row = layout.row(align=True)
        row.operator("bonesetter.reset_filter", text="Reset", icon="LOOP_BACK")
        if len(takes_of(context.scene)) > 1:
            row.operator("bonesetter.filter_all_takes", text="To All Takes", icon="DUPLICATE")
        review = review_of(context.scene, take) if take is not None else None
        if review is not None:
            _draw_counts(layout, context, review)


def _draw_counts(layout: bpy.types.UILayout, context: bpy.types.Context, review: Review) -> None:
    """How many samples each threshold flags, before anything is solved."""
    from ..model.markers.thresholds import MUCH_OF_TAKE

    flagged = review.flagged
    counts, samples = flagged.counts, max(1, flagged.samples)
    box = layout.box().column(align=True)
    whole = sum(counts.values())
    box.alert = whole > MUCH_OF_TAKE * samples
    _row(box, "Flagged", whole, samples)
    box.alert = False
    for reason, name in THRESHOLD.items():
        sub = box.column()
        sub.active = counts[reason] > 0
        sub.alert = counts[reason] > MUCH_OF_TAKE * samples
        _row(sub, f"    {SETTINGS[name].label}", counts[reason], samples)
    for finding in flagged.findings:
        wrapped(layout, context, finding.text, "INFO")


def _row(layout: bpy.types.UILayout, name: str, count: int, of: int) -> None:
    row = layout.split(factor=0.55)
    indent = " " * (len(name) - len(name.lstrip()))
    row.label(text=indent + translated(name.lstrip()))
    row.label(text=f"{count:,}  ({count / of:.1%})")


CLASSES = (BONESETTER_PT_filter_presets, BONESETTER_PT_filter)
