# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hidden is exported all the same, and is hidden as before afterwards."""

from contextlib import contextmanager

import bpy
import numpy as np
import pytest

from .exported import START, heads, moving_character, read_anew, shown_at

KINDS = ["FBX", "GLB", "BVH", "USD"]
#: {way: how it hides a collection with the armature and its body}.
WAYS = {
    "H": lambda cast: [one.hide_set(True) for one in cast.objects],
    "monitor": lambda cast: [setattr(one, "hide_viewport", True) for one in cast.objects],
    "not selectable": lambda cast: [setattr(one, "hide_select", True) for one in cast.objects],
    "collection's eye": lambda cast: setattr(home_of(cast), "hide_viewport", True),
    "collection's monitor": lambda cast: setattr(cast, "hide_viewport", True),
    "collection's arrow": lambda cast: setattr(cast, "hide_select", True),
    "excluded": lambda cast: setattr(home_of(cast), "exclude", True),
    "all at once": lambda cast: [WAYS[way](cast) for way in WAYS if way not in ("all at once", "excluded")],
}


@pytest.fixture
def cast(ext, scene):
    """A collection of a character that moves and its body, with a collection in it that is excluded on its own; a marker is selected."""
    rig = moving_character(ext, scene)
    body = ext("operators.body").show_body(scene, rig)
    body.hide_select = False
    cast, within = bpy.data.collections.new("Cast"), bpy.data.collections.new("Within")
    scene.collection.children.link(cast)
    cast.children.link(within)
    for one in (rig, body):
        for each in one.users_collection:
            each.objects.unlink(one)
        cast.objects.link(one)
    home_of(within).exclude = True
    bpy.ops.object.select_all(action="DESELECT")
    bpy.data.objects["Marker"].select_set(True)
    bpy.context.view_layer.objects.active = bpy.data.objects["Marker"]
    return cast


def home_of(collection):
    return next(one for one in layer_collections(bpy.context.view_layer.layer_collection) if one.collection == collection)


def layer_collections(parent):
    return [parent, *(one for child in parent.children for one in layer_collections(child))]


def rig_and_body(cast):
    return sorted(cast.objects, key=lambda one: one.type)


def state():
    """All that says what is shown and selected."""
    layer = bpy.context.view_layer
    spaces = [area.spaces[0] for area in bpy.context.window_manager.windows[0].screen.areas]
    views = [space for space in spaces if space.type == "VIEW_3D" and space.local_view]
    return (
        [(one.name, one.exclude, one.hide_viewport, one.collection.hide_viewport) for one in layer_collections(layer.layer_collection)],
        [(one.name, one.hide_viewport, one.hide_select, [each.name for each in one.users_collection]) for one in bpy.data.objects],
        [(one.name, one.hide_get(), one.select_get(), one.visible_get(), *map(one.local_view_get, views)) for one in layer.objects],
        layer.objects.active,
        layer.active_layer_collection,
        [len(each) for each in (bpy.data.actions, bpy.data.collections, bpy.data.objects, bpy.data.scenes)],
        [each.animation_data.action for each in bpy.data.objects if each.animation_data],
        (bpy.context.scene.frame_current, bpy.context.scene.frame_start, bpy.context.scene.frame_end),
    )


def assert_arrives(kind, path, truth, names, meshes):
    rig = read_anew(kind, path)
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    for frame, wanted in truth.items():
        assert np.abs(heads(rig, names, shown_at(kind, frame, rate)) - wanted).max() < 1e-3, frame
    assert len([one for one in bpy.data.objects if one.find_armature() == rig]) == (meshes and kind != "BVH")


def moves(rig):
    """{frame of the file: where bones begin}."""
    names = [bone.name for bone in rig.pose.bones]
    truth = {frame: heads(rig, names, START + frame) for frame in (0, 9, 24)}
    bpy.context.scene.frame_set(START)
    return truth, names


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_hidden_arrives(ext, cast, tmp_path, kind, way):
    rig, _ = rig_and_body(cast)
    truth, names = moves(rig)
    WAYS[way](cast)
    before, path = state(), tmp_path / f"motion.{kind.lower()}"
    ext("operators.export").WRITERS[kind](path, rig, True)
    assert state() == before
    assert_arrives(kind, path, truth, names, meshes=True)


@pytest.mark.parametrize("kind", ["FBX", "GLB", "USD"])
def test_a_body_that_is_hidden_alone_arrives(ext, cast, tmp_path, kind):
    rig, body = rig_and_body(cast)
    truth, names = moves(rig)
    body.hide_set(True)
    path = tmp_path / f"motion.{kind.lower()}"
    ext("operators.export").WRITERS[kind](path, rig, True)
    assert body.hide_get()
    assert_arrives(kind, path, truth, names, meshes=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_another_scene_shows_arrives(ext, scene, cast, tmp_path, kind):
    rig, _ = rig_and_body(cast)
    truth, names = moves(rig)
    bpy.data.scenes.new("Other").collection.children.link(cast)
    scene.collection.children.unlink(cast)
    before, path = state(), tmp_path / f"motion.{kind.lower()}"
    ext("operators.export").WRITERS[kind](path, rig, True)
    assert state() == before
    assert_arrives(kind, path, truth, names, meshes=False)


@contextmanager
def local_view():
    """A viewport that shows what is selected and nothing else, as where an operator is called from its sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        assert bpy.ops.view3d.localview() == {"FINISHED"}
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_in_the_local_view_arrives(ext, cast, tmp_path, kind):
    rig, _ = rig_and_body(cast)
    truth, names = moves(rig)
    path = tmp_path / f"motion.{kind.lower()}"
    with local_view():
        before = state()
        assert not rig.visible_get()
        ext("operators.export").WRITERS[kind](path, rig, True)
        assert state() == before
    assert_arrives(kind, path, truth, names, meshes=True)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_hidden_again_where_the_file_cannot_be_written(ext, cast, tmp_path, kind):
    rig, _ = rig_and_body(cast)
    WAYS["all at once"](cast)
    WAYS["excluded"](cast)
    before, path = state(), tmp_path / f"motion.{kind.lower()}"
    path.mkdir()
    with pytest.raises((RuntimeError, ext("model.core.errors").BonesetterError)):
        ext("operators.export").WRITERS[kind](path, rig, True)
    assert state() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["keys", "a strip", "a driver"])
def test_what_its_animation_hides_arrives(ext, cast, tmp_path, kind, by):
    rig, body = rig_and_body(cast)
    truth, names = moves(rig)
    for one in (rig, body):
        if by == "a driver":
            one.driver_add("hide_viewport").driver.expression = "1"
            continue
        one.hide_viewport = True
        one.keyframe_insert("hide_viewport", frame=START)
        if by == "a strip":
            animation = one.animation_data
            action, slot = animation.action, animation.action_slot
            animation.nla_tracks.new().strips.new("Hidden", START, action).action_slot = slot
            animation.action = None
    bpy.context.scene.frame_set(START)
    before, path = state(), tmp_path / f"motion.{kind.lower()}"
    assert not rig.visible_get()
    ext("operators.export").WRITERS[kind](path, rig, True)
    assert state() == before
    bpy.context.scene.frame_set(START + 1)
    assert not rig.visible_get()
    assert_arrives(kind, path, truth, names, meshes=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_script_hides_is_refused(ext, cast, tmp_path, kind):
    rig, _ = rig_and_body(cast)

    def hide(*_arguments):
        rig.hide_viewport = True

    bpy.app.handlers.frame_change_post.append(hide)
    try:
        bpy.context.scene.frame_set(START)
        before = state()
        with pytest.raises(ext("model.core.errors").BonesetterError, match="Character stays hidden"):
            ext("operators.export").WRITERS[kind](tmp_path / "motion", rig, True)
        assert state() == before
    finally:
        bpy.app.handlers.frame_change_post.remove(hide)
    assert not list(tmp_path.iterdir())
