# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs and feet as rigs of real characters have them: bent at rest, several toes, feet that end before their toes begin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.rigs.families import recognise
from model.rigs.figure import Anatomy
from model.rigs.retarget import retarget
from model.rigs.rig import BoneMap, Rig
from model.rigs.standing import rest_floor, rest_soles

from .made_rigs import Made, rig_of
from .test_rigs import apart, perform

MAKEHUMAN = "MakeHuman"


def with_toes(rig: Rig, toes: dict[str, np.ndarray]) -> Rig:
    """A rig whose feet have bones {name: head of the left one} ahead, those on the right mirrored, and no others there."""
    kept = [bone for bone, name in enumerate(rig.names) if not name.startswith("toe")]
    names = [rig.names[bone] for bone in kept]
    parents = [kept.index(rig.parents[bone]) if rig.parents[bone] >= 0 else -1 for bone in kept]
    heads, tails = list(rig.heads[kept]), list(rig.tails[kept])
    for side, mirror in (("L", 1.0), ("R", -1.0)):
        for name, head in toes.items():
            names.append(f"{name}.{side}")
            parents.append(names.index(f"foot.{side}"))
            heads.append(head * [mirror, 1, 1])
            tails.append((head + np.array([0, -0.03, -0.01])) * [mirror, 1, 1])
    turns = np.concatenate([rig.turns[kept], np.tile(np.eye(3), (len(names) - len(kept), 1, 1))])
    return Rig(tuple(names), tuple(parents), np.array(heads), np.array(tails), turns)


@pytest.mark.parametrize("limb", ["upperleg02", "lowerleg02", "upperarm02", "lowerarm02"])
def test_a_limb_that_is_bent_at_rest_points_as_the_performers_does(limb):
    """Its bones share the twist, each about the axis from joint to joint, so that where they meet goes round that axis."""
    performance = perform(bend=0.3)
    performance.heads[..., 2] += 0.3
    rig, bone_map = rig_of(Made(MAKEHUMAN, 45))
    heads = rig.heads.copy()
    for side in "LR":
        heads[rig.index[f"{limb}.{side}"]] += [0.0, 0.03, 0.01]
    bent = dataclasses.replace(rig, heads=heads)
    assert max(apart(performance, retarget(performance, bent, bone_map)).values()) < 0.01


def test_a_foot_without_a_mapped_toe_stands_on_the_bases_of_its_toes():
    """A foot bone may end half way along the foot: its ball is where toes begin, and the floor below their tips."""
    rig = rig_of(Made(MAKEHUMAN))[0]
    toes = {"a": np.array([0.1, -0.12, 0.02]), "b": np.array([0.14, -0.11, 0.02])}
    rig = with_toes(rig, toes)
    foot = rig.index["foot.L"]
    tails = rig.tails.copy()
    tails[foot] = tails[rig.index["foot.R"]] = rig.heads[foot] + [0.0, -0.06, -0.03]
    tails[rig.index["foot.R"], 0] *= -1
    rig = dataclasses.replace(rig, tails=tails, origin=np.array([0.0, 0.0, 0.9]))
    found = recognise(rig)
    assert found is not None
    body = Anatomy(rig, found)
    assert not body.has("toe.L")
    assert rest_floor(body) == pytest.approx(0.01)
    np.testing.assert_allclose(rest_soles(body, "L")[1], [0.12, -0.115, 0.01], atol=1e-9)


def test_all_toes_of_a_foot_bend_as_the_performers_toe():
    performance = perform(bend=0.3)
    performance.heads[..., 2] += 0.3
    rig, bone_map = rig_of(Made(MAKEHUMAN))
    moved = retarget(performance, rig, bone_map)
    rows = moved.rows("toe.L")
    assert [moved.rig.names[moved.keyed[row].bone] for row in rows] == [f"toe{toe}-1.L" for toe in (3, 1, 2, 4, 5)]
    np.testing.assert_allclose(moved.deltas[:, rows], np.repeat(moved.deltas[:, rows[:1]], 5, axis=1), atol=1e-9)
    foot = moved.deltas[:, moved.chain("foot.L")[0]]
    assert np.abs(moved.deltas[:, rows[0]] - foot).max() > 0.05


def test_one_toe_of_a_family_with_five_is_the_toe():
    rig = with_toes(rig_of(Made(MAKEHUMAN))[0], {"toe1-1": np.array([0.11, -0.12, 0.02])})
    found = recognise(rig)
    assert found is not None
    assert (found.family, found.bones["toe.L"], dict(found.twists)) == (MAKEHUMAN, ("toe1-1.L",), {})
    BoneMap(found.family, found.bones, found.twists).check(rig)
