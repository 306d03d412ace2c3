# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine found out about a take, kept on its collection: the panel lists it, and a click goes to the frames and the markers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import bpy
from bpy.props import IntProperty

from ..model.core.errors import BonesetterError
from ..model.core.findings import Finding, finding_of, gravity
from .session import session
from .takes import JOINT, active_take, markers
from .translation import translated
from .view import keep_in_sight, redraw, select

#: Kinds of findings that say what the solver put right in the labels.
CORRECTIONS = ("swapped back", "relabelled", "filled", "dropped", "sides exchanged")


def keep_findings(collection: bpy.types.Collection, documents: Iterable[Mapping[str, Any]], *, read: bool = False) -> None:
    """Replace what is kept of a take, but not what was found as its file was read.

    Args:
        collection: The take.
        documents: As `Finding.document` makes them, their frames those of the scene.
        read: Whether these were found as the file was read, so that every solve tells them again.
    """
    kept, looked_at = collection.bonesetter.findings, _looked_at(collection)
    before = [] if read else [json.loads(item.document) for item in kept if item.read]
    kept.clear()
    names = _names(collection)
    for document in joined([*before, *documents]):
        _add(kept, document, names).read = read or any(_same(document, each) for each in before)
    _choose(collection, looked_at)


def _looked_at(collection: bpy.types.Collection) -> str:
    """The sentence of the finding that the user chose; empty where it is the list's first, which nobody has to choose."""
    kept, chosen = collection.bonesetter.findings, collection.bonesetter.finding
    gravest = min((item.gravity for item in kept), default=0)
    return kept[chosen].name if 0 <= chosen < len(kept) and kept[chosen].gravity > gravest else ""


def _choose(collection: bpy.types.Collection, looked_at: str) -> None:
    """Choose the finding that was looked at, else the list's first."""
    kept = collection.bonesetter.findings
    order = sorted(range(len(kept)), key=lambda row: (kept[row].name != looked_at, kept[row].gravity))
    session.listing = True
    try:
        collection.bonesetter.finding = order[0] if order else 0
    finally:
        session.listing = False


def joined(documents: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Findings that say the same of the same as one, of all of their frames."""
    found: list[Mapping[str, Any]] = []
    for document in documents:
        row = next((row for row, each in enumerate(found) if _same(each, document)), None)
        if row is None:
            found.append(document)
        else:
            frames = sorted({tuple(span) for each in (found[row], document) for span in each["frames"]})
            found[row] = {**found[row], "frames": [list(span) for span in frames]}
    return found


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[part] == other[part] for part in ("kind", "text", "labels", "bones"))


def findings_of_file(collection: bpy.types.Collection) -> tuple[Finding, ...]:
    """What was found as the take's file was read."""
    return tuple(finding_of(json.loads(item.document)) for item in collection.bonesetter.findings if item.read)


def settled_labels(collection: bpy.types.Collection) -> dict[str, str]:
    """{label: the one under which the last solve took this marker}, of markers that sit at another one's place throughout the take."""
    found: dict[str, str] = {}
    for item in collection.bonesetter.findings:
        if item.kind != "misplaced":
            continue
        for label, columns in finding_of(json.loads(item.document)).columns.items():
            for column in columns:
                subject, colon, own = column.rpartition(":")
                # one that is at no other's place is called as the file calls it
                if label not in (own, column):
                    found[column] = subject + colon + label
    return found


def replace_findings(collection: bpy.types.Collection, kinds: Iterable[str], documents: Iterable[Mapping[str, Any]]) -> None:
    """Put findings in the place of all that are kept of these kinds."""
    kept, looked_at = collection.bonesetter.findings, _looked_at(collection)
    for row in reversed([row for row, item in enumerate(kept) if item.kind in kinds]):
        kept.remove(row)
    names = _names(collection)
    for document in documents:
        _add(kept, document, names)
    _choose(collection, looked_at)


def _names(collection: bpy.types.Collection) -> dict[str, str]:
    """{label: what the viewport calls it} of a take's markers."""
    # not above: a take was read by now, but none when Blender starts
    from ..model.review.strip import without_subject

    labels = tuple(markers(collection))
    return dict(zip(labels, without_subject(labels), strict=True))


def _add(kept: Any, document: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    item = kept.add()
    item.name, item.kind = document["text"], document["kind"]
    item.document = json.dumps(document)
    item.corrects = document["kind"] in CORRECTIONS
    # there is nothing to go to of labels that the file lacks
    item.somewhere = bool((document["labels"] and document["kind"] != "missing") or document["bones"] or document["frames"])
    item.short = _short(document, names)
    # within a kind the longer ones first
    frames = sum(last - first + 1 for first, last in document["frames"])
    item.gravity = (gravity(document["kind"]) + 1) * 10_000_000 - min(frames, 9_999_999)
    return item


def _short(document: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """A finding in the width of the sidebar, its markers by their `names`; the whole sentence where it has no frames."""
    found, frames = finding_of(document).markers, document["frames"]
    labels = [names.get(label, label) for label in found]
    if not frames:
        text = document["text"]
        for label, short in zip(found, labels, strict=True):
            text = text.replace(label, short)
        return text
    named = " ".join(labels[:2] or document["bones"][:2]) + ("..." if len(labels) > 2 else "")
    (first, last), others = frames[0], len(frames) - 1
    where = (f"{first}" if first == last else f"{first}-{last}") + (f" +{others}" if others else "")
    # the icon tells the kind; the frames first, since the names may be cut off
    return f"{where}  {named or document['kind'].capitalize()}"


def next_frame(stretches: Iterable[tuple[int, int]], current: int | None) -> int | None:
    """The first frame of the next stretch behind the current frame; of the first one where there is none; None without stretches."""
    firsts = sorted(first for first, _ in stretches)
    behind = [] if current is None else [first for first in firsts if first > current]
    return next(iter(behind or firsts), None)


class BONESETTER_OT_show_finding(bpy.types.Operator):
    """Go to the next frames that this is about, and select its markers and bones"""

    bl_idname = "bonesetter.show_finding"
    bl_label = "Show"
    bl_options = {"INTERNAL", "UNDO"}

    index: IntProperty(options={"SKIP_SAVE"}, description="Row in the take's list of findings")

    def execute(self, context: bpy.types.Context) -> set[str]:
        take = active_take(context)
        if take is None or not 0 <= self.index < len(take.bonesetter.findings):
            self.report({"ERROR"}, "The finding is gone: solve the take again.")
            return {"CANCELLED"}
        if said := show_finding(context, take, self.index):
            self.report({"WARNING"}, translated(said))
        return {"FINISHED"}


def show_finding(context: bpy.types.Context, take: bpy.types.Collection, index: int) -> str:
    """Go to the frames that a finding is about and select what it names; returns what is wrong, if anything.

    These are its first ones, and where it was the last that was shown, the next ones behind the playhead.
    """
    session.listing = True
    try:
        take.bonesetter.finding = index
    finally:
        session.listing = False
    finding = finding_of(json.loads(take.bonesetter.findings[index].document))
    shown = (take.session_uid, finding.text)
    again, session.shown = session.shown == shown, shown
    frame = next_frame(finding.frames, context.scene.frame_current if again else None)
    if frame is not None:
        context.scene.frame_set(frame)
    if frame is not None or finding.markers:
        keep_in_sight(context, take, finding.markers)
    try:
        select_finding(context, take, finding)
    except BonesetterError as error:
        return str(error)
    finally:
        redraw(context)
    return ""


def chosen_in_list(properties: Any, context: bpy.types.Context) -> None:
    """A click on a row of the list shows it, as the magnifying glass does."""
    take = active_take(context)
    if not session.listing and take is not None and properties == take.bonesetter and 0 <= properties.finding < len(properties.findings):
        show_finding(context, take, properties.finding)


def select_finding(context: bpy.types.Context, take: bpy.types.Collection, finding: Finding) -> None:
    """Select the markers of a finding, or the bones of one that is about bones alone.

    Raises:
        BonesetterError: They are gone, or cannot be selected now.
    """
    from ..model.rigs.production import cmu_joints

    there = markers(take)
    chosen = [there[name] for name in finding.markers if name in there]
    if finding.markers and not chosen:
        raise BonesetterError(f"{take.name} has none of these markers any more.")
    armature = take.bonesetter.armature
    if chosen:
        if context.mode != "OBJECT":
            raise BonesetterError("Markers are selected in Object Mode: leave the armature's mode first.")
        select(context, chosen)
        context.view_layer.objects.active = chosen[0]
    elif finding.bones and armature is not None:
        for bone in armature.pose.bones:
            _select_bone(bone, not set(finding.bones).isdisjoint(cmu_joints(bone.get(JOINT, bone.name))))


def _select_bone(bone: bpy.types.PoseBone, chosen: bool) -> None:
    # Blender 5.0 moved the flag from the armature's bones to the pose's
    owner = bone if hasattr(bone, "select") else bone.bone
    owner.select = chosen


CLASSES = (BONESETTER_OT_show_finding,)
