# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of the import's options: Blender's own kind of file, read and never run."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from tests.model.text_files import trc

OPERATOR = "BONESETTER_OT_import_c3d"
FOLDER = "operator/bonesetter.import_c3d"


@pytest.fixture
def dialog(scene, tmp_path):
    """The import's operator, and it for the one that is active, as while its dialog is open."""
    path = tmp_path / "walk.trc"
    path.write_text(trc(), encoding="utf-8")
    bpy.ops.bonesetter.import_c3d("EXEC_DEFAULT", True, filepath=str(path))
    operator = bpy.context.window_manager.operators[-1]
    with bpy.context.temp_override(active_operator=operator):
        yield operator


def kept(name: str) -> list[Path]:
    return [path for folder in bpy.utils.preset_paths(FOLDER) for path in Path(folder).glob(f"{name}.py")]


def options(operator, ext):
    return {name: getattr(operator, name) for name in ext("operators.import_presets").SHOWN}


def test_blender_offers_to_run_none(ext):
    for name in (name for name in dir(bpy.types) if name.startswith("BONESETTER_OT_")):
        assert "PRESET" not in getattr(getattr(bpy.types, name), "bl_options", ()), name
    panel = bpy.types.BONESETTER_PT_import_presets
    assert panel.preset_operator == "bonesetter.load_import_preset"
    assert ".xml" not in panel.preset_extensions


def test_what_blender_kept_is_read(dialog, ext):
    """Files of the menu that Blender drew for the import until now."""
    dialog.keys, dialog.set_range, dialog.up = "SAMPLES", False, "x"
    before = options(dialog, ext)
    assert bpy.ops.wm.operator_preset_add(name="Of Blender", operator=OPERATOR) == {"FINISHED"}
    (path,) = kept("Of_Blender")
    dialog.keys, dialog.set_range, dialog.up = "KEYS", True, "auto"
    assert bpy.ops.bonesetter.load_import_preset(filepath=str(path)) == {"FINISHED"}
    assert options(dialog, ext) == before
    path.unlink()


def test_the_plus_keeps_and_the_minus_removes(dialog, ext):
    dialog.gaps, dialog.rate, dialog.start = "HIDE", "KEEP", "FILE"
    before = options(dialog, ext)
    assert bpy.ops.bonesetter.add_import_preset(name="Ours") == {"FINISHED"}
    (path,) = kept("Ours")
    dialog.gaps, dialog.rate, dialog.start = "SHRINK", "AUTO", "ONE"
    assert bpy.ops.bonesetter.load_import_preset(filepath=str(path)) == {"FINISHED"}
    assert options(dialog, ext) == before
    assert bpy.ops.bonesetter.add_import_preset(name="Ours", remove_name=True) == {"FINISHED"}
    assert not kept("Ours")


def test_a_preset_that_would_run_is_one_sentence(dialog, ext, tmp_path):
    bad, mark = tmp_path / "Bad.py", tmp_path / "was here"
    before = options(dialog, ext)
    head = "import bpy\nop = bpy.context.active_operator\n\nop.keys = 'SAMPLES'\n"
    for line in (f"import os; os.system('touch {mark}')", f"open({str(mark)!r}, 'w')", f"op.up = exec('open({str(mark)!r}, 1)')"):
        bad.write_text(head + line + "\n")
        with pytest.raises(RuntimeError, match=r"Bad\.py is no preset of these options \(line 5 does more than set a value\)"):
            bpy.ops.bonesetter.load_import_preset(filepath=str(bad))
    for line in ("op.filepath = '/etc/passwd'", "op.again = True"):
        bad.write_text(head + line + "\n")
        with pytest.raises(RuntimeError, match=r"line 5 sets \w+, which is none of them"):
            bpy.ops.bonesetter.load_import_preset(filepath=str(bad))
    bad.write_text(head + "op.up = 'sideways'\n")
    with pytest.raises(RuntimeError, match="line 5 sets up to what it cannot be"):
        bpy.ops.bonesetter.load_import_preset(filepath=str(bad))
    assert not mark.exists()
    assert options(dialog, ext) == before


def test_without_the_dialog_there_is_nothing_to_set(scene, tmp_path):
    with bpy.context.temp_override(active_operator=None), pytest.raises(RuntimeError, match="poll"):
        bpy.ops.bonesetter.load_import_preset(filepath=str(tmp_path / "a.py"))
