# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's peers: how they are asked, and the bodies that they are given.

A puppet stands for the programs, which live in an environment of their own: `tests/peers` tests these there.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.actors.prior import bundled
from model.bench import race
from model.bench.cases import Case
from model.bench.contestants import Contestant
from model.bench.peers.articulation import articulate
from model.bench.peers.biomod import biomod
from model.bench.peers.mjcf import mjcf
from model.bench.peers.momentum_rig import CM, NUMBERS, ROOT_NAMES, SCALE, TURNS, rig
from model.core.errors import BonesetterError
from model.core.rigid import rotation_angles_deg
from model.datasets.lab_takes import PROJECT
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise

ACTOR = bundled().mean_actor()
JITTER = Noise(jitter=1e-3, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)


@pytest.fixture(scope="module")
def second() -> SyntheticTake:
    """A second of a synthetic person who walks."""
    return synthesise(seconds=1.0, noise=JITTER)


def test_articulation_stands_where_the_take_begins(second):
    body = articulate(ACTOR, second.take)
    motion = body.motion(np.zeros((1, 3 + len(body.names))), body.start[None], 120.0)
    apart = np.linalg.norm(body.actor.markers(motion)[0] - second.take.positions[0], axis=-1)
    assert apart.mean() < 0.15
    np.testing.assert_allclose(motion.rotations[0, 1:], bundled().pose.mean_rotations[1:], atol=1e-6)


def test_articulation_turns_joints_about_the_prior_s_axes(second):
    body, pose = articulate(ACTOR, second.take), bundled().pose
    knee = ACTOR.skeleton.joints.index("LeftLeg")
    angles = np.zeros((1, 3 + len(body.names)))
    angles[0, 3 + body.names.index("LeftLeg_x")] = 0.5
    global_rotations = body.motion(angles, body.start[None], 120.0).rotations[0]
    axis = pose.axes[pose.joints_of == knee][0]
    np.testing.assert_allclose(global_rotations[knee], pose.mean_rotations[knee] @ Rotation.from_rotvec(0.5 * axis).as_matrix(), atol=1e-6)
    assert np.count_nonzero(rotation_angles_deg(global_rotations[1:], pose.mean_rotations[1:]) > 1e-3) == 1


def test_articulation_locks_what_no_marker_tells(second):
    whole, told = articulate(ACTOR, second.take), articulate(ACTOR, second.take, determined=True)
    assert set(told.names) < set(whole.names)
    assert not any(name.startswith(("LThumb", "LHipJoint")) for name in whole.names)
    assert sum(name.startswith(("LowerBack", "Spine")) for name in told.names) < 7
    assert {"LeftLeg_x", "LeftForeArm_x", "LeftUpLeg_y"} <= set(told.names)


def test_articulation_refuses_what_it_cannot_stand(second):
    few = second.take.positions.copy()
    few[:, 2:] = np.nan
    with pytest.raises(BonesetterError, match="three"):
        articulate(ACTOR, replace(second.take, positions=few))
    with pytest.raises(BonesetterError, match="NOSE"):
        articulate(ACTOR, replace(second.take, labels=("NOSE", *second.take.labels[1:])))


def test_a_body_for_biorbd_stands_where_the_take_begins(second):
    """Its segments chained as biorbd chains them, at angles of 0."""
    body = articulate(ACTOR, second.take, determined=True)
    frames, markers, name, joint = {"base": np.eye(4)}, {}, "", ""
    lines = iter(biomod(body).splitlines())
    for word, _, rest in (line.partition(" ") for line in lines):
        if word in ("segment", "marker"):
            name, joint = rest, "base"
        elif word == "parent":
            joint = rest
        elif word == "rt":
            frames[name] = frames[joint] @ np.array([[float(value) for value in next(lines).split()] for _ in range(4)])
        elif word == "position":
            markers[name] = (frames[joint] @ [*(float(value) for value in rest.split()), 1.0])[:3]
    check_standing(body, {name: frame for name, frame in frames.items() if name != "base"}, markers)


def test_a_body_for_mujoco_stands_where_the_take_begins(second):
    body = articulate(ACTOR, second.take)
    frames, markers = {}, {}

    def walk(element, above):
        here = np.eye(4)
        here[:3, :3] = Rotation.from_quat(np.roll(values(element, "quat"), -1)).as_matrix()
        here[:3, 3] = values(element, "pos")
        frames[element.get("name")] = above @ here
        for site in element.findall("site"):
            markers[site.get("name")] = (above @ here @ [*values(site, "pos"), 1.0])[:3]
        for below in element.findall("body"):
            walk(below, above @ here)

    model = Xml.fromstring(mjcf(body))
    walk(model.find("worldbody/body"), np.eye(4))
    check_standing(body, frames, markers)
    assert len(model.findall(".//joint[@type='ball']")) == body.angles[1:].count(3)
    hinges = [values(joint, "axis") for joint in model.findall(".//joint[@type='hinge']")]
    assert len(hinges) == sum(count for count in body.angles[1:] if count < 3)
    np.testing.assert_allclose(np.linalg.norm(hinges, axis=1), 1.0, atol=1e-9)


def test_a_body_for_momentum_moves_and_grows_as_ours(second):
    """Its joints chained as Momentum chains them: a shift, then the rest, then turns about z, y and x."""
    body, random = articulate(ACTOR, second.take), np.random.default_rng(1)
    shape = rig(body, bundled().pose)
    check_standing(body, *chained(body, shape, np.zeros(len(shape.names))))
    parameters = random.normal(scale=0.3, size=len(shape.names))
    scales = np.array([name.startswith(SCALE) for name in shape.names])
    parameters[scales] = 0.0
    joints, markers = chained(body, shape, parameters)
    angles = parameters[None, 3 : len(ROOT_NAMES) + len(body.names)]
    motion = body.motion(angles, body.start + parameters[None, :3] / CM, 120.0)
    np.testing.assert_allclose([joints[name][:3, 3] for name in ACTOR.skeleton.joints], motion.forward()[0][0], atol=1e-6)
    np.testing.assert_allclose([markers[label] for label in body.actor.labels], body.actor.markers(motion)[0], atol=1e-6)
    parameters[shape.names.index(f"{SCALE}LeftLeg")] = 0.1
    longer, _ = chained(body, shape, parameters)
    shin = [np.linalg.norm(one["LeftFoot"][:3, 3] - one["LeftLeg"][:3, 3]) for one in (joints, longer)]
    assert shin[1] == pytest.approx(1.1 * shin[0])


def test_a_body_for_momentum_has_the_prior_s_limits(second):
    body, pose = articulate(ACTOR, second.take), bundled().pose
    shape = rig(body, pose)
    limits = {shape.names[parameter]: (least, greatest) for parameter, least, greatest in shape.limits}
    knee = np.flatnonzero(pose.joints_of == ACTOR.skeleton.joints.index("LeftLeg"))
    assert limits["LeftLeg_x"] == pytest.approx(tuple(pose.limits[:, knee[0]]))
    assert len(limits) == sum(np.isfinite(pose.limits).all(axis=0) & np.isin(pose.joints_of, np.flatnonzero(body.angles)))
    assert all(least < 0 < greatest for least, greatest in limits.values())


def chained(body, shape, parameters):
    """Joints {name: (4, 4)} on the actor's axes and markers {label: (3,)}, in metres, of parameters of a body for Momentum."""
    frames, numbers = [], (shape.transform @ parameters).reshape(-1, NUMBERS)
    for joint, parent in enumerate(body.actor.skeleton.parents):
        here = np.eye(4)
        turns = Rotation.from_euler("ZYX", numbers[joint, TURNS : TURNS + 3][::-1])
        here[:3, :3] = (Rotation.from_quat(shape.rests[joint]) * turns).as_matrix()
        here[:3, 3] = (shape.places[joint] + numbers[joint, :3]) / CM
        frames.append(here if parent < 0 else frames[parent] @ here)
    places = zip(body.actor.labels, body.actor.marker_joints, shape.offsets, strict=True)
    markers = {label: (frames[joint] @ [*(offset / CM), 1.0])[:3] for label, joint, offset in places}
    return dict(zip(body.actor.skeleton.joints, frames, strict=True)), markers


def values(element, name) -> list[float]:
    return [float(value) for value in element.get(name).split()]


def check_standing(body, frames, markers) -> None:
    """Joints {name: (4, 4)} and markers {label: (3,)} of a peer's body are those of the articulated actor at angles of 0."""
    motion = body.motion(np.zeros((1, 3 + len(body.names))), body.start[None], 120.0)
    np.testing.assert_allclose([frames[joint][:3, 3] for joint in body.actor.skeleton.joints], motion.forward()[0][0], atol=1e-6)
    np.testing.assert_allclose([markers[label] for label in body.actor.labels], body.actor.markers(motion)[0], atol=1e-6)


@pytest.fixture
def puppet(tmp_path) -> Contestant:
    """The puppet as a contestant: its Python knows one peer more."""
    python = tmp_path / "python"
    script = Path(__file__).with_name("puppet.py")
    python.write_text(f'#!/bin/sh\nshift 2\nexport PYTHONPATH="{PROJECT}"\nexec "{sys.executable}" "{script}" "$@"\n')
    python.chmod(0o755)
    return Contestant("puppet", "peer", python)


def test_a_peer_solves_in_a_process_of_its_own_and_is_scored(puppet, second, tmp_path):
    lacking = replace(second.take, labels=("unknown", *second.take.labels[1:]))
    short = replace(second.take, positions=second.take.positions[:1], residuals=second.take.residuals[:1])
    takes = (("a clean", second.take), ("b clean", second.take), ("a swaps", lacking), ("a Holden", short))
    cases = [Case(name, name[2:], replace(take, name=name), second.motion, second.markers, ACTOR, second.take) for name, take in takes]
    race.write_cases(cases, tmp_path)
    told: list[str] = []
    entry = race.race(puppet, "true", cases, tmp_path, tmp_path, told.append)
    assert (entry.error, entry.version, entry.slow) == (None, "1.0 of the puppet", True)
    assert entry.peak_mb > 10
    # the slow get one take of each condition
    assert told == ["a clean", "a swaps", "a Holden"]
    clean, swaps, failed = entry.lines
    assert clean.figures is not None
    assert clean.figures["jpe_mm"] < 1e-3
    assert clean.figures["mpe_mm"] < 1e-3
    assert clean.figures["unplaced_samples"] == 0
    # it is not asked about a label that the actor lacks, and has no place for it
    assert swaps.figures is not None
    assert swaps.figures["unplaced_samples"] == second.take.frames
    assert (failed.figures, failed.error) == (None, "A frame is no motion: take more.")
