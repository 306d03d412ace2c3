# SPDX-License-Identifier: GPL-3.0-or-later
"""The body to look at: in the proportions and the pose of any rig, and moved by its bones alone."""

from __future__ import annotations

import numpy as np
import pytest

from model.core.rotations import rotvec_to_rotmat
from model.rigs.body import bone_groups, read_body, shaped, skinned
from model.rigs.families import families
from model.rigs.figure import Anatomy

from .made_rigs import Made, quarter, rig_of

FAMILIES = [family.name for family in families()]
LIMBS = ("upper_arm", "forearm", "thigh", "shin")


@pytest.mark.parametrize("name", FAMILIES)
def test_it_fits_every_family(name: str) -> None:
    """Limbs lie around their bones, feet stand on the floor, and every vertex is moved, in whole, by bones of the rig."""
    rig, bone_map = rig_of(Made(name, 40, height=0.8, legs=1.15, turn=quarter(2, 130), seed=4), origin=(3.0, 1.0, 0.2))
    target, body = Anatomy(rig, bone_map), read_body()
    points = shaped(body, target)
    assert np.isfinite(points).all()
    for column, part in enumerate(target.chains):
        if part.partition(".")[0] in LIMBS:
            own = points[body.weights[:, column] > 0.9]
            along = target.axes @ target.direction(part)
            off = own - target.head(part)
            away = np.linalg.norm(off - (off @ along)[:, None] * along, axis=1)
            assert away.max() < 0.14, part
            assert 0.3 < np.median(off @ along) / target.length(part) < 0.7, part
    assert points[:, 2].min() == pytest.approx(0.2, abs=0.01)
    groups = bone_groups(body, points, target)
    total = np.zeros(len(points))
    for bone, (rows, weights) in groups.items():
        assert bone in rig.index
        total[rows] += weights
    assert total.min() > 0.999
    assert total.max() < 1.001


def test_left_is_left_and_the_front_is_in_front() -> None:
    body = read_body()
    assert body.joints["hand.L"][0] > 0.2
    assert body.ends["toe.L"][1] < body.joints["foot.L"][1]
    # seen from outside, triangles go against the clock: the volume is positive, and that of a person of 1.66 m
    a, b, c = np.swapaxes(body.vertices[body.triangles], 0, 1)
    assert 0.045 < np.einsum("ta,ta->t", a, np.cross(b, c)).sum() / 6 < 0.085


def test_a_twisted_hand_twists_the_hand_alone() -> None:
    """What it is there for: the hand turns at the wrist, and the forearm above does not come along."""
    rig, bone_map = rig_of(Made("Mixamo"))
    target, body = Anatomy(rig, bone_map), read_body()
    points = shaped(body, target)
    groups = bone_groups(body, points, target)
    deltas = np.tile(np.eye(3), (len(rig.names), 1, 1))
    np.testing.assert_allclose(skinned(points, groups, rig, deltas, rig.heads), points, atol=1e-12)
    hand = [bone for bone, name in enumerate(rig.names) if name in bone_map.bones["hand.L"]]
    deltas[hand] = rotvec_to_rotmat(np.array([[np.pi / 2, 0, 0]]))
    moved = skinned(points, groups, rig, deltas, rig.heads)
    parts = list(target.chains)
    own, above = (body.weights[:, parts.index(part)] > 0.95 for part in ("hand.L", "upper_arm.L"))
    flat = points[own, 2].std(), points[own, 1].std()
    turned = moved[own, 2].std(), moved[own, 1].std()
    assert turned[0] == pytest.approx(flat[1], rel=0.05)
    assert turned[1] == pytest.approx(flat[0], rel=0.05)
    np.testing.assert_allclose(moved[above], points[above], atol=1e-12)


def test_bones_of_one_part_share_it() -> None:
    """Spine bones move what is beside them, and a twist bone what lies along it."""
    rig, bone_map = rig_of(Made("Unreal mannequin", 45))
    target, body = Anatomy(rig, bone_map), read_body()
    points = shaped(body, target)
    groups = bone_groups(body, points, target)
    spine = [groups[name] for name in bone_map.bones["spine"]]
    middles = [float((points[rows, 2] * weights).sum() / weights.sum()) for rows, weights in spine]
    assert middles == sorted(middles)
    assert len(middles) == len(bone_map.bones["spine"])
    along = target.axes @ target.direction("forearm.L")
    places = []
    for name in (*bone_map.bones["forearm.L"], *bone_map.twists["forearm.L"]):
        rows, weights = groups[name]
        places.append(float((weights @ (points[rows] - target.head("forearm.L")) @ along) / weights.sum()))
    assert places == sorted(places)
    assert places[-1] > 0.5 * target.length("forearm.L")


def test_without_neck_clavicles_hands_and_toes() -> None:
    rig, bone_map = rig_of(Made("Mixamo", without=("neck", "clavicle", "hand", "toe")))
    target, body = Anatomy(rig, bone_map), read_body()
    points = shaped(body, target)
    total = np.zeros(len(points))
    for rows, weights in bone_groups(body, points, target).values():
        total[rows] += weights
    assert total.min() > 0.999
