# SPDX-License-Identifier: GPL-3.0-or-later
"""Families of labels that laboratories use: each is known by its bundled set, and sits on the body where the others have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.actors.prior import bundled
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.files.readers import read_take
from model.marker_sets.marker_set import load_marker_set
from model.markers.matching import choose_marker_set, match_all
from model.solver.rotations import rotvec_to_rotmat
from model.synthetic.synthesis import SyntheticTake

#: {family: (the set that knows it, labels of a take, what of them no set knows)}.
FAMILIES = {
    "Helen Hayes of Motion Analysis": (
        "generic",
        "THEA FHEA RHEA RSHO ROFF RELB RWRI LSHO LELB LWRI RASI LASI VSAC RTHI RKNE RSHA RANK RHEE R.TO LTHI LKNE LSHA LANK LHEE L.TO",
    ),
    "Helen Hayes of Cortex": (
        "generic",
        "Top.Head Front.Head Rear.Head R.Shoulder R.Offset R.Elbow R.Wrist L.Shoulder L.Elbow "
        "L.Wrist R.ASIS L.ASIS V.Sacral R.Thigh R.Knee "
        "R.Shank R.Ankle R.Heel R.Toe L.Thigh L.Knee L.Shank L.Ankle L.Heel L.Toe",
    ),
    "Xsens": (
        "xsens_mvn",
        "pRightASI pLeftASI pRightCSI pLeftCSI pSacrum pL3SpinalProcess pPX pIJ pC7SpinalProcess pTopOfHead pBackOfHead pRightAcromion "
        "pLeftAcromion pRightArmLatEpicondyle pLeftArmLatEpicondyle pRightUlnarStyloid pLeftUlnarStyloid pRightKneeLatEpicondyle "
        "pLeftKneeLatEpicondyle pRightLatMalleolus pLeftLatMalleolus pRightHeelFoot pLeftHeelFoot pRightToe pLeftToe",
    ),
    "French": (
        "french",
        "EIASD EIASG CID CIG EIPSD EIPSG MANU XIPHOIDE C7 D3 D10 TEMPD TEMPG GLABELLE ACRANTD "
        "ACRANTG DELTD DELTG EPICOND EPICONG EPITROD "
        "ULNAD ULNAG METAC5D METAC2G TFLD CONDEXTD CONDEXTG CONDINTD CRETED TUBD MALEXTD MALEXTG CALCD CALCG METAT5D METAT1D",
    ),
    "Davis": (
        "davis",
        "c7|r should|l should|sacrum|r asis|l asis|r thigh|l thigh|r bar 1|l bar 1|r knee 1|"
        "l knee 1|r knee 2|r bar 2|l bar 2|r mall|l mall|"
        "r met|l met|r heel|l heel",
    ),
    "Davis, as C3D files have it": (
        "davis",
        "RASI RTHI RBAR1 RKNE1 RKNE2 RBAR2 RMALL RMET LASI LTHI LBAR1 LKNE1 LKNE2 LBAR2 LMALL LMET SACR",
    ),
    "Qualisys": (
        "generic",
        "L_IAS L_IPS R_IPS R_IAS SNJ SXS TV8 CV7 L_HDF L_HDB R_HDB R_HDF L_FLE L_FME L_FAL L_TAM L_FCC L_FM1 L_FM5 L_UHE L_RSP L_SAJ R_SAJ",
    ),
    "Motive's baseline": (
        "generic",
        "HeadTop HeadFront HeadSide BackTop BackLeft BackRight Chest WaistLFront WaistRFront "
        "WaistLBack WaistRBack LShoulderTop RShoulderTop "
        "LShoulderBack RShoulderBack LUArmHigh RUArmHigh LElbowOut RElbowOut LWristIn LWristOut "
        "LHandOut RWristIn RWristOut RHandOut LThigh "
        "RThigh LKneeOut RKneeOut LShin RShin LAnkleOut RAnkleOut LToeIn LToeOut LToeTip LHeel RHeel",
    ),
}


def labels_of(family: str) -> tuple[str, ...]:
    text = FAMILIES[family][1]
    return tuple(text.split("|" if "|" in text else None))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_known_by_its_set(family: str) -> None:
    labels = labels_of(family)
    take = Take("a", labels, np.random.default_rng(0).normal(size=(3, len(labels), 3)), np.zeros((3, len(labels))), 100.0)
    expected = load_marker_set(FAMILIES[family][0])
    chosen = choose_marker_set(take)
    assert chosen.name == expected.name
    known, unknown = match_all(take, chosen)
    assert (len(known.labels), unknown.labels) == (len(labels), ())


@pytest.mark.parametrize("name", ["xsens_mvn", "french", "davis"])
def test_a_person_with_such_markers_is_solved(name: str, synthetic: SyntheticTake) -> None:
    marker_set, prior = load_marker_set(name), bundled()
    motion = replace(synthetic.motion, rotations=synthetic.motion.rotations[:240], root=synthetic.motion.root[:240])
    places = prior.placement(marker_set, marker_set.labels)
    moved = replace(places, offset_mean=places.offset_mean + np.random.default_rng(1).normal(scale=0.006, size=places.offset_mean.shape))
    markers = prior.mean_actor(moved).markers(motion)
    take = Take("a", marker_set.labels, markers, np.zeros(markers.shape[:2]), motion.rate_hz)
    solution = solve_take(take, Settings(workers=1))
    assert solution.actor.labels == marker_set.labels
    # without a head, or hands, nothing tells how those are held
    told = [row for row, joint in enumerate(solution.actor.skeleton.joints) if "Leg" in joint or joint == "Hips"]
    off = np.linalg.norm(solution.positions - motion.forward()[0], axis=-1)[:, told]
    assert off.mean() < 0.03
    assert [each.kind for each in solution.findings if each.kind in ("far off", "left out")] == []


@pytest.mark.parametrize("degrees", [-80.0, 0.0, 80.0])
def test_a_head_that_looks_over_the_shoulder_keeps_its_labels(synthetic: SyntheticTake, degrees: float) -> None:
    """Of Motive's three markers the network knows none: poses begin with a head that looks ahead."""
    marker_set, prior = load_marker_set("generic"), bundled()
    labels = labels_of("Motive's baseline")
    names, rotations = synthetic.motion.skeleton.joints, synthetic.motion.rotations[:240].copy()
    turn = rotvec_to_rotmat(torch.tensor([[0.0, np.radians(degrees) / 3, 0.0]], dtype=torch.float64)).numpy()[0]
    for joint in ("Neck", "Neck1", "Head"):
        rotations[:, names.index(joint)] = rotations[:, names.index(joint)] @ turn
    motion = replace(synthetic.motion, rotations=rotations, root=synthetic.motion.root[:240])
    places = prior.placement(marker_set, tuple(marker_set.find(label) or "" for label in labels))
    offsets = places.offset_mean.copy()
    # a cap's: the top far back, the side before the ear
    for label, moved in (("HeadTop", (-0.02, -0.02, -0.05)), ("HeadFront", (0.01, -0.01, 0.01)), ("HeadSide", (0.08, -0.02, 0.05))):
        offsets[labels.index(label)] += moved
    markers = prior.mean_actor(replace(places, offset_mean=offsets)).markers(motion)
    solution = solve_take(Take("a", labels, markers, np.zeros(markers.shape[:2]), motion.rate_hz), Settings(workers=1))
    assert [each.text for each in solution.findings if each.kind == "misplaced"] == []


@pytest.mark.parametrize(("name", "most_mm"), [("helen_hayes_vsac", 5.0), ("xsens_mvn_labels", 4.0), ("qualisys_head_to_shoulder", 5.0)])
def test_takes_of_other_labs_are_solved(case: Callable[[str], Path], name: str, most_mm: float) -> None:
    solution = solve_take(read_take(case(name)), Settings(workers=1))
    off = np.linalg.norm(solution.clean.take.positions - solution.markers_model, axis=-1)
    assert 1000 * np.nanmean(off) < most_mm
    joints = dict(zip(solution.actor.labels, solution.actor.marker_joints, strict=True))
    heads = [joint for label, joint in joints.items() if label.endswith(("HD", "HEAD", "OfHead"))]
    assert len(heads) >= 2
    assert {solution.actor.skeleton.joints[joint] for joint in heads} == {"Head"}
