# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames, and which parts of the body, no marker tells of: a solve guesses their pose from the prior and from their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..actors.actor import Actor
from ..actors.joint_names import counterparts
from ..core.findings import Finding, Frames, Kind, in_words, listed_frames
from ..core.stretches import stretches
from ..core.take import BoolArray, CleanTake

#: So many markers tell where a body is and how it is rotated.
FEWEST_MARKERS = 3
#: A part that is unseen for longer than this, in s, has been guessed: its neighbours in time tell nothing any more.
LONG_SECONDS = 1.0
#: {part: the joint of the bundled hierarchy at its top, without the side}, the larger ones first.
SIDED = {"arm": "Arm", "leg": "UpLeg", "forearm": "ForeArm", "lower leg": "Leg", "hand": "FingerBase", "foot": "Foot"}
PLURALS = {"foot": "feet"}


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the body: its name without the side, the side ("" in the middle), and (joints,) which joints are in it."""

    name: str
    side: str
    joints: BoolArray


def uncovered(cleaned: CleanTake, actor: Actor) -> tuple[Finding, ...]:
    """Findings about frames and parts of the body without trusted markers.

    Args:
        cleaned: The actor's markers.
        actor: Whose joints carry them.
    """
    count = cleaned.trusted.sum(axis=1)
    few = f"fewer than {FEWEST_MARKERS} markers"
    bare: list[tuple[Kind, BoolArray, str]] = [("no markers", count == 0, "no marker")]
    bare.append(("few markers", (count > 0) & (count < FEWEST_MARKERS), few))
    found = [_bare(kind, _stretches(flags), having, cleaned) for kind, flags, having in bare if flags.any()]
    return (*found, *_unseen(cleaned, actor, count >= FEWEST_MARKERS))


def _bare(kind: Kind, frames: tuple[Frames, ...], having: str, cleaned: CleanTake) -> Finding:
    said = listed_frames(frames, cleaned.take.number)
    verb, their = ("has", "its") if said.startswith("frame ") else ("have", "their")
    return Finding(kind, f"{said.capitalize()} {verb} {having}: {their} pose is guessed.", frames=frames)


def _unseen(cleaned: CleanTake, actor: Actor, told: BoolArray) -> list[Finding]:
    """One finding for each stretch, or group of stretches, of frames in which the same parts are unseen; `told` (frames,) have markers."""
    groups: dict[tuple[Frames, ...], list[Part]] = {}
    known = np.zeros((len(told), len(actor.skeleton.joints)), dtype=bool)
    for part in body_parts(actor):
        carried = part.joints[list(actor.marker_joints)]
        unseen = told & ~cleaned.trusted[:, carried].any(axis=1)
        # what is in a larger part that is unseen has been said
        new = unseen & ~known[:, part.joints].all(axis=1)
        frames = () if told.any() and new[told].all() else _long(new, cleaned.take.rate_hz)
        if frames or (told.any() and new[told].all()):
            groups.setdefault(frames, []).append(part)
            where = new if not frames else _within(frames, len(told))
            known[np.ix_(where, part.joints)] = True
    return [_finding(frames, parts, cleaned, actor) for frames, parts in groups.items()]


def _finding(frames: tuple[Frames, ...], parts: list[Part], cleaned: CleanTake, actor: Actor) -> Finding:
    names = part_names(parts)
    when = f" in {listed_frames(frames, cleaned.take.number)}" if frames else ""
    their = "its" if len(parts) == 1 else "their"
    text = f"No marker tells of {in_words(names)}{when}: {their} pose is guessed."
    joints = np.any([part.joints for part in parts], axis=0)
    return Finding("unseen", text, bones=tuple(np.array(actor.skeleton.joints)[joints].tolist()), frames=frames)


def body_parts(actor: Actor) -> list[Part]:
    """The parts that the names of the actor's joints tell, the larger ones first; the trunk is what is in none."""
    skeleton = actor.skeleton
    like = counterparts(skeleton.joints, skeleton.parents)
    parts = [Part("head", "", _at_and_below(actor, [name in ("Neck", "Neck1", "Head") for name in like]))]
    for name, top in SIDED.items():
        parts += [Part(name, side.lower(), _at_and_below(actor, [each == side + top for each in like])) for side in ("Left", "Right")]
    parts = [part for part in parts if part.joints.any()]
    trunk = ~np.any([part.joints for part in parts], axis=0) if parts else np.ones(len(like), dtype=bool)
    return [Part("trunk", "", trunk), *parts]


def part_names(parts: list[Part]) -> list[str]:
    """How a sentence calls them: `the head`, `the left arm`, `the feet`."""
    names = []
    for name in dict.fromkeys(part.name for part in parts):
        sides = [part.side for part in parts if part.name == name]
        names.append(f"the {PLURALS.get(name, name + 's')}" if len(sides) == 2 else " ".join(["the", *filter(None, sides), name]))
    return names


def _at_and_below(actor: Actor, tops: list[bool]) -> BoolArray:
    return np.asarray(actor.skeleton.below[np.array(tops)].any(axis=0))


def _long(flags: BoolArray, rate_hz: float) -> tuple[Frames, ...]:
    return tuple((first, last) for first, last in _stretches(flags) if last - first + 1 > LONG_SECONDS * rate_hz)


def _stretches(flags: BoolArray) -> tuple[Frames, ...]:
    return tuple((int(start), int(end) - 1) for start, end in stretches(flags))


def _within(frames: tuple[Frames, ...], count: int) -> BoolArray:
    inside = np.zeros(count, dtype=bool)
    for first, last in frames:
        inside[first : last + 1] = True
    return inside
