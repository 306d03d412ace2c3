# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported arrives in an empty Blender by its importers' defaults: upright, at the right rate, every frame in its place."""

from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from mathutils.kdtree import KDTree

from .exported import FRAMES, START, heads, moving_character, read_anew, shown_at, vertices


@pytest.fixture
def mover(ext, scene):
    return moving_character(ext, scene)


@pytest.mark.parametrize("kind", ["FBX", "GLB", "BVH", "USD"])
def test_it_arrives(ext, mover, scene, tmp_path, kind):
    names = [bone.name for bone in mover.pose.bones]
    action, curves = mover.animation_data.action, len(bpy.data.actions)
    truth = [heads(mover, names, START + frame) for frame in range(FRAMES)]
    rest = np.array([mover.matrix_world @ bone.head_local for bone in mover.data.bones])
    path = tmp_path / f"motion.{kind.lower()}"
    assert bpy.ops.bonesetter.export_motion(filepath=str(path), kind=kind) == {"FINISHED"}
    assert (mover.animation_data.action, len(bpy.data.actions)) == (action, curves)
    assert (scene.frame_start, scene.frame_end) == (START, START + FRAMES - 1)
    text = tmp_path / "motion.usda"
    if kind == "USD":
        ext("operators.export").write_usd(text, mover)
    rig = read_anew(kind, path)
    assert len(bpy.data.actions) == 1
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    for frame, wanted in enumerate(truth):
        assert np.abs(heads(rig, names, shown_at(kind, frame, rate)) - wanted).max() < 1e-3, frame
    if kind == "USD":
        # Blender's importer leaves the scene's rate alone, and takes a time code for a frame
        told = text.read_text()
        assert "timeCodesPerSecond = 60\n" in told
        assert "startTimeCode = 0\n" in told
        assert f"endTimeCode = {FRAMES - 1}\n" in told
        assert 'upAxis = "Z"' in told
    if kind == "FBX":
        assert rate == pytest.approx(60)
    if kind == "BVH":
        assert "Frame Time: 0.016666667" in path.read_text()
    places = np.array([rig.matrix_world @ rig.data.bones[name].head_local for name in names])
    np.testing.assert_allclose(places - places[0], rest - rest[0], atol=1e-3)


@pytest.mark.parametrize("kind", ["FBX", "GLB", "USD"])
def test_its_body_comes_along_if_wanted(ext, mover, scene, tmp_path, kind):
    body = ext("operators.body").show_body(scene, mover)
    scene.frame_set(START + 12)
    wanted = vertices(body)
    scene.frame_set(START)
    path = tmp_path / f"motion.{kind.lower()}"
    assert bpy.ops.bonesetter.export_motion(filepath=str(path), kind=kind) == {"FINISHED"}
    bare = tmp_path / f"bare.{kind.lower()}"
    assert bpy.ops.bonesetter.export_motion(filepath=str(bare), kind=kind, meshes=False) == {"FINISHED"}
    assert body.hide_select
    rig = read_anew(kind, path)
    (mesh,) = (one for one in bpy.data.objects if one.find_armature() == rig)
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    frame = shown_at(kind, 12, rate)
    bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
    found = vertices(mesh)
    # exporters may split vertices, and never leave one out
    near = KDTree(len(found))
    for row, place in enumerate(found):
        near.insert(place, row)
    near.balance()
    assert max(near.find(place)[2] for place in wanted) < 2e-3
    rig = read_anew(kind, bare)
    assert not [one for one in bpy.data.objects if one.find_armature() == rig]


@pytest.mark.parametrize("kind", ["FBX", "GLB", "BVH", "USD"])
def test_what_plays_on_the_nla_arrives(mover, scene, tmp_path, kind):
    animation = mover.animation_data
    action, slot = animation.action, animation.action_slot
    strip = animation.nla_tracks.new().strips.new("Walk", START, action)
    strip.action_slot = slot
    animation.action = None
    names = [bone.name for bone in mover.pose.bones]
    truth = heads(mover, names, START + 9)
    path = tmp_path / f"motion.{kind.lower()}"
    assert bpy.ops.bonesetter.export_motion(filepath=str(path), kind=kind) == {"FINISHED"}
    assert animation.use_nla
    assert animation.action is None
    rig = read_anew(kind, path)
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    assert np.abs(heads(rig, names, shown_at(kind, 9, rate)) - truth).max() < 1e-3


def test_a_blender_without_usd_says_so(ext, mover, tmp_path, monkeypatch):
    """As those of some Linux distributions are built: its operator is not there."""
    built = SimpleNamespace(context=bpy.context, app=SimpleNamespace(build_options=SimpleNamespace(usd=False)), ops=bpy.ops)
    monkeypatch.setattr(ext("operators.export"), "bpy", built)
    with pytest.raises(ext("model.core.errors").BonesetterError, match="without USD"):
        ext("operators.export").write_usd(tmp_path / "walk.usd", mover)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["FBX", "GLB", "BVH", "USD"])
def test_tweak_mode_is_refused_and_left_alone(ext, mover, scene, tmp_path, kind):
    animation = mover.animation_data
    action, slot = animation.action, animation.action_slot
    strip = animation.nla_tracks.new().strips.new("Walk", START, action)
    strip.action_slot, strip.select = slot, True
    animation.action = None
    animation.use_tweak_mode = True
    before = len(bpy.data.actions), len(bpy.data.scenes), len(bpy.data.collections), animation.action, scene.frame_end
    with pytest.raises(RuntimeError, match=r"Error: A strip of Character is in tweak mode: leave it with Tab in the NLA editor first\.$"):
        bpy.ops.bonesetter.export_motion(filepath=str(tmp_path / "motion"), kind=kind)
    assert animation.use_tweak_mode
    assert animation.use_nla
    assert before == (len(bpy.data.actions), len(bpy.data.scenes), len(bpy.data.collections), animation.action, scene.frame_end)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["FBX", "GLB", "BVH", "USD"])
def test_a_file_that_cannot_be_written_is_one_sentence(mover, tmp_path, kind):
    path = tmp_path / f"motion.{kind.lower()}"
    path.mkdir()
    with pytest.raises(RuntimeError) as told:
        bpy.ops.bonesetter.export_motion(filepath=str(path), kind=kind)
    said = str(told.value).strip()
    assert said.startswith(f"Error: {path} cannot be written (")
    assert said.endswith((": choose another folder or format.", ": choose another folder or free some space."))
    assert said.count("cannot be written") == said.count("choose another") == 1
    assert not [word for word in ("Traceback", "Errno", "Error:", "Location", "\n") if word in said.removeprefix("Error: ")]


def test_a_file_in_no_folder_is_one_sentence(mover, tmp_path):
    path = tmp_path / "none" / "motion.fbx"
    with pytest.raises(RuntimeError, match=r"motion.fbx cannot be written \(No such file or directory\): choose another"):
        bpy.ops.bonesetter.export_motion(filepath=str(path), kind="FBX")
