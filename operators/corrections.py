# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solver put right in the labels, applied to the markers in the scene, or refused."""

from __future__ import annotations

import json
from uuid import uuid4

import bpy
from bpy.props import IntProperty

from ..model.core.findings import finding_of
from .polls import is_idle
from .repair import delete, samples_between, swap
from .takes import active_take, markers, timing_of
from .translation import translated
from .view import redraw

GONE = "The finding is gone: solve the take again."


class _OfCorrection:
    """An operator on one correction in the list of findings."""

    bl_options = {"UNDO"}  # Blender's own protocol

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        return is_idle(cls)

    def settle(self, context: bpy.types.Context, index: int, way: str) -> str:
        """Apply or refuse a correction and take it from the list; returns what is wrong, if anything."""
        from .marker_edits import pin

        take = active_take(context)
        if take is None or not 0 <= index < len(take.bonesetter.findings) or not take.bonesetter.findings[index].corrects:
            return GONE
        finding = finding_of(json.loads(take.bonesetter.findings[index].document))
        there = markers(take)
        # a label that was found by motion may be several of the file's columns
        if len(finding.markers) != len(finding.labels) or any(name not in there for name in finding.markers):
            return f"{take.name} lacks a marker of this correction."
        for first, last in finding.frames:
            span = samples_between(timing_of(take), first, last)
            chosen = [there[name] for name in finding.markers]
            if way == "apply":
                _apply(context.scene, take, finding.kind, chosen, span)
            else:
                for marker in chosen:
                    pin(marker, *span, True)
        take.bonesetter.findings.remove(index)
        # the states of its samples are others now
        take.bonesetter.result = uuid4().hex
        context.view_layer.update()
        redraw(context)
        return ""


class BONESETTER_OT_apply_correction(_OfCorrection, bpy.types.Operator):
    """Change the markers in the scene as the solver took them: exchanged labels are exchanged, what is nobody's is deleted"""

    bl_idname = "bonesetter.apply_correction"
    bl_label = "Apply to Markers"

    index: IntProperty(options={"SKIP_SAVE"}, description="Row in the take's list of findings")

    def execute(self, context: bpy.types.Context) -> set[str]:
        said = self.settle(context, self.index, "apply")
        self.report({"WARNING"} if said else {"INFO"}, translated(said or "The markers are as the solver took them"))
        return {"CANCELLED"} if said else {"FINISHED"}


class BONESETTER_OT_refuse_correction(_OfCorrection, bpy.types.Operator):
    """Keep the labels of the file here: these samples are pinned as trusted, and the next solve leaves them as they are"""

    bl_idname = "bonesetter.refuse_correction"
    bl_label = "Refuse"

    index: IntProperty(options={"SKIP_SAVE"}, description="Row in the take's list of findings")

    def execute(self, context: bpy.types.Context) -> set[str]:
        said = self.settle(context, self.index, "refuse")
        self.report({"WARNING"} if said else {"INFO"}, translated(said or "The samples are pinned: solve again"))
        return {"CANCELLED"} if said else {"FINISHED"}


def _apply(scene: bpy.types.Scene, take: bpy.types.Collection, kind: str, chosen: list[bpy.types.Object], span: tuple[int, int]) -> None:
    if kind == "dropped":
        delete(scene, take, chosen[0], *span)
        return
    # of samples that were given another label, both trade theirs: nothing is lost, and a chain of them can be applied one by one
    for one, other in zip(chosen[0::2], chosen[1::2], strict=True):
        swap(scene, take, one, other, *span)


CLASSES = (BONESETTER_OT_apply_correction, BONESETTER_OT_refuse_correction)
