# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets are read without being run, and refused where they hold more than values."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.core.errors import BonesetterError
from model.storage.presets import MOST_BYTES, read_preset

ROOT = Path(__file__).resolve().parents[2]
USUAL = {"max_speed": 5.0, "keep": False, "kind": "t", "max_gap": 0.5}
HEAD = "import bpy\nsettings = bpy.context.scene.bonesetter\n\n"


@pytest.fixture
def preset(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "mine.py"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_what_blender_writes_is_read(preset):
    text = HEAD + "settings.max_speed = 3.0\nsettings.keep = True\nsettings.kind = 'a'\nsettings.max_gap = 1e-05\n"
    assert read_preset(preset(text), USUAL) == {"max_speed": 3.0, "keep": True, "kind": "a", "max_gap": 1e-5}
    # as Windows ends lines
    assert read_preset(preset(text.replace("\n", "\r\n")), USUAL) == read_preset(preset(text), USUAL)


@pytest.mark.parametrize("path", sorted((ROOT / "presets").rglob("*.py")), ids=lambda path: path.stem)
def test_bundled_presets_are_read(path):
    names = ("max_speed", "rigid_tolerance", "max_residual", "max_gap")
    assert tuple(read_preset(path, dict.fromkeys(names, 0.0))) == names


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("settings.max_speed = 3.0\n__import__('os').system('true')\n", "line 2 does more than set a value"),
        ("settings.max_speed = 3.0; import os\n", "line 1 does more"),
        ("settings.max_speed = print(1)\n", "line 1 does more"),
        ("settings.max_speed = 3.0 if open('x', 'w') else 1.0\n", "line 1 does more"),
        ("settings.kind = 'a' + 'b'\n", "line 1 does more"),
        ("settings.kind = '\\x41'\n", "line 1 does more"),
        ("settings.max_speed = 3.0 \\\n+ 1.0\n", "line 1 does more"),
        ('"""Says"""; import os\nsettings.max_speed = 3.0\n', "line 1 does more"),
        ("settings.max_speed = 3.0\n'''\nsettings.max_gap = 1.0\n'''\n", "line 2 does more"),
        ("settings.__class__ = 3.0\n", "line 1 sets __class__, which is none of them"),
        ("settings.max_speed.imag = 3.0\n", "line 1 does more"),
        ("bpy.context.scene.name = 'a'\n", "line 1 does more"),
        ("settings.max_speed = 1e999\n", "line 1 sets max_speed to what it cannot be"),
        ("op.max_speed = 3.0\n", "line 1 does more"),
        ("op = bpy.context.active_operator\nsettings.max_speed = 3.0\n", "line 1 does more"),
        ("settings.max_speed = 'fast'\n", "line 1 sets max_speed to what it cannot be"),
        ("settings.max_speed = " + "9" * 5000 + "\n", "line 1 does more"),
        ("import bpy\n", "it sets nothing"),
        ("", "it sets nothing"),
        (b"\xff\xfe\x00", "it is no text"),
        ("#" * (MOST_BYTES + 1), "it is larger than 64 kB"),
        ("(" * 60_000, "line 1 does more"),
    ],
)
def test_anything_else_is_one_sentence(preset, text, why):
    with pytest.raises(BonesetterError) as told:
        read_preset(preset(text), USUAL)
    assert why in str(told.value)
    assert str(told.value).startswith("mine.py is no preset of these options (")


def test_options_of_an_operator_are_of_their_choices(preset):
    usual = {"keys": ("KEYS", "SAMPLES"), "set_range": True}
    head = "import bpy\nop = bpy.context.active_operator\n\n"
    assert read_preset(preset(head + "op.keys = 'SAMPLES'\nop.set_range = False\n"), usual, "op") == {"keys": "SAMPLES", "set_range": False}
    for line in ("op.keys = 'BOTH'", "op.keys = True", "op.keys = 1", "op.set_range = 'True'", "op.set_range = 1"):
        with pytest.raises(BonesetterError, match=r"line 4 sets \w+ to what it cannot be"):
            read_preset(preset(head + line), usual, "op")
    for line in ("settings.keys = 'KEYS'", "op.filepath.keys = 'KEYS'", "op.keys = __import__('os').sep", "import os; op.keys = 'KEYS'"):
        with pytest.raises(BonesetterError, match="line 4 does more than set a value"):
            read_preset(preset(head + line), usual, "op")
    with pytest.raises(BonesetterError, match="line 4 sets filepath, which is none of them"):
        read_preset(preset(head + "op.filepath = '/etc/passwd'"), usual, "op")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(BonesetterError, match=r"gone\.py cannot be read \("):
        read_preset(tmp_path / "gone.py", USUAL)


@given(st.text(alphabet="settings.max_ped = 0123456789'\"\\()#;:\nTrueFalse", max_size=200))
def test_what_is_read_is_what_python_would_set(text):
    """Whatever is accepted means the same to Python; and what is accepted never calls anything."""
    import ast
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.py"
        path.write_text("settings.max_speed = 2.5\n" + text, encoding="utf-8")
        try:
            values = read_preset(path, USUAL)
        except BonesetterError:
            return
        tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {one.targets[0].attr: ast.literal_eval(one.value) for one in tree.body if isinstance(one, ast.Assign)}  # pyright: ignore
    assert values == told
