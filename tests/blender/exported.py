# SPDX-License-Identifier: GPL-3.0-or-later
"""A character to export, and files that were exported read anew."""

import addon_utils
import bpy
import numpy as np

from .rigs_in_blender import made_rigs, to_armature

FRAMES, START = 25, 7


def moving_character(ext, scene):
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


def vertices(body):
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(evaluated.data.vertices), dtype=np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    world = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3]
