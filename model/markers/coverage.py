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
#: Frames without anybody up to this long, in s, are bridged from both sides.
BRIDGED_SECONDS = 0.5
#: A part that is unseen for longer than this, in s, has been guessed: its neighbours in time tell nothing any more.
LONG_SECONDS = 1.0
#: Of what is unseen for so long in all, but for less than this, in s, in frames in which others are seen, nothing more is said.
SPOKEN_OF_SECONDS = 0.1
#: {part: the joint of the bundled hierarchy at its top, without the side}, larger ones first; a hand has its thumb, too.
SIDED = {"arm": "Arm", "leg": "UpLeg", "forearm": "ForeArm", "lower leg": "Leg", "hand": "FingerBase", "foot": "Foot"}
#: Joints of the bundled hierarchy at and above which the upper body is.
SPINE = ("LowerBack", "Spine", "Spine1")
PLURALS = {"foot": "feet"}


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the body: its name without the side, the side ("" in the middle), and (joints,) which joints are in it."""

    name: str
    side: str
    joints: BoolArray


@dataclass(frozen=True, eq=False)
class Coverage:
    """What markers tell of.

    Attributes:
        findings: About frames and parts of the body without trusted markers.
        keyed: (frames, joints) where a joint gets a key.
    """

    findings: tuple[Finding, ...]
    keyed: BoolArray


def look_covered(cleaned: CleanTake, actor: Actor, *, keep_guessed: bool = False) -> Coverage:
    """Find out which frames and parts of the body no marker tells of.

    The root has keys wherever markers tell of anybody, since all other joints hang on it.

    Args:
        cleaned: The actor's markers.
        actor: Whose joints carry them.
        keep_guessed: Whether guessed poses are keyed, too.
    """
    count = cleaned.trusted.sum(axis=1)
    bare = count < FEWEST_MARKERS
    absent = np.zeros(len(bare), dtype=bool) if keep_guessed else _within(_absences(bare, cleaned.take.rate_hz), len(bare))
    having: list[tuple[Kind, BoolArray, str]] = [("no markers", count == 0, "no marker")]
    having.append(("few markers", bare & (count > 0), f"fewer than {FEWEST_MARKERS} markers"))
    found = [
        _bare(kind, _stretches(frames), said, cleaned, keyed)
        for kind, flags, said in having
        for frames, keyed in ((flags & absent, False), (flags & ~absent, True))
        if frames.any()
    ]
    unseen, guessed = _unseen(cleaned, actor, ~bare, keep_guessed)
    guessed[:, [parent < 0 for parent in actor.skeleton.parents]] = False
    keyed = np.ones_like(guessed) if keep_guessed else ~(guessed | absent[:, None])
    return Coverage((*found, *unseen), keyed)


def _absences(bare: BoolArray, rate_hz: float) -> tuple[Frames, ...]:
    """The stretches of bare frames that no neighbours bridge: long ones, and those at either end of the take."""
    return tuple(
        (first, last)
        for first, last in _stretches(bare)
        if last - first + 1 > BRIDGED_SECONDS * rate_hz or first == 0 or last == len(bare) - 1
    )


def _guessed(keyed: bool) -> str:
    return "pose is guessed" if keyed else "pose is guessed and not keyed"


def _bare(kind: Kind, frames: tuple[Frames, ...], having: str, cleaned: CleanTake, keyed: bool) -> Finding:
    said = listed_frames(frames, cleaned.take.number)
    verb, their = ("has", "its") if said.startswith("frame ") else ("have", "their")
    return Finding(kind, f"{said.capitalize()} {verb} {having}: {their} {_guessed(keyed)}.", frames=frames)


def _unseen(cleaned: CleanTake, actor: Actor, told: BoolArray, keep_guessed: bool) -> tuple[list[Finding], BoolArray]:
    """Parts that no marker tells of in frames that have markers, `told` (frames,).

    Returns:
        One finding for each stretch, or group of stretches, of frames in which the same parts are unseen, and (frames, joints) of them all,
        in frames without markers, too.
    """
    groups: dict[tuple[Frames, ...], list[Part]] = {}
    known = np.zeros((len(told), len(actor.skeleton.joints)), dtype=bool)
    everywhere = known.copy()
    for part in body_parts(actor):
        carried = part.joints[list(actor.marker_joints)]
        unseen = np.logical_not(cleaned.trusted[:, carried].any(axis=1))
        # what is in a larger part that is unseen has been said
        new = unseen & ~known[:, part.joints].all(axis=1)
        never = bool(told.any() and new[told].all())
        # frames without anybody are said by themselves, but the part is unseen in them, too
        guessed = _within(_long(new, cleaned.take.rate_hz), len(told)) | never
        known[np.ix_(guessed & told, part.joints)] = everywhere[np.ix_(guessed, part.joints)] = True
        spans = () if never else _stretches(guessed & told)
        frames = tuple((first, last) for first, last in spans if last - first + 1 >= SPOKEN_OF_SECONDS * cleaned.take.rate_hz)
        if frames or never:
            groups.setdefault(frames, []).append(part)
    return [_finding(frames, parts, cleaned, actor, keep_guessed) for frames, parts in groups.items()], everywhere


def _finding(frames: tuple[Frames, ...], parts: list[Part], cleaned: CleanTake, actor: Actor, keyed: bool) -> Finding:
    names = part_names(parts)
    when = f" in {listed_frames(frames, cleaned.take.number)}" if frames else ""
    their = "its" if len(parts) == 1 else "their"
    text = f"No marker tells of {in_words(names)}{when}: {their} {_guessed(keyed)}."
    joints = np.any([part.joints for part in parts], axis=0)
    return Finding("unseen", text, bones=tuple(np.array(actor.skeleton.joints)[joints].tolist()), frames=frames)


def body_parts(actor: Actor) -> list[Part]:
    """The parts that the names of the actor's joints tell, the larger ones first; the trunk is what is in none."""
    skeleton = actor.skeleton
    like = counterparts(skeleton.joints, skeleton.parents)
    parts = [Part("head", "", _at_and_below(actor, [name in ("Neck", "Neck1", "Head") for name in like]))]
    for name, top in SIDED.items():
        for side in ("Left", "Right"):
            tops = {side + top, *([f"{side[0]}Thumb"] if name == "hand" else [])}
            parts.append(Part(name, side.lower(), _at_and_below(actor, [each in tops for each in like])))
    parts = [part for part in parts if part.joints.any()]
    trunk = ~np.any([part.joints for part in parts], axis=0) if parts else np.ones(len(like), dtype=bool)
    above = _at_and_below(actor, [name in SPINE for name in like])
    return [*([Part("upper body", "", above)] if above.any() else []), Part("trunk", "", trunk), *parts]


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
