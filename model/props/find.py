# SPDX-License-Identifier: GPL-3.0-or-later
"""The props of a solved take, among the samples that are on nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core.axes import heights
from ..core.findings import Finding
from ..core.motion import forward
from ..core.rigid import quaternions, rotation_angles_deg
from ..core.rotations import unitquat_to_rotmat
from ..core.stretches import evenly, stretches
from ..core.take import FloatArray, Take, all_finite
from ..labelling.mirrored import mirror_height
from ..marker_sets.marker_set import bare_name
from ..markers.computed import without_computed
from ..markers.matching import COMPUTED, SEPARATORS, labelled_columns, listed
from ..markers.regrouped import same_samples
from ..result.prop import Prop
from ..result.solution import Solution
from ..solver.smoothing import low_pass, smooth_rotations
from .groups import Group, rigid_groups
from .rigid_poses import RigidPoses, bridged, rigid_poses

#: What stays so near one place on a bone, in m, and turns so little there, in degrees, in nearly all frames, belongs to the body.
HELD_M, HELD_DEG, NEARLY_ALL = 0.06, 25.0, 98
#: Frames in which that is looked at.
LOOKED_AT = 400


def with_props(take: Take, solutions: Sequence[Solution], smooth: float) -> tuple[Solution, ...]:
    """Solutions of everybody in a take, the first with the props of the take, and what is said of them.

    Args:
        take: As read from a file.
        solutions: Their frames are the take's.
        smooth: See `Settings`.
    """
    props = find_props(take, solutions, smooth)
    if not props:
        return tuple(solutions)
    said = tuple(_said(prop) for prop in props)
    first = solutions[0]
    return (replace(first, props=props, findings=(*first.findings, *said)), *solutions[1:])


def _said(prop: Prop) -> Finding:
    numbers = {"markers": len(prop.places), "residual_mm": round(prop.residual_mm, 2)}
    text = f"{len(prop.places)} markers that nobody wears move together, and are the object {prop.name}: {listed(prop.labels)}."
    return Finding("prop", text, prop.labels, numbers=numbers)


def find_props(take: Take, solutions: Sequence[Solution], smooth: float) -> tuple[Prop, ...]:
    """The rigid groups of a take that are on no body; see `with_props`.

    A group that stays at its place on a bone all the take long is the body's, unless its name says otherwise. Points without a common name
    that never move may be anything, and are left out.
    """
    left = on_nobody(take, solutions)
    if len(left.labels) < 3:
        return ()
    worn = {label for solution in solutions for label in solution.clean.take.file_labels}
    named = set(labelled_columns(left))
    families = [family_of(label) if row in named else "" for row, label in enumerate(left.labels)]
    found: list[Prop] = []
    for group in rigid_groups(left, families):
        labels = tuple(dict.fromkeys(left.labels[column] for columns in group.columns for column in columns))
        own = {families[left.labels.index(label)] for label in labels}
        name = own.pop() if len(own) == 1 else ""
        if not (name or group.moves):
            continue
        poses = rigid_poses(group.samples, group.places)
        of_its_own = name[-1:] in (":", ".") and not any(label.startswith(name) for label in worn)
        if not poses.known.any() or (not of_its_own and any(_held_by(poses, group.places, solution) for solution in solutions)):
            continue
        found.append(_prop(group, poses, labels, name.strip(SEPARATORS + " -"), left.rate_hz, smooth))
    return _named(found)


def on_nobody(take: Take, solutions: Sequence[Solution]) -> Take:
    """The columns of a take with those of its samples that no solution has; without computed points, and what a glossy floor shows."""
    columns = {column for solution in solutions for label in solution.clean.take.file_columns.values() for column in label}
    rows = [row for row, label in enumerate(take.labels) if label not in columns and not COMPUTED.search(bare_name(label))]
    unnamed = [row for row in range(len(take.labels)) if row not in set(labelled_columns(take))]
    rows = sorted({*rows, *unnamed})
    if len(rows) < 3:
        return take.only([])
    whole = without_computed(take)[0].labels
    left = take.only([row for row in rows if take.labels[row] in whole])
    positions = left.positions.copy()
    for solution in solutions:
        positions[same_samples(positions, solution.clean.take.positions)] = np.nan
    # the image of a shin is as rigid as the shin
    floor_m = mirror_height(take.positions, take.up_axis)
    if floor_m is not None:
        nameless = ~np.isin(np.arange(len(left.labels)), labelled_columns(left))
        positions[(heights(positions, take.up_axis) < floor_m) & nameless] = np.nan
    seen = np.flatnonzero(all_finite(positions).any(axis=0)).tolist()
    return replace(left, positions=positions).only(seen)


def family_of(label: str) -> str:
    """What the markers of one object have in common: what stands before the last separator, or before a number at the end."""
    head = re.match(rf"(.*[{SEPARATORS}])[^{SEPARATORS}]*$", label.strip())
    if head:
        return head[1]
    numbered = re.match(r"(.*?[^\d])[ -]*(\d+|[A-Da-d])$", label.strip())
    return numbered[1] if numbered else ""


def _held_by(poses: RigidPoses, places: FloatArray, solution: Solution) -> bool:
    """Whether an object keeps its place on one bone of a body in nearly all of the frames in which both are known."""
    known = poses.known if solution.keyed is None else poses.known & solution.keyed.all(axis=1)
    if not known.any():
        known = poses.known
    seen = np.flatnonzero(known)
    frames = seen[evenly(0, len(seen), LOOKED_AT)]
    skeleton = solution.actor.skeleton
    root = skeleton.parents.index(-1)
    joints, bones = forward(skeleton, unitquat_to_rotmat(solution.rotations[frames]), solution.positions[frames, root])
    middles = poses.placed(places)[frames].mean(axis=1)
    local = np.einsum("fjba,fjb->fja", bones, middles[:, None] - joints)
    off = np.percentile(np.linalg.norm(local - np.median(local, axis=0), axis=-1), NEARLY_ALL, axis=0)
    turns = np.einsum("fjba,fbc->fjac", bones, poses.rotations[frames])
    angles = rotation_angles_deg(turns[:1], turns)
    for joint in np.flatnonzero(off <= HELD_M).tolist():
        usual = turns[np.argsort(angles[:, joint])[len(frames) // 2], joint]
        if np.percentile(rotation_angles_deg(usual[None], turns[:, joint]), NEARLY_ALL) <= HELD_DEG:
            return True
    return False


def _prop(group: Group, seen: RigidPoses, labels: tuple[str, ...], name: str, rate_hz: float, smooth: float) -> Prop:
    """A group, in the poses in which it is seen, as an object on the take's axes in the first of them."""
    first = seen.rotations[np.flatnonzero(seen.known)[0]]
    places = (group.places - group.places.mean(axis=0)) @ first.T
    followed = bridged(rigid_poses(group.samples, places), group.samples, places, rate_hz)
    poses = RigidPoses(followed.rotations.copy(), followed.positions.copy(), followed.known)
    for start, end in stretches(followed.known).tolist():
        poses.rotations[start:end] = smooth_rotations(followed.rotations[start:end], rate_hz, smooth)
        poses.positions[start:end] = low_pass(followed.positions[start:end], rate_hz, smooth)
    off = np.linalg.norm(group.samples - poses.placed(places), axis=-1)[poses.known]
    last = np.maximum.accumulate(np.where(poses.known, np.arange(len(poses.known)), -1))
    last[last < 0] = np.flatnonzero(poses.known)[0]
    residual_mm = float(np.sqrt(np.nanmean(off**2)) * 1e3)
    return Prop(name, labels, places, poses.positions[last], quaternions(poses.rotations[last]), poses.known, residual_mm)


def _named(props: Sequence[Prop]) -> tuple[Prop, ...]:
    """Props under names that none shares with another."""
    found: list[Prop] = []
    for row, prop in enumerate(props):
        name = prop.name or f"Prop {row + 1}"
        if name in {other.name for other in found}:
            name = f"{name} {row + 1}"
        found.append(replace(prop, name=name))
    return tuple(found)
