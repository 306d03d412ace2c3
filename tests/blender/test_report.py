# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about a take's last solve, which the engine writes and the take keeps."""

import json
import re
import zlib

import bpy
import pytest

from .drawing import drawn


@pytest.fixture
def solved(ext, scene, engine_python, synthetic_c3d):
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    take = scene.bonesetter.take
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take
    ext("operators.session").session.close()


def test_the_page_is_of_the_last_solve_and_outlives_the_file(ext, solved, tmp_path):
    path = tmp_path / "walk.html"
    assert "bonesetter.write_report Report..." in drawn(ext("ui.panel").BONESETTER_PT_result).buttons
    assert bpy.ops.bonesetter.write_report(filepath=str(path)) == {"FINISHED"}
    page = path.read_text(encoding="utf-8")
    assert f"<b>{solved.bonesetter.frames}</b>" in page
    assert f"<b>{solved.bonesetter.residual_mean:.1f} mm</b>" in page
    # it loads nothing, and is small in the .blend
    assert not re.search(r"""(?:src|href)=["']https?:""", page)
    assert len(solved[ext("operators.report").PAGE]) < 100_000
    blend, name = tmp_path / "walk.blend", solved.name
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    again = tmp_path / "again.html"
    assert bpy.ops.bonesetter.write_report(filepath=str(again)) == {"FINISHED"}
    assert again.read_text(encoding="utf-8") == page
    assert bpy.data.collections[name].bonesetter.solved


def test_another_solve_replaces_it_and_a_range_is_said(ext, scene, solved, tmp_path):
    report = ext("operators.report")
    before = report.page_of(solved)
    solved.bonesetter.rigid_tolerance = 5.0
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    after = report.page_of(solved)
    assert after != before
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 100, 150
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert report.page_of(solved) == after
    assert solved.bonesetter.solved_ranges == "100 to 150"
    assert bpy.ops.bonesetter.write_report(filepath=str(tmp_path / "range.html")) == {"FINISHED"}


def test_without_one_it_says_what_to_do(ext, scene, make_take, load, tmp_path):
    take = load(make_take())
    assert not bpy.ops.bonesetter.write_report.poll()
    report = ext("operators.report")
    for spoilt in (b"no page", zlib.compress(json.dumps("cut off").encode())[:-4]):
        take[report.PAGE] = spoilt
        with pytest.raises(RuntimeError, match="This take has no report: solve it again"):
            bpy.ops.bonesetter.write_report(filepath=str(tmp_path / "none.html"))
    assert not (tmp_path / "none.html").exists()
