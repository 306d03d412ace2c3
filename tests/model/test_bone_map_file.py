# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps as files."""

from __future__ import annotations

import json

import pytest

from model.core.errors import BonesetterError
from model.rigs.bone_map_file import read_bone_map, write_bone_map
from model.rigs.rig import BoneMap, Switch

MAP = BoneMap(
    "手", {"hips": ("センター", "下半身"), "thigh.L": ("左足",)}, {"thigh.L": ("左足捩",)}, "全ての親", (Switch("左足ＩＫ", "IK", 0.0),)
)


def test_what_is_written_is_read(tmp_path):
    write_bone_map(MAP, tmp_path / "map.json")
    found = read_bone_map(tmp_path / "map.json")
    assert (found.family, dict(found.bones), dict(found.twists)) == (MAP.family, dict(MAP.bones), dict(MAP.twists))
    assert (found.root, found.switches) == (MAP.root, MAP.switches)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"version": 2},
        {"bones": {"tail": ["x"]}},
        {"bones": {"hips": [3]}},
        {"bones": ["hips"]},
        {"bones": {"hips": "Hips"}},
        {"bones": {"hips": {"Hips": 1}}},
        {"twists": {"thigh.L": None}},
        {"switches": [["a", "b", "on"]]},
        {"family": ""},
    ],
)
def test_what_is_no_bone_map_is_refused_in_one_sentence(tmp_path, change):
    write_bone_map(MAP, tmp_path / "map.json")
    document = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    (tmp_path / "map.json").write_text(json.dumps(document | change), encoding="utf-8")
    with pytest.raises(BonesetterError, match="is no bone map"):
        read_bone_map(tmp_path / "map.json")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_bone_map(tmp_path / "none.json")
