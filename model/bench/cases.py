# SPDX-License-Identifier: GPL-3.0-or-later
"""The takes of the benchmark: synthetic ones with exact truth and real ones with the lab's skeleton, whole and corrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from ..actors.actor import Actor
from ..actors.prior import Prior
from ..core.motion import Motion
from ..core.take import FloatArray, Take
from ..datasets import splits
from ..datasets.lab_takes import data_folder, read_lab_take
from ..datasets.motion_library import read_split
from ..files.asf_amc import ASF_TO_C3D
from ..marker_sets.marker_set import load_marker_set
from ..markers.matching import match
from ..synthetic.corruptions import Recipe, corrupt
from ..training.learn import measured_offsets
from .range_of_motion import range_of_motion

CLEAN: Recipe = {"jitter": {"least": 0.001, "most": 0.001}}
#: {condition: (how soft the tissue is, what is done to the markers)} of the synthetic takes.
SYNTHETIC: dict[str, tuple[float, Recipe]] = {
    "clean": (0.0, CLEAN),
    "soft tissue": (1.0, CLEAN),
    "Holden": (0.0, {**CLEAN, "holden": {}}),
    "production gaps": (0.0, {**CLEAN, "gaps": {"part": 0.1, "together": 0.3}}),
    "swaps": (0.0, {**CLEAN, "swaps": {"rate": 0.02}}),
}
#: 20 % of all samples removed and 20 % of all moved by 10 cm.
REAL_CORRUPTED: Recipe = {"occlusion": {"part": 0.2}, "shifts": {"part": 0.25, "distance": 0.1}}
#: What each condition is, in a sentence.
CONDITIONS = {
    "clean": "subjects 07 and 11, markers fixed to the bones, 1 mm of jitter",
    "soft tissue": "the same with markers that slide on the skin, a few mm",
    "Holden": "clean, then Holden's corruption: 7.8 % of the samples missing, 7.8 % moved by 48 cm on average, torso markers too",
    "production gaps": "clean, then 10 % of the samples missing in gaps as long as productions have them, 3 in 10 with their neighbours",
    "swaps": "clean, then neighbours' labels exchanged for 10 to 60 frames, about 0.8 times a second",
    "cmu_02_05": "the real take against the lab's skeleton",
    "hdm05_dg": "the real take against the lab's skeleton",
    "real, corrupted": "both real takes with 20 % of their samples removed and 20 % moved by 10 cm",
}


@dataclass(frozen=True, eq=False)
class Case:
    """One take to be solved.

    Attributes:
        name: Unlike any other's.
        condition: One of `CONDITIONS`.
        take: What a solver sees.
        truth: The true motion, or the lab's.
        markers: (frames, labels, 3) in metres, the markers before they were corrupted, in the order of the take's labels.
        actor: The true one: the subject's bones and where its markers truly are, on average.
        clean: A take of the same person and markers with nothing wrong, for those who calibrate on one: a range of motion, or, of a
            real person of whom there is one take only, that take before it was corrupted.
    """

    name: str
    condition: str
    take: Take
    truth: Motion
    markers: FloatArray
    actor: Actor
    clean: Take


def all_cases(prior: Prior, seed: int) -> list[Case]:
    """All takes, the same for the same seed."""
    return [*synthetic_cases(prior, seed), *real_cases(seed)]


def synthetic_cases(prior: Prior, seed: int, split: splits.Split = "test", conditions: Sequence[str] = tuple(SYNTHETIC)) -> list[Case]:
    """Every clip of a split with markers of a drawn placement, in every condition."""
    import torch  # not above: `python -m model bench --help` shall not wait for it

    from ..synthetic.bodies import draw_bodies
    from ..synthetic.markers import marked

    cases = []
    for clip in read_split(split):
        motion = clip.motion.on_axes(ASF_TO_C3D)
        truth = Motion(motion.skeleton, motion.rotations.astype(float), motion.root.astype(float), motion.rate_hz)
        for condition in conditions:
            soft, recipe = SYNTHETIC[condition]
            # the same actor in every condition, the same sliding wherever there is any
            random = np.random.default_rng([seed, crc32(clip.name.encode())])
            bodies = draw_bodies(prior.actor, 1, random, bones=motion.skeleton.bones.astype(float))
            # the calibration draws from a stream of its own, so that the take is what it would be without
            apart = np.random.default_rng([seed, crc32(f"{clip.name} range of motion".encode())])
            takes = []
            for moved, draws in ((motion, random), (range_of_motion(bodies.actor(0).skeleton, prior.pose, apart, motion.rate_hz), apart)):
                local, root = (torch.from_numpy(values.astype(np.float32))[None] for values in (moved.rotations, moved.root))
                markers = marked(local, root, bodies, draws, soft).markers[0].double().numpy()
                takes.append(Take(clip.name, bodies.labels, markers, np.zeros(markers.shape[:2]), motion.rate_hz))
            clean = corrupt(takes[1], CLEAN, (seed, crc32(f"{clip.name} range of motion".encode())))
            cases.append(_case(takes[0], recipe, condition, truth, bodies.actor(0), clean, seed))
    return cases


def real_cases(seed: int) -> list[Case]:
    """The real test takes, as they are and corrupted."""
    cases = []
    for name in splits.load().test_takes:
        lab = read_lab_take(data_folder() / "takes" / name)
        marker_set = load_marker_set()
        take = replace(match(lab.take, marker_set), name=name)
        frames = min(take.frames, lab.motion.frames)
        take = replace(take, positions=take.positions[:frames], residuals=take.residuals[:frames])
        joints = lab.motion.skeleton.joints
        carriers = [joints.index(marker_set.joints[marker_set.labels.index(label)]) for label in take.labels]
        actor = Actor(lab.motion.skeleton, take.labels, tuple(carriers), measured_offsets(take.positions, lab.motion, carriers))
        truth = replace(lab.motion, rotations=lab.motion.rotations[:frames], root=lab.motion.root[:frames])
        cases.append(_case(take, {}, name, truth, actor, take, seed))
        cases.append(_case(take, REAL_CORRUPTED, "real, corrupted", truth, actor, take, seed))
    return cases


def _case(take: Take, recipe: Recipe, condition: str, truth: Motion, actor: Actor, clean: Take, seed: int) -> Case:
    name = f"{take.name} {condition}"
    corrupted = corrupt(take, recipe, (seed, crc32(name.encode())))
    return Case(name, condition, replace(corrupted, name=name), truth, take.positions, actor, clean)


def excerpt(case: Case, frames: int) -> Case:
    """The middle of a case, for those who are slow."""
    start = max(0, (case.take.frames - frames) // 2)
    part = slice(start, start + frames)
    take = replace(case.take, positions=case.take.positions[part], residuals=case.take.residuals[part])
    truth = replace(case.truth, rotations=case.truth.rotations[part], root=case.truth.root[part])
    return replace(case, take=take, truth=truth, markers=case.markers[part])
