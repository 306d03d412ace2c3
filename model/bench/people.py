# SPDX-License-Identifier: GPL-3.0-or-later
"""Two takes in one: who is whose, and how far each solve is from that of the take alone; and a stick between them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from ..actors import prior as priors
from ..core.rigid import rotation_angles_deg
from ..core.rotations import unitquat_to_rotmat
from ..core.settings import Settings
from ..core.take import FloatArray, Take
from ..engine.pipeline import solve_take
from ..labelling.people import label_people
from ..markers.people import people_of
from ..props.find import with_props
from ..result.prop import Prop
from ..synthetic.unlabelled import Stripped, owners, strip_labels
from .labels import labelled_take, part_of

#: What stands before the labels of either, and of the stick.
PREFIXES, STICK = ("A_", "B_"), "Stick:"
#: The stick's markers in m, how often it changes its course, in s, how far it goes and turns, in m and rad, and its samples' jitter, in m.
PLACES = np.array([[-0.3, 0.0, 0.01], [0.1, 0.02, -0.01], [0.45, -0.03, 0.0], [0.2, 0.09, 0.05]])
COURSE_SECONDS, REACH_M, TURN_RAD, JITTER_M = 0.8, np.array([0.4, 0.6, 0.3]), 1.2, 5e-4


def together(first: Take, second: Take, apart_m: float) -> tuple[Take, Take]:
    """Both for as long as the shorter lasts, their middles so far from each other along x, at the same height as they were."""
    frames = slice(0, min(first.frames, second.frames))
    first, second = part_of(first, frames), part_of(second, frames)
    shift = np.nanmean(first.positions, axis=(0, 1)) - np.nanmean(second.positions, axis=(0, 1))
    shift[2] = 0.0
    return first, replace(second, positions=second.positions + shift + np.array([apart_m, 0.0, 0.0]))


def stick(pair: Sequence[Take], seed: int) -> tuple[Take, FloatArray, FloatArray]:
    """A stick that is swung between two people: its take, and the true rotations (frames, 3, 3) and mean of its markers (frames, 3)."""
    random, like = np.random.default_rng(seed), pair[0]
    keys = np.linspace(0, like.frames - 1, max(4, round(like.frames / like.rate_hz / COURSE_SECONDS)))
    turns = RotationSpline(keys, Rotation.from_rotvec(random.uniform(-TURN_RAD, TURN_RAD, (len(keys), 3))))
    between = np.mean([np.nanmean(one.positions, axis=(0, 1)) for one in pair], axis=0)
    course = CubicSpline(keys, between + random.uniform(-1.0, 1.0, (len(keys), 3)) * REACH_M)
    rotations, middle = turns(np.arange(like.frames)).as_matrix(), course(np.arange(like.frames))
    samples = np.einsum("fab,mb->fma", rotations, PLACES - PLACES.mean(axis=0)) + middle[:, None]
    samples += random.normal(0.0, JITTER_M, samples.shape)
    labels = tuple(f"{STICK}{row + 1}" for row in range(len(PLACES)))
    return Take("stick", labels, samples, np.zeros(samples.shape[:2]), like.rate_hz, up_axis=like.up_axis), rotations, middle


def prop_errors(prop: Prop, rotations: FloatArray, middle: FloatArray) -> tuple[float, float]:
    """How far a prop is from the truth where it has keys, on average: in mm, and in degrees.

    Its axes are the take's in the first frame in which it is seen, whose error is in all others: they are compared up to one rotation.
    """
    off_mm = 1e3 * float(np.linalg.norm(prop.positions - middle, axis=-1)[prop.keyed].mean())
    offset = (unitquat_to_rotmat(prop.rotations).swapaxes(-1, -2) @ rotations)[prop.keyed]
    return off_mm, float(rotation_angles_deg(offset, Rotation.from_matrix(offset).mean().as_matrix()[None]).mean())


def in_one(pair: Sequence[Take], *, twice: bool = False) -> Take:
    """One take of two people, with prefixes, or with the same names twice."""
    named = [
        one.only(range(len(one.labels)), tuple(f"{label}{'-1' * row}" if twice else f"{PREFIXES[row]}{label}" for label in one.labels))
        for row, one in enumerate(pair)
    ]
    return replace(named[0].beside(named[1]), name="both", origins=(), findings=(), source=None)


def right_and_wrong(stripped: Stripped, people: Sequence[Take]) -> tuple[float, float]:
    """Parts of the people's samples, each person found counted as the one most of whose labels it has; on anybody a stick's are wrong."""
    real, right, wrong = stripped.truth >= 0, 0, 0
    true = np.where(real, np.array(stripped.names)[np.maximum(stripped.truth, 0)], "")
    theirs = int((real & ~np.char.startswith(true, STICK)).sum())
    for person in people:
        labels = np.array([*(label if label[0] != "*" else "" for label in person.labels), ""])
        said = labels[owners(stripped.take, person.positions)]
        given = real & (said != "")
        same = max(int((given & (true == np.char.add(who, said))).sum()) for who in PREFIXES)
        right, wrong = right + same, wrong + int(given.sum()) - same
    return right / theirs, wrong / theirs


def measured(one: str, other: str, apart_m: float, kind: str, seed: int, *, prop: bool) -> str:
    """A row of the table.

    Args:
        one: Folder of a take.
        other: Of another, at the same rate.
        apart_m: How far from each other their middles are.
        kind: "prefixes", "twice" (the same names twice), "plain" (no names) or "hard" (markers away, and ghosts).
        seed: Of what is removed, and of the stick's course.
        prop: Whether a stick is swung between them.
    """
    pair = together(labelled_take(one)[0], labelled_take(other)[0], apart_m)
    swung, rotations, middle = stick(pair, seed)
    whole = in_one(pair, twice=kind == "twice")
    whole = replace(whole.beside(swung), origins=()) if prop else whole
    begin, said = time.process_time(), ""
    if kind in ("prefixes", "twice"):
        people = [(take, None) for take in people_of(whole)]
    else:
        stripped = strip_labels(whole, seed, hard=kind == "hard")
        whole = stripped.take
        found = label_people(stripped.take, prior=priors.bundled(without=(one, other)))
        people = [(person.take, person.marker_set) for person in found]
        right, wrong = right_and_wrong(stripped, [take for take, _ in people])
        said = f"{100 * right:.2f} | {100 * wrong:.2f}"
    seconds = time.process_time() - begin
    solutions = [solve_take(take, Settings(), marker_set=marker_set) for take, marker_set in people]
    solved = [solution.positions for solution in solutions]
    away = []
    for take in pair:
        alone = solve_take(replace(take, findings=()), Settings()).positions
        away.append(min((1e3 * float(np.linalg.norm(each - alone, axis=-1).mean()) for each in solved), default=np.nan))
    apart = ", ".join(f"{each:.2f}" for each in away)
    row = f"| {one}, {other} | {apart_m:g} m | {kind} | {len(people)} | {said or '- | -'} | {apart} | {seconds:.1f} |"
    if not prop or not solutions:
        return row
    found = with_props(whole, solutions, Settings().smooth)[0].props
    each = (f"{len(part.places)} markers, {mm:.2f} mm, {deg:.2f}°" for part in found for mm, deg in [prop_errors(part, rotations, middle)])
    return f"{row} {'; '.join(each) or 'none'} |"
