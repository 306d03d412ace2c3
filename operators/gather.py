# SPDX-License-Identifier: GPL-3.0-or-later
"""Markers back from Blender: what the animator sees is what gets solved, repairs by hand included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from ..model.core.findings import Finding
from ..model.core.take import BoolArray, FloatArray, Take
from .findings import findings_of_file
from .space import Timing
from .takes import GAP, LABEL, MUTED, PINNED, RESIDUAL, markers, placing_parent, space_of, timing_of

#: A key inside a gap this far, in metres, from where the marker was held is a repair by hand; nearer, it only holds.
REPAIRED = 1e-5


def gather_take(scene: bpy.types.Scene, collection: bpy.types.Collection, muted: bool = False) -> Take:
    """Read a take from its empties' own curves, without the markers that the user muted unless these are asked for.

    A sample is missing while the empty's gap property is 1, unless it was keyed to another place there. An empty that was
    deleted is a marker that the take lacks.

    Raises:
        BonesetterError: No marker is left.
    """
    empties = {label: marker for label, marker in markers(collection).items() if muted or not marker.get(MUTED)}
    if not empties:
        raise BonesetterError(f"{collection.name} has no markers left: import the take again.")
    properties = collection.bonesetter
    timing = timing_of(collection)
    space = space_of(collection, scene)
    positions = np.empty((timing.samples, len(empties), 3))
    residuals = np.zeros((timing.samples, len(empties)))
    placing = placing_parent(collection)
    moved = [index for index, marker in enumerate(empties.values()) if _is_moved_by_others(marker, placing)]
    for index, marker in enumerate(empties.values()):
        local, present = read_marker(marker, timing, space.units_per_metre)
        positions[:, index] = _to_world(marker, local)
        positions[~present, index] = np.nan
        measured = marker.get(RESIDUAL)
        if measured is not None and len(measured) == timing.samples:
            residuals[:, index] = np.array(measured) * 1e-3
    if moved:
        _read_evaluated(scene, list(empties.values()), moved, timing, positions)
    residuals[~np.isfinite(positions).all(axis=-1)] = 0.0
    copies = sum(1 for marker in collection.all_objects if marker.type == "EMPTY" and LABEL in marker) - len(markers(collection))
    said = f"{copies} copies of markers share a label with another and are left out."
    findings = (Finding("left out", said, numbers={"markers": copies}),) if copies else ()
    return Take(
        name=collection.name,
        labels=tuple(empties),
        positions=space.to_take(positions),
        residuals=residuals,
        rate_hz=properties.rate_hz,
        first_frame=timing.start,
        frame_step=timing.step,
        up_axis=properties.up_axis,
        findings=findings_of_file(collection) + findings,
        source=Path(bpy.path.abspath(properties.path)) if properties.path else None,
        pinned=_pinned(list(empties.values()), timing.samples),
    )


def _pinned(empties: list[bpy.types.Object], samples: int) -> BoolArray | None:
    """(samples, markers) that the user pinned; None where there are none."""
    if not any(PINNED in marker for marker in empties):
        return None
    pinned = np.zeros((samples, len(empties)), dtype=bool)
    for index, marker in enumerate(empties):
        for first, last in np.array(marker.get(PINNED, ()), dtype=int).reshape(-1, 2):
            pinned[max(0, first) : last + 1, index] = True
    return pinned


def read_marker(marker: bpy.types.Object, timing: Timing, units_per_metre: float) -> tuple[FloatArray, BoolArray]:
    """(samples, 3) locations in the marker's parent's space, in Blender units, and (samples,) where it is there."""
    from .keyframes import read_curve

    frames = timing.frames
    location = np.tile(np.array(marker.location, dtype=float), (timing.samples, 1))
    keyed = np.zeros(timing.samples, dtype=bool)
    gap = np.full(timing.samples, float(marker.get(GAP, 0)))
    for curve in _curves(marker):
        if curve.data_path == "location":
            location[:, curve.array_index], on_key = read_curve(curve, frames)
            keyed |= on_key
        elif curve.data_path == f'["{GAP}"]':
            gap, _ = read_curve(curve, frames)
    present = gap < 0.5
    if keyed.any():
        seen = np.maximum.accumulate(np.where(present, np.arange(timing.samples), -1))
        seen[seen < 0] = int(np.argmax(present))
        away = np.abs(location - location[seen]).max(axis=-1) > REPAIRED * units_per_metre
        present = present | (keyed & away)
    return location, present


def _curves(marker: bpy.types.Object) -> list[Any]:
    from .keyframes import bound_channelbag

    bag = bound_channelbag(marker)
    return list(bag.fcurves) if bag is not None else []


def _is_moved_by_others(marker: bpy.types.Object, placing: bpy.types.Object | None) -> bool:
    """Something besides the empty's own curves decides where it is: only Blender's evaluation knows where.

    Not what places the take as a whole, with all that moves that.
    """
    chain = [marker]
    while chain[-1].parent not in (None, placing):
        chain.append(chain[-1].parent)
    animation = marker.animation_data
    layered = animation is not None and (len(animation.drivers) > 0 or len(animation.nla_tracks) > 0)
    return layered or any(one.constraints for one in chain) or any(one.animation_data for one in chain[1:])


def _to_world(marker: bpy.types.Object, local: FloatArray) -> FloatArray:
    local = local + np.array(marker.delta_location)
    if marker.parent is None:
        return local
    matrix = np.array(marker.parent.matrix_world @ marker.matrix_parent_inverse)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def _read_evaluated(
    scene: bpy.types.Scene, empties: list[bpy.types.Object], moved: list[int], timing: Timing, positions: FloatArray
) -> None:
    """Play the scene through and write where the given empties are, gaps left alone."""
    now = scene.frame_current, scene.frame_subframe
    try:
        for sample, frame in enumerate(timing.frames):
            scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1.0))
            for index in moved:
                if np.isfinite(positions[sample, index, 0]):
                    positions[sample, index] = np.array(empties[index].matrix_world.translation)
    finally:
        scene.frame_set(now[0], subframe=now[1])
