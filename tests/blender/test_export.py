# SPDX-License-Identifier: GPL-3.0-or-later
"""What is exported arrives in an empty Blender by its importers' defaults: upright, at the right rate, every frame in its place."""

import addon_utils
import bpy
import numpy as np
import pytest

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


def importer(kind):
    if kind == "FBX":
        return "io_scene_fbx", bpy.ops.import_scene.fbx
    if kind == "GLB":
        return "io_scene_gltf2", bpy.ops.import_scene.gltf
    return "io_anim_bvh", bpy.ops.import_anim.bvh


@pytest.mark.parametrize("kind", ["FBX", "GLB", "BVH"])
def test_it_arrives(mover, scene, tmp_path, kind):
    names = [bone.name for bone in mover.pose.bones]
    action, curves = mover.animation_data.action, len(bpy.data.actions)
    truth = [heads(mover, names, START + frame) for frame in range(FRAMES)]
    rest = np.array([mover.matrix_world @ bone.head_local for bone in mover.data.bones])
    path = tmp_path / f"motion.{kind.lower()}"
    assert bpy.ops.bonesetter.export_motion(filepath=str(path), kind=kind) == {"FINISHED"}
    assert (mover.animation_data.action, len(bpy.data.actions)) == (action, curves)
    assert (scene.frame_start, scene.frame_end) == (START, START + FRAMES - 1)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    addon, read = importer(kind)
    addon_utils.enable(addon)
    read(filepath=str(path))
    (rig,) = (one for one in bpy.data.objects if one.type == "ARMATURE")
    assert len(bpy.data.actions) == 1
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    for frame, wanted in enumerate(truth):
        # a glTF begins at second 0; the others' importers count from frame 1, BVH's keeps frames as they are
        shown = frame * rate / 60 if kind == "GLB" else frame + 1
        assert np.abs(heads(rig, names, shown) - wanted).max() < 1e-3, frame
    if kind == "FBX":
        assert rate == pytest.approx(60)
    if kind == "BVH":
        assert "Frame Time: 0.016666667" in path.read_text()
    places = np.array([rig.matrix_world @ rig.data.bones[name].head_local for name in names])
    np.testing.assert_allclose(places - places[0], rest - rest[0], atol=1e-3)
