# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported arrives in an empty Blender by its importers' defaults: upright, at the right rate, every frame in its place."""

from types import SimpleNamespace

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils.kdtree import KDTree

from .rigs_in_blender import made_rigs, to_armature

FRAMES, START = 25, 7


@pytest.fixture
def mover(ext, scene):
    """A character of Mixamo's names who turns and walks, away from the origin, in a scene at 60 Hz that begins at frame 7."""
    made = made_rigs(ext)
    rig = to_armature(scene, made.build(made.Made("Mixamo", 30, seed=2)), place=(0, 0, 0))
    scene.render.fps, scene.frame_start, scene.frame_end = 60, START, START + FRAMES - 1
    rng = np.random.default_rng(0)
    for bone in rig.pose.bones:
        axis = rng.normal(size=3)
        for frame in (START, START + 12, START + FRAMES - 1):
            bone.rotation_quaternion = (1, *(0.3 * rng.normal() * axis))
            bone.rotation_quaternion.normalize()
            bone.keyframe_insert("rotation_quaternion", frame=frame)
    for frame in (START, START + FRAMES - 1):
        rig.pose.bones["Hips"].location = rng.normal(size=3)
        rig.pose.bones["Hips"].keyframe_insert("location", frame=frame)
    # another action that must not come along
    other = bpy.data.objects.new("Marker", None)
    scene.collection.objects.link(other)
    other.keyframe_insert("location", frame=1)
    bpy.context.view_layer.objects.active = rig
    return rig


def heads(rig, names, frame):
    bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
    return np.array([rig.matrix_world @ rig.pose.bones[name].head for name in names])


def read_anew(kind, path):
    """An empty Blender that has imported a file by its importer's defaults; returns the armature."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    addon, read = importer(kind)
    if addon:
        addon_utils.enable(addon)
    read(filepath=str(path))
    (rig,) = (one for one in bpy.data.objects if one.type == "ARMATURE")
    return rig


def shown_at(kind, frame, rate):
    """The frame that shows an exported one: a glTF begins at second 0 and a USD at frame 0; the others' importers count from frame 1."""
    return {"GLB": frame * rate / 60, "USD": frame}.get(kind, frame + 1)


def importer(kind):
    if kind == "FBX":
        return "io_scene_fbx", bpy.ops.import_scene.fbx
    if kind == "GLB":
        return "io_scene_gltf2", bpy.ops.import_scene.gltf
    if kind == "USD":
        return None, bpy.ops.wm.usd_import
    return "io_anim_bvh", bpy.ops.import_anim.bvh


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


def vertices(body):
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(evaluated.data.vertices), dtype=np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    world = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]


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
