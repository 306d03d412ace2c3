# SPDX-License-Identifier: GPL-3.0-or-later
"""Thresholds in the panel: each take's own, presets, and what they flag before a solve."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture
def preset(extension_folder):
    """Path of a preset that ships."""

    def path(name: str) -> str:
        (found,) = (extension_folder / "presets" / "bonesetter" / "noise_filter").glob(f"{name}.py")
        return str(found)

    return path


@pytest.fixture
def spiked(make_take, load):
    """A take with a sample that leaps away."""
    take = make_take(frames=60)
    take.positions[30, 1] += 0.5
    return load(take)


def test_a_threshold_shows_what_it_flags_without_a_solve(ext, scene, spiked):
    review_of = ext("operators.review").review_of
    review = review_of(scene, spiked)
    assert review.flagged.counts == {"residual": 0, "jump": 1, "rigid": 0}
    assert np.argwhere(review.flagged.any).tolist() == [[30, 1]]
    spiked.bonesetter.max_speed = 1e5
    assert sum(review_of(scene, spiked).flagged.counts.values()) == 0
    assert review_of(scene, spiked).preview is review.preview, "the markers are read again"


def test_a_marker_that_was_moved_is_looked_at_again(ext, scene, spiked):
    review_of, session = ext("operators.review").review_of, ext("operators.session").session
    assert review_of(scene, spiked).flagged.counts["jump"] == 1
    marker = list(ext("operators.takes").markers(spiked).values())[1]
    scene.frame_set(30)
    place = marker.location.copy()
    scene.frame_set(31)
    marker.location = place
    marker.keyframe_insert("location", frame=31)
    bpy.context.view_layer.update()
    # where reading the markers is slow, as on a busy machine, they are not read every time
    session.digests.clear()
    assert review_of(scene, spiked).flagged.counts["jump"] == 0


def test_each_take_has_thresholds_of_its_own(ext, scene, make_take, load):
    settings_of = ext("operators.properties").settings_of
    scene.bonesetter.max_speed = 4.0
    first, second = load(make_take(name="first")), load(make_take(name="second"))
    assert settings_of(first).max_speed == settings_of(second).max_speed == 4.0
    second.bonesetter.max_speed = 2.0
    assert settings_of(first).max_speed == 4.0
    second.bonesetter.smooth = 0.9
    assert bpy.ops.bonesetter.filter_all_takes() == {"FINISHED"}
    assert settings_of(first).max_speed == settings_of(scene).max_speed == 2.0
    assert settings_of(first).smooth == pytest.approx(0.3), "not a threshold"
    assert bpy.ops.bonesetter.reset_filter() == {"FINISHED"}
    assert (settings_of(second).max_speed, settings_of(first).max_speed) == (5.0, 2.0)


def test_presets_are_for_the_take(ext, scene, spiked, preset):
    settings_of, review_of = ext("operators.properties").settings_of, ext("operators.review").review_of
    bpy.ops.bonesetter.load_filter_preset(filepath=preset("No_filter"))
    assert sum(review_of(scene, spiked).flagged.counts.values()) == 0
    bpy.ops.bonesetter.load_filter_preset(filepath=preset("Clean_studio"))
    assert settings_of(spiked) == ext("model.core.settings").Settings()


def test_every_preset_sets_every_threshold(ext, scene, extension_folder):
    properties = ext("operators.properties")
    presets = sorted((extension_folder / "presets" / "bonesetter" / "noise_filter").glob("*.py"))
    assert len(presets) == 4
    for path in presets:
        for name in properties.THRESHOLDS:
            setattr(scene.bonesetter, name, 1234.5)
        bpy.ops.bonesetter.load_filter_preset(filepath=str(path))
        assert all(getattr(scene.bonesetter, name) != 1234.5 for name in properties.THRESHOLDS), path.name


def test_a_preset_of_ones_own(ext, scene, spiked):
    spiked.bonesetter.rigid_tolerance = 33.0
    assert bpy.ops.bonesetter.add_filter_preset(name="Ours") == {"FINISHED"}
    folders = bpy.utils.preset_paths("bonesetter/noise_filter")
    (mine,) = (path for folder in folders for path in Path(folder).glob("Ours.py"))
    bpy.ops.bonesetter.reset_filter()
    bpy.ops.bonesetter.load_filter_preset(filepath=str(mine))
    assert spiked.bonesetter.rigid_tolerance == 33.0
    assert bpy.ops.bonesetter.add_filter_preset(name="Ours", remove_name=True) == {"FINISHED"}
    assert not mine.exists()


def test_a_preset_that_does_more_than_set_values_is_one_sentence(ext, scene, spiked, tmp_path):
    bad, mark = tmp_path / "Bad.py", tmp_path / "was here"
    bad.write_text(f"import bpy\nsettings = bpy.context.scene.bonesetter\nsettings.max_speed = 1.0\nopen({str(mark)!r}, 'w')\n")
    with pytest.raises(RuntimeError, match=r"Bad\.py is no preset of these options \(line 4 does more than set a value\)"):
        bpy.ops.bonesetter.load_filter_preset(filepath=str(bad))
    assert not mark.exists()
    assert (scene.bonesetter.max_speed, spiked.bonesetter.max_speed) == (5.0, 5.0)


def test_the_menus_read_presets_and_run_none(ext, scene):
    for menu in (bpy.types.BONESETTER_MT_filter_presets, bpy.types.BONESETTER_PT_filter_presets):
        assert menu.preset_operator == "bonesetter.load_filter_preset"
        assert ".xml" not in menu.preset_extensions
