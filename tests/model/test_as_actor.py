# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's own bones as the actor that a take is solved with."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.actor_file import read_actor, write_actor
from model.actors.prior import Prior
from model.core.errors import BonesetterError
from model.core.motion import Motion
from model.core.rotations import rotmat_to_unitquat, rotvec_to_rotmat
from model.core.take import FloatArray
from model.marker_sets.marker_set import MarkerSet
from model.rigs.as_actor import refitted, rig_actor
from model.rigs.figure import Anatomy
from model.rigs.rig import Rig

from .made_rigs import Made, quarter, rig_of

SHAPES = [
    Made("Mixamo", 30, 0.01, seed=1),
    Made("Unreal mannequin", 50, 1.2, 1.1, quarter(2, 130), seed=2, arms=1.1),
    Made("MikuMikuDance", 40, 0.08, seed=3),
    Made("VRM", 0, without=("clavicle", "neck", "toe"), seed=4),
    Made("Daz Genesis 3 and 8", 30, seed=5),
]


@pytest.fixture
def fitted(prior: Prior, marker_set: MarkerSet) -> Actor:
    return prior.mean_actor(prior.placement(marker_set, marker_set.labels))


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made.family)
def test_bones_keep_their_proportions_at_the_persons_size(made: Made, fitted: Actor, tmp_path: Path):
    rig, bone_map = rig_of(made)
    actor = rig_actor(rig, bone_map, fitted)
    names = {name for chain in bone_map.bones.values() for name in chain}
    assert set(actor.skeleton.joints) == names
    assert actor.skeleton.parents.count(-1) == 1
    places = actor.skeleton.zero_places
    own = np.array([rig.heads[rig.index[name]] for name in actor.skeleton.joints])
    ratio = np.linalg.norm(places[:, None] - places, axis=-1).sum() / np.linalg.norm(own[:, None] - own, axis=-1).sum()
    np.testing.assert_allclose(
        places - places[0], ratio * (own - own[0]) @ made.turn @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]), atol=1e-9
    )
    # feet on the floor to shoulders, whatever the rig's size
    assert 1.2 < np.ptp(places[:, 1]) < 1.9
    write_actor(actor, tmp_path / "rig.json")
    read = read_actor(tmp_path / "rig.json")
    assert read.skeleton.joints == actor.skeleton.joints
    np.testing.assert_allclose(read.marker_offsets, actor.marker_offsets, atol=1e-4)


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made.family)
def test_bones_end_where_the_body_goes_on(made: Made, fitted: Actor):
    """Tails of controls point anywhere, as of Rigify's `torso` to the back."""
    rig, bone_map = rig_of(made)
    away = replace(rig, tails=rig.heads + 3 * (rig.tails - rig.heads) @ quarter(0, 100))
    skeleton = rig_actor(away, bone_map, fitted).skeleton
    places = dict(zip(skeleton.joints, skeleton.zero_places, strict=True))
    ends = dict(zip(skeleton.joints, skeleton.zero_places + skeleton.bones, strict=True))
    for parts in (("hips", "spine", "neck", "head"), ("clavicle.L", "upper_arm.L", "forearm.L", "hand.L"), ("thigh.R", "shin.R", "foot.R")):
        line = [name for part in parts for name in bone_map.bones.get(part, ())]
        for bone, following in pairwise(line):
            if not np.allclose(places[bone], places[following]):
                np.testing.assert_allclose(ends[bone], places[following], atol=1e-9)


@pytest.mark.parametrize("made", SHAPES, ids=lambda made: made.family)
def test_markers_sit_where_they_sit_on_the_person(made: Made, fitted: Actor):
    """Those of knees and elbows beside the rig's own, those of the trunk in front and behind; all on their side."""
    rig, bone_map = rig_of(made)
    actor, body = rig_actor(rig, bone_map, fitted), Anatomy(rig, bone_map)
    joints, places = actor.skeleton.joints, actor.skeleton.zero_places
    markers = {
        label: places[actor.marker_joints[row]] + actor.marker_offsets[row] - places[joints.index(bone_map.bones["hips"][0])]
        for row, label in enumerate(actor.labels)
    }
    hips = places[joints.index(bone_map.bones["hips"][0])]
    for label, part in (("LKNE", "shin.L"), ("RKNE", "shin.R"), ("LELB", "forearm.L"), ("RELB", "forearm.R"), ("RANK", "foot.R")):
        joint = places[joints.index(rig.names[body.chains[part][0]])] - hips
        assert np.linalg.norm(markers[label] - joint) < 0.11, label
    assert markers["CLAV"][2] > markers["C7"][2] + 0.05
    for label in ("KNE", "ANK", "ELB", "SHO", "FWT"):
        assert markers[f"L{label}"][0] > 0.03
        assert markers[f"R{label}"][0] < -0.03


def test_markers_of_the_trunk_go_with_its_line_however_it_leans_at_rest(fitted: Actor):
    """A rest pose that leans ahead, and clavicles that begin in front, as Rigify's: the trunk is solved no more bent for it."""
    rig, bone_map = rig_of(Made("Mixamo", 30, seed=1))
    body = Anatomy(rig, bone_map)
    ahead, up = -body.axes[:, 1], body.axes[:, 2]
    above = np.maximum((rig.heads - body.hip_middle) @ up, 0.0)
    shoulder = 0.5 * (body.head("upper_arm.L") + body.head("upper_arm.R"))
    shift = 0.2 * above[:, None] * ahead
    clavicles = [rig.index[name] for side in "LR" for name in bone_map.bones[f"clavicle.{side}"]]
    shift[clavicles] += 0.15 * np.linalg.norm(shoulder - body.hip_middle) * ahead
    leaning = replace(rig, heads=rig.heads + shift, tails=rig.tails + shift)

    def beside_shoulder(shape: Rig, label: str) -> FloatArray:
        """On the body's axes in the rig's size, and about the shoulders."""
        actor = rig_actor(shape, bone_map, fitted)
        places, row = dict(zip(actor.skeleton.joints, actor.skeleton.zero_places, strict=True)), actor.labels.index(label)
        own = places[actor.skeleton.joints[actor.marker_joints[row]]] + actor.marker_offsets[row]
        return own - 0.5 * sum(places[bone_map.bones[f"upper_arm.{side}"][0]] for side in "LR")

    for label in ("C7", "CLAV", "LSHO", "RSHO"):
        assert np.linalg.norm(beside_shoulder(leaning, label) - beside_shoulder(rig, label)) < 0.04, label


def test_markers_are_put_where_a_solve_has_them(fitted: Actor):
    actor = rig_actor(*rig_of(Made("Mixamo", 30, seed=1)), fitted)
    rng = np.random.default_rng(3)
    turns = rotvec_to_rotmat(0.4 * rng.normal(size=(40, len(actor.skeleton.joints), 3)))
    motion = Motion(actor.skeleton, turns, rng.normal(size=(40, 3)), 60.0)
    positions, _ = motion.forward()
    markers = actor.markers(motion)
    markers[3:9, 5] = np.nan
    moved = replace(actor, marker_offsets=actor.marker_offsets + rng.normal(scale=0.05, size=actor.marker_offsets.shape))
    found = refitted(moved, actor.labels[:-1], markers[:, :-1], rotmat_to_unitquat(turns), positions)
    np.testing.assert_allclose(found.marker_offsets[:-1], actor.marker_offsets[:-1], atol=1e-9)
    np.testing.assert_array_equal(found.marker_offsets[-1], moved.marker_offsets[-1])


def test_an_actor_of_another_hierarchy_is_refused(fitted: Actor):
    rig, bone_map = rig_of(Made("Mixamo", seed=1))
    other = rig_actor(rig, bone_map, fitted)
    with pytest.raises(BonesetterError, match="without an actor"):
        rig_actor(rig, bone_map, other)
