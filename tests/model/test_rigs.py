# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of every family, in rest poses, sizes and rotations of their own: recognised, and moved as the performer moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.core.rotations import rotvec_to_rotmat
from model.rigs.agreement import angles_deg, directions, footing_mm, of_retargeted
from model.rigs.channels import channels, eulers
from model.rigs.families import families, recognise
from model.rigs.figure import Anatomy, Performance
from model.rigs.retarget import retarget
from model.rigs.rig import PARTS, BoneMap
from model.rigs.shape import recognise_shape
from model.rigs.standing import FootContact

from .made_rigs import Made, quarter, rig_of

FAMILIES = [family.name for family in families()]
#: Rest poses, sizes and rotations that the families take in turns.
SHAPES = [
    (0.0, 1.0, 1.0, np.eye(3)),
    (45.0, 0.5, 1.15, quarter(0)),
    (20.0, 1.2, 0.9, quarter(2, 37.0)),
    (60.0, 1.0, 1.05, quarter(2, 180.0)),
]
RATE = 60.0


def made(name: str) -> Made:
    arms, height, legs, turn = SHAPES[FAMILIES.index(name) % len(SHAPES)]
    return Made(name, arms, height, legs, turn, seed=FAMILIES.index(name))


def perform(frames: int = 120, seed: int = 0, bend: float = 0.5) -> Performance:
    """A person of the CMU skeleton who sways, and bends and turns everything smoothly."""
    rig, bone_map = rig_of(Made("CMU"))
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / RATE
    deltas = np.empty((frames, len(rig.names), 3, 3))
    heads = np.empty((frames, len(rig.names), 3))
    for bone, parent in enumerate(rig.parents):
        waves = rng.normal(size=3) * np.sin(rng.uniform(1, 3) * time[:, None] + rng.uniform(0, 6))
        own = rotvec_to_rotmat(bend * waves)
        deltas[:, bone] = own if parent < 0 else deltas[:, parent] @ own
        offset = rig.heads[bone] - (rig.heads[parent] if parent >= 0 else 0)
        heads[:, bone] = offset + np.stack([0.3 * time, 0.1 * np.sin(time), 0.05 * np.sin(2 * time)], -1) * (parent < 0)
        if parent >= 0:
            heads[:, bone] = heads[:, parent] + deltas[:, parent] @ offset
    return Performance(rig, bone_map, deltas, heads, RATE)


def sway(frames: int = 120) -> tuple[Performance, list[FootContact]]:
    """The same person, who stands and slides about by 2 cm with straight limbs; both feet are said to stand for a second and a half."""
    rig, bone_map = rig_of(Made("CMU"))
    time = np.arange(frames)[:, None] / RATE
    moved = 0.02 * np.concatenate([np.sin(3 * time), np.sin(4 * time), -0.5 * np.ones_like(time)], axis=1)
    deltas = np.tile(np.eye(3), (frames, len(rig.names), 1, 1))
    contacts = [FootContact(side, part, 10, 100) for side in "LR" for part in ("heel", "ball")]
    return Performance(rig, bone_map, deltas, rig.heads + moved[:, None], RATE), contacts


def apart(performance: Performance, moved) -> dict[str, float]:
    source = Anatomy(performance.rig, performance.bone_map)
    heads = {part: performance.heads[:, chain[0]] for part, chain in source.chains.items() if chain}
    deltas = {part: performance.deltas[:, chain[-1]] for part, chain in source.chains.items() if chain}
    target = Anatomy(moved.rig, moved.bone_map)
    found = angles_deg(directions(source, heads, deltas), directions(target, *of_retargeted(moved)))
    return {part: float(angles.max()) for part, angles in found.items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_known_by_its_names(name):
    rig, bone_map = rig_of(made(name))
    found = recognise(rig)
    assert found is not None
    assert found.family == name
    assert dict(found.bones) == dict(bone_map.bones)
    assert found.root == bone_map.root


def test_names_may_begin_with_anything():
    rig, bone_map = rig_of(Made("Mixamo", names={name: f"mixamorig7:{name}" for name in rig_of(Made("Mixamo"))[0].names}))
    found = recognise(rig)
    assert found is not None
    assert (found.family, dict(found.bones)) == ("Mixamo", dict(bone_map.bones))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_body_is_known_by_its_shape_whatever_its_names(name):
    plain, bone_map = rig_of(made(name))
    nonsense = {bone: f"x{row * 7919 % 997}" for row, bone in enumerate(plain.names)}
    rig = rig_of(Made(**{**vars(made(name)), "names": nonsense}))[0]
    assert recognise(rig) is None
    found = recognise_shape(rig)
    assert found is not None
    for part in PARTS:
        # of several bones in one place, the hips are the one on which legs and spine hang
        wanted = [nonsense[bone] for bone in bone_map.bones.get(part, ())][-1 if part == "hips" else 0 :]
        assert list(found.bones.get(part, ())) == wanted, part


@pytest.mark.parametrize("name", FAMILIES)
def test_limbs_trunk_and_head_point_where_the_performers_do(name):
    performance = perform()
    rig, bone_map = rig_of(made(name))
    moved = retarget(performance, rig, bone_map)
    angles = apart(performance, moved)
    # feet that would go through the floor are lifted, and legs with them
    assert max(angle for part, angle in angles.items() if part.partition(".")[0] not in ("thigh", "shin")) < 0.01, angles


def test_legs_point_where_the_performers_do_where_no_foot_is_below_the_floor():
    performance = perform(bend=0.1)
    performance.heads[..., 2] += 0.3
    rig, bone_map = rig_of(made("Unreal mannequin"))
    assert max(apart(performance, retarget(performance, rig, bone_map)).values()) < 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_feet_that_stand_neither_slide_nor_leave_the_floor(name):
    performance, contacts = sway()
    shape = made(name)
    # on a rig that lies the floor is on its side: stand it up, as whoever imports it does
    rig, bone_map = rig_of(Made(**{**vars(shape), "turn": quarter(2, 37.0)}), origin=(0.3, -2.0, 0.0))
    moved = retarget(performance, rig, bone_map, contacts)
    slide, height = footing_mm({side: feet.soles for side, feet in moved.feet.items()}, moved.contacts, moved.floor)
    assert slide < 1.0
    assert height < 1.0
    assert len(moved.contacts) == 4


def test_hips_share_what_feet_that_stand_are_off_by():
    """The performer's feet slide by 4 cm while they stand: legs alone would turn by 2.4 degrees to hold them."""
    performance, contacts = sway()
    for legs in (0.8, 1.0, 1.3):
        rig, bone_map = rig_of(Made("Mixamo", 20, legs=legs))
        moved = retarget(performance, rig, bone_map, contacts)
        assert 0.1 < max(apart(performance, moved).values()) < 1.8
        assert footing_mm({side: feet.soles for side, feet in moved.feet.items()}, moved.contacts, moved.floor)[0] < 1.0


def test_the_hips_path_is_scaled_as_legs_are_long():
    performance = perform(bend=0.1)
    performance.heads[..., 2] += 0.3
    rig, bone_map = rig_of(Made("Mixamo", height=0.6, legs=1.2))
    moved = retarget(performance, rig, bone_map)
    assert moved.scale == pytest.approx(0.6 * 1.2, rel=0.01)
    thighs = [moved.chain(f"thigh.{side}")[0] for side in "LR"]
    own = [performance.rig.index[performance.bone_map.bones[f"thigh.{side}"][0]] for side in "LR"]
    went, wanted = moved.heads[:, thighs].mean(1), performance.heads[:, own].mean(1)
    np.testing.assert_allclose(np.diff(went, axis=0), moved.scale * np.diff(wanted, axis=0), atol=1e-9)


@pytest.mark.parametrize("without", [("clavicle",), ("toe",), ("neck",), ("clavicle", "toe", "hand")])
def test_parts_may_be_missing(without):
    performance = perform(bend=0.1)
    performance.heads[..., 2] += 0.3
    rig, bone_map = rig_of(Made("Mixamo", without=without))
    angles = apart(performance, retarget(performance, rig, bone_map))
    # of a last bone it is its end that counts, which a performer has elsewhere
    assert max(angle for part, angle in angles.items() if not ("hand" in without and "forearm" in part)) < 0.01


def test_a_rig_without_an_arm_is_refused():
    rig, bone_map = rig_of(Made("Mixamo"))
    lacking = BoneMap("Mixamo", {part: names for part, names in bone_map.bones.items() if part != "forearm.L"})
    with pytest.raises(BonesetterError, match=r"no bone for forearm\.L"):
        retarget(perform(), rig, lacking)
    doubled = BoneMap("Mixamo", {**bone_map.bones, "toe.L": ("LeftFoot",)})
    with pytest.raises(BonesetterError, match="LeftFoot"):
        retarget(perform(), rig, doubled)
    with pytest.raises(BonesetterError, match="Tail"):
        retarget(perform(), rig, BoneMap("Mixamo", {**bone_map.bones, "toe.L": ("Tail",)}))


def test_a_forearms_twist_is_shared_out():
    """A hand that is turned over takes a chain's last bone with it wholly, the first not, a single forearm half."""
    rig, bone_map = rig_of(Made("CMU"))
    deltas = np.tile(np.eye(3), (2, len(rig.names), 1, 1))
    over = rotvec_to_rotmat(np.array([1.2, 0.0, 0.0]))
    for name in ("LeftHand", "LeftFingerBase"):
        deltas[1, rig.index[name]] = over
    performance = Performance(rig, bone_map, deltas, np.tile(rig.heads, (2, 1, 1)), RATE)

    def turned(name: str, bone: str) -> float:
        moved = retarget(performance, *rig_of(Made(name)))
        row = next(row for row, each in enumerate(moved.keyed) if moved.rig.names[each.bone] == bone)
        return float(np.arccos((np.trace(moved.deltas[0, row].T @ moved.deltas[1, row]) - 1) / 2))

    assert turned("Mixamo", "LeftForeArm") == pytest.approx(0.6, abs=0.01)
    assert turned("Mixamo", "LeftHand") == pytest.approx(1.2, abs=0.01)
    assert turned("Daz Genesis 3 and 8", "lForearmBend") == pytest.approx(0.0, abs=0.01)
    assert turned("Daz Genesis 3 and 8", "lForearmTwist") == pytest.approx(1.2, abs=0.01)
    assert turned("Unreal mannequin", "lowerarm_l") == pytest.approx(0.0, abs=0.01)
    assert turned("Unreal mannequin", "lowerarm_twist_02_l") == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_euler_angles_are_the_rotation_and_do_not_jump(order):
    time = np.linspace(0, 12, 400)[:, None]
    rotations = rotvec_to_rotmat(np.concatenate([2.5 * np.sin(time), np.cos(1.7 * time), 2 * np.sin(0.6 * time)], axis=1))
    angles = eulers(rotations, order)
    whole = np.tile(np.eye(3), (len(time), 1, 1))
    for axis in ("XYZ".index(name) for name in order):
        whole = rotvec_to_rotmat(angles[:, axis, None] * np.eye(3)[axis]) @ whole
    np.testing.assert_allclose(whole, rotations, atol=1e-9)
    assert np.abs(np.diff(angles, axis=0)).max() < 2.0


def test_what_travels():
    performance = perform(bend=0.1)
    rig, bone_map = rig_of(Made("Unreal mannequin"))
    moved = retarget(performance, rig, bone_map)
    hips, root, place = (channels(moved, travel, 1.0) for travel in ("HIPS", "ROOT", "PLACE"))
    assert set(root.rotations) - set(hips.rotations) == {"root"}
    went = moved.heads[:, 0] - rig.heads[rig.index["pelvis"]]
    turn = rig.turns[rig.index["pelvis"]]
    np.testing.assert_allclose(hips.locations["pelvis"] @ turn.T, went, atol=1e-9)
    np.testing.assert_allclose((place.locations["pelvis"] @ turn.T)[:, 2], went[:, 2], atol=1e-9)
    assert np.abs((place.locations["pelvis"] @ turn.T)[:, :2]).max() < 1e-9
    on_floor = root.locations["root"] @ rig.turns[rig.index["root"]].T
    assert np.abs(on_floor[:, 2]).max() < 1e-9
    assert np.abs(on_floor[:, :2] - went[:, :2]).max() < 0.1


def test_a_character_that_stands_beside_the_actor_moves_there():
    """Its motion is that of one at the origin, moved by as much as its object is."""
    performance, contacts = sway()
    moves = [retarget(performance, *rig_of(Made("Mixamo", 30), origin=place), contacts) for place in ((0, 0, 0), (1.5, -2.0, 0.4))]
    np.testing.assert_allclose(moves[1].heads - moves[0].heads, np.broadcast_to([1.5, -2.0, 0.4], moves[0].heads.shape), atol=1e-9)
    np.testing.assert_allclose(moves[1].deltas, moves[0].deltas, atol=1e-9)


def played(moved, keyed, travel: str):
    """Deltas (frames, bones, 3, 3) and heads (frames, bones, 3) that channels make of a rig, by Blender's rules."""
    rig, frames = moved.rig, len(moved.deltas)
    deltas, heads = np.empty((frames, len(rig.names), 3, 3)), np.empty((frames, len(rig.names), 3))
    for bone, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
        above = deltas[:, parent] if parent >= 0 else np.eye(3)
        own = rig.turns[bone] @ keyed.rotations.get(name, np.eye(3)) @ rig.turns[bone].T
        deltas[:, bone] = own if bone in rig.free else above @ own
        axes = rig.turns[bone]
        if bone in rig.along_parent:
            axes = rig.turns[parent] if parent >= 0 else rig.axes
        from_parent = rig.heads[bone] - (rig.heads[parent] if parent >= 0 else rig.origin)
        way = from_parent + keyed.locations.get(name, np.zeros((frames, 3))) @ axes.T
        heads[:, bone] = np.einsum("...ab,...b->...a", above, way) + (heads[:, parent] if parent >= 0 else rig.origin)
    if travel == "OBJECT":
        turn = np.tile(np.eye(3), (frames, 1, 1))
        turn[:, 0, 0] = turn[:, 1, 1] = np.cos(keyed.headings)
        turn[:, 1, 0] = np.sin(keyed.headings)
        turn[:, 0, 1] = -turn[:, 1, 0]
        deltas = turn[:, None] @ deltas
        heads = np.einsum("fab,fjb->fja", turn, heads - rig.origin) + rig.origin + keyed.places[:, None]
    return deltas, heads


#: Bones that do not turn with their parents, and whose location is not along their own axes; clavicles and neck are passed over.
LOOSE = [
    (("upperarm_l", "upperarm_r", "head"), ()),
    (("pelvis", "spine_02", "thigh_l", "calf_r"), ()),
    (("clavicle_l", "neck_01"), ()),
    ((), ("pelvis",)),
    (("root", "pelvis", "hand_l", "clavicle_r"), ("root", "pelvis", "head")),
]


@pytest.mark.parametrize("travel", ["HIPS", "ROOT", "OBJECT"])
@pytest.mark.parametrize(("free", "along_parent"), LOOSE)
def test_bones_that_do_not_inherit_are_keyed_as_they_are_played(free, along_parent, travel):
    rig, whole = rig_of(Made("Unreal mannequin", 30, turn=quarter(2, 37.0)), origin=(0.3, -2.0, 0.0))
    rig = replace(rig, **{key: frozenset(map(rig.index.get, names)) for key, names in (("free", free), ("along_parent", along_parent))})
    bone_map = replace(
        whole, bones={part: names for part, names in whole.bones.items() if part.partition(".")[0] not in ("clavicle", "neck")}
    )
    performance = perform()
    moved = retarget(performance, rig, bone_map)
    deltas, heads = played(moved, channels(moved, travel, 1.0), travel)
    bones = [each.bone for each in moved.keyed]
    np.testing.assert_allclose(deltas[:, bones], moved.deltas, atol=1e-9)
    if travel != "OBJECT" or not {"clavicle_l", "clavicle_r", "neck_01"} & set(free):
        # what is passed over and does not turn is not known to turn with an object
        np.testing.assert_allclose(heads[:, bones], moved.heads, atol=1e-9)


def test_hips_below_a_bone_that_is_passed_over_and_does_not_turn():
    rig, whole = rig_of(Made("MikuMikuDance", 30))
    rig = replace(rig, free=frozenset([rig.index["グルーブ"]]), along_parent=frozenset([rig.index["下半身"]]))
    moved = retarget(perform(), rig, replace(whole, bones={**whole.bones, "hips": ("下半身",)}))
    deltas, heads = played(moved, channels(moved, "ROOT", 1.0), "ROOT")
    bones = [each.bone for each in moved.keyed]
    np.testing.assert_allclose(deltas[:, bones], moved.deltas, atol=1e-9)
    np.testing.assert_allclose(heads[:, bones], moved.heads, atol=1e-9)
