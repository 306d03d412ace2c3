# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of markers imported as empties: their keys, the scene's rate and range, what is refused."""

import bpy
import numpy as np
import pytest

from tests.model.text_files import motive, qualisys, trc

from .scene_takes import same, where


@pytest.mark.parametrize("keys", ["KEYS", "SAMPLES"])
def test_markers_play_where_the_file_has_them(ext, scene, load, with_gaps, keys):
    scene.unit_settings.scale_length = 0.01
    empties = ext("operators.takes").markers(load(with_gaps, keys=keys, gaps="HOLD"))
    for sample in (0, 4, 9, 29):
        for index, marker in enumerate(empties.values()):
            if np.isfinite(with_gaps.positions[sample, index, 0]):
                np.testing.assert_allclose(where(marker, sample + 1), with_gaps.positions[sample, index] * 100, atol=1e-4)
    first = empties[with_gaps.labels[0]]
    np.testing.assert_allclose(where(first, 7), with_gaps.positions[4, 0] * 100, atol=1e-4, err_msg="a gap must hold, not drift")


def test_gaps_are_hidden_and_marked(ext, load, with_gaps):
    empties = ext("operators.takes").markers(load(with_gaps, gaps="HIDE"))
    for sample in range(30):
        bpy.context.scene.frame_set(sample + 1)
        for index, marker in enumerate(empties.values()):
            missing = not np.isfinite(with_gaps.positions[sample, index, 0])
            assert (marker.hide_viewport, marker.hide_render, bool(marker["gap"])) == (missing, missing, missing)


def test_held_gaps_are_marked_only(ext, load, with_gaps):
    marker = next(iter(ext("operators.takes").markers(load(with_gaps, gaps="HOLD")).values()))
    bpy.context.scene.frame_set(7)
    assert (marker.hide_viewport, marker["gap"]) == (False, 1)


def test_one_action_with_a_slot_each(load, make_take):
    collection = load(make_take())
    actions = {marker.animation_data.action for marker in collection.all_objects}
    assert len(actions) == 1
    assert len(actions.pop().slots) == len(collection.all_objects) == 3
    assert len({marker.animation_data.action_slot.identifier for marker in collection.all_objects}) == 3


def test_keys_are_linear_and_editable(ext, load, make_take):
    keyed = ext("operators.keyframes").bound_channelbag(load(make_take(), keys="KEYS").all_objects[0]).fcurves[0]
    assert {key.interpolation for key in keyed.keyframe_points} == {"LINEAR"}
    assert len(keyed.keyframe_points) == 20
    sampled = ext("operators.keyframes").bound_channelbag(load(make_take(), keys="SAMPLES").all_objects[0]).fcurves[0]
    assert (len(sampled.sampled_points), len(sampled.keyframe_points)) == (20, 0)


@pytest.mark.parametrize("rate", [120.0, 175.0, 59.94, 23.976, 99.5])
def test_scene_plays_at_the_takes_rate(scene, load, make_take, rate):
    load(make_take(rate_hz=rate))
    assert scene.render.fps / scene.render.fps_base == pytest.approx(rate, rel=1e-6)
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 20, 1)


@pytest.mark.parametrize("keys", ["KEYS", "SAMPLES"])
def test_kept_scene_rate_retimes(ext, scene, load, make_take, keys):
    scene.render.fps, scene.render.fps_base = 24, 1.0
    take = make_take(frames=200, rate_hz=120.0)
    collection = load(take, rate="KEEP", keys=keys)
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (24, 1, 41)
    np.testing.assert_allclose(where(collection.all_objects[0], 1 + 100 / 5), take.positions[100, 0], atol=1e-5)
    same(ext("operators.gather").gather_take(scene, collection), take)


def test_first_frame_of_the_file(scene, load, make_take):
    load(make_take(first_frame=2925), start="FILE")
    assert (scene.frame_start, scene.frame_end) == (2925, 2944)


def test_range_may_be_left_alone(scene, load, make_take):
    scene.frame_start, scene.frame_end = 7, 9
    load(make_take(), set_range=False)
    assert (scene.frame_start, scene.frame_end) == (7, 9)


def test_several_files_at_once(scene, write, make_take, tmp_path):
    write(make_take(name="one", rate_hz=100.0))
    write(make_take(name="two", rate_hz=50.0))
    files = [{"name": "one.c3d"}, {"name": "two.c3d"}, {"name": "gone.c3d"}]
    assert bpy.ops.bonesetter.import_c3d(directory=str(tmp_path), files=files) == {"FINISHED"}
    assert {collection.name for collection in scene.collection.children} == {"one", "two"}
    assert scene.render.fps == 100
    assert scene.frame_end == 39  # 20 samples at 50 Hz, seen at 100


@pytest.mark.parametrize(("name", "content"), [("a.trc", trc()), ("b.csv", motive()), ("c.tsv", qualisys())])
def test_other_formats_stand_upright_as_a_c3d_does(scene, ext, tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert bpy.ops.bonesetter.import_c3d(filepath=str(path)) == {"FINISHED"}
    (collection,) = scene.collection.children
    scene.frame_set(3)
    heads = [marker for marker in collection.all_objects if marker.name.startswith(("LFHD", "LTOE"))]
    places = {marker.name: marker.matrix_world.translation for marker in heads}
    np.testing.assert_allclose(sorted(place.z for place in places.values()), [0.04, 1.7], atol=1e-5)
    take = ext("operators.gather").gather_take(scene, collection)
    assert (take.source, take.rate_hz) == (path, 100.0)


def test_dialog_and_drop_offer_every_format_that_is_read(ext):
    suffixes = list(ext("model.files.readers").READERS)
    assert bpy.types.BONESETTER_FH_c3d.bl_file_extensions.split(";") == suffixes
    shown = bpy.ops.bonesetter.import_c3d.get_rna_type().properties["filter_glob"].default
    assert shown.split(";") == [f"*{suffix}" for suffix in suffixes]


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_bad_files_are_reported(tmp_path, content):
    path = tmp_path / "bad.c3d"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match=r"bad\.c3d"):
        bpy.ops.bonesetter.import_c3d(filepath=str(path))
    assert not bpy.data.objects


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(RuntimeError, match=r"choose a \.c3d file"):
        bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / "gone.c3d"))


def test_undo_and_redo(load, make_take):
    bpy.ops.ed.undo_push(message="Before")
    load(make_take())
    bpy.ops.ed.undo_push(message="Import")
    bpy.ops.ed.undo()
    assert (len(bpy.data.objects), len(bpy.data.actions)) == (0, 0)
    bpy.ops.ed.redo()
    assert len(bpy.data.objects) == 3


def test_import_takes_no_steps_for_each_frame(scene, write, make_take, steps):
    paths = [write(make_take(name=f"walk{frames}", frames=frames)) for frames in (30, 400, 4000)]
    counted = [steps(lambda path=path: bpy.ops.bonesetter.import_c3d(filepath=str(path))) for path in paths]
    assert counted[1] > 100, "the operator is counted"
    assert counted[2] < 1.2 * counted[1]


def animate_a_cube():
    cube = bpy.data.objects.new("Cube", None)
    bpy.context.scene.collection.objects.link(cube)
    cube.keyframe_insert("location", frame=1)
    cube.keyframe_insert("location", frame=48)


def test_what_is_animated_already_keeps_its_rate_and_range(ext, scene, load, make_take):
    animate_a_cube()
    scene.render.fps, scene.render.fps_base = 24, 1.0
    scene.frame_start, scene.frame_end, scene.frame_current = 1, 48, 13
    collection = load(make_take(frames=301))
    assert (scene.render.fps, scene.render.fps_base) == (24, 1.0)
    # 3 s at 24 fps; the range grows, the current frame stays
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 73, 13)
    timing = ext("operators.takes").timing_of(collection)
    assert timing.frames[-1] == pytest.approx(73.0)
    short = load(make_take(frames=11, name="short"))
    assert scene.frame_end == 73
    assert short.bonesetter.frame_step == pytest.approx(0.24)


def test_the_rate_may_be_set_all_the_same(scene, load, make_take):
    animate_a_cube()
    load(make_take(), rate="SCENE_FROM_TAKE")
    assert scene.render.fps / scene.render.fps_base == pytest.approx(100.0)


def test_takes_of_several_rates_keep_their_speed(ext, scene, make_take, tmp_path):
    """The first sets the rate of an empty scene, the others are retimed."""
    for name, rate in (("a", 100.0), ("b", 50.0), ("c", 240.0)):
        ext("model.files.c3d_writer").write_c3d(make_take(name=name, frames=101, rate_hz=rate), tmp_path / f"{name}.c3d")
    files = [{"name": f"{name}.c3d"} for name in "abc"]
    bpy.ops.bonesetter.import_c3d(directory=f"{tmp_path}/", files=files)
    lasts = [ext("operators.takes").timing_of(bpy.data.collections[name]).frames[-1] for name in "abc"]
    assert lasts == pytest.approx([101.0, 201.0, 1 + 100 * 100 / 240])
    assert scene.frame_end == 201


def test_an_import_that_fails_leaves_nothing(ext, scene, make_take, tmp_path, monkeypatch):
    module = ext("operators.empties")
    ext("model.files.c3d_writer").write_c3d(make_take(rate_hz=60.0), tmp_path / "a.c3d")

    def fails(*_arguments):
        raise TypeError("as Blender does of a name that is no text")

    scene.render.fps, scene.render.fps_base = 24, 1.0
    monkeypatch.setattr(module, "key_gaps", fails)
    with pytest.raises((TypeError, RuntimeError)):
        bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / "a.c3d"))
    assert not bpy.data.collections
    assert not bpy.data.objects
    assert not bpy.data.actions
    assert (scene.render.fps, scene.render.fps_base) == (24, 1.0)
    assert scene.bonesetter.take is None


def test_markers_have_a_collection_of_their_own(ext, load, make_take):
    collection = load(make_take())
    (home,) = collection.children
    assert sorted(home.objects.keys()) == sorted(ext("operators.takes").markers(collection))
    assert not list(collection.objects)


def test_a_marker_in_a_gap_is_small_and_can_be_selected(ext, scene, load, with_gaps):
    collection = load(with_gaps)
    marker = ext("operators.takes").markers(collection)[with_gaps.labels[0]]
    sizes = []
    for frame in (5, 7, 10):
        scene.frame_set(frame)
        sizes.append(marker.evaluated_get(bpy.context.evaluated_depsgraph_get()).empty_display_size)
        assert marker.visible_get()
    assert sizes[1] < 0.5 * sizes[0]
    assert sizes[2] == sizes[0]


def test_the_same_file_twice_is_said(ext, load, make_take, capfd):
    take = make_take()
    load(take)
    again = load(take)
    assert again.name == "walk.001"
    assert "walk.c3d is in the scene already, as walk: it was imported once more." in capfd.readouterr().out


def test_the_import_becomes_the_take_to_work_on(ext, load, make_take):
    takes = ext("operators.takes")
    first = load(make_take())
    second = load(make_take(name="second"))
    assert takes.active_take(bpy.context) == second
    assert {one.name for one in bpy.context.selected_objects} == {one.name for one in takes.markers(second).values()}
    bpy.ops.bonesetter.choose_take(take=first.session_uid)
    assert takes.active_take(bpy.context) == first
    assert bpy.context.object.name in first.all_objects
    bpy.context.view_layer.objects.active = None
    bpy.context.view_layer.active_layer_collection = bpy.context.view_layer.layer_collection
    assert takes.active_take(bpy.context) == first


def test_exporting_with_defaults_plays_no_markers_on_an_armature(ext, scene, load, make_take, tmp_path):
    """Blender's FBX exporter plays every action on every object on which all of its paths exist."""
    collection = load(make_take())
    armature = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    collection.objects.link(armature)
    armature.keyframe_insert("rotation_euler", frame=1)
    armature.keyframe_insert("rotation_euler", frame=20)
    import addon_utils

    addon_utils.enable("io_scene_fbx")
    for one in scene.objects:
        one.select_set(one == armature)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "a.fbx"), use_selection=True)
    before = set(bpy.data.actions)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "a.fbx"))
    assert len(set(bpy.data.actions) - before) == 1


def test_the_scene_goes_to_a_take_that_would_stand_still(scene, make_take, load):
    load(make_take(frames=200, name="long"))
    scene.frame_set(150)
    load(make_take(frames=20, name="short"))
    assert scene.frame_current == 1, "behind its end nothing of it moves"
    scene.frame_set(10)
    load(make_take(frames=20, name="another"))
    assert scene.frame_current == 10, "in it the user's frame stays"


def test_other_takes_are_dimmed_hidden_or_shown_and_back(ext, scene, make_take, load):
    takes, view = ext("operators.takes"), bpy.context.view_layer
    first, second = load(make_take(name="first")), load(make_take(name="second"))
    rig = first.bonesetter.armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    first.objects.link(rig)

    def seen(take):
        return next(iter(takes.markers(take).values())).visible_get(), takes.layer_collection(view.layer_collection, take).visible_get()

    assert (seen(first), seen(second)) == ((False, True), (True, True)), "dimmed unless chosen otherwise"
    assert bpy.ops.bonesetter.choose_take(take=first.session_uid) == {"FINISHED"}
    assert (seen(first), seen(second)) == ((True, True), (False, True))
    assert bpy.ops.bonesetter.choose_take(take=second.session_uid) == {"FINISHED"}
    assert rig.display_type == "WIRE"
    scene.bonesetter.others = "HIDE"
    assert (seen(first), seen(second)) == ((False, False), (True, True))
    assert bpy.ops.bonesetter.choose_take(take=first.session_uid) == {"FINISHED"}
    assert (seen(first), seen(second)) == ((True, True), (False, False))
    assert takes.active_take(bpy.context) == first
    assert rig.display_type == "TEXTURED"
    scene.bonesetter.others = "SHOW"
    assert (seen(first), seen(second)) == ((True, True), (True, True))


def test_what_the_user_hid_stays_hidden(ext, scene, make_take, load):
    first = load(make_take(name="first"))
    scene.bonesetter.others = "SHOW"
    home = ext("operators.takes").layer_collection(bpy.context.view_layer.layer_collection, first)
    home.hide_viewport = True
    load(make_take(name="second"))
    assert home.hide_viewport


def test_an_untouched_startup_scene_s_cube_is_hidden(ext, write, make_take, tmp_path):
    """It stands where people do; whoever touched the scene, or saved it, keeps it in sight."""
    path = str(write(make_take()))
    for touched in (False, True):
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        cube = bpy.data.objects["Cube"]
        if touched:
            cube.location.x = 1.0
            bpy.context.view_layer.update()
        assert bpy.ops.bonesetter.import_c3d(filepath=path) == {"FINISHED"}
        assert bpy.data.objects["Cube"].hide_get() != touched
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "own.blend"))
    assert bpy.ops.bonesetter.import_c3d(filepath=path) == {"FINISHED"}
    assert not bpy.data.objects["Cube"].hide_get()
