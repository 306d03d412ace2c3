# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs of `tests/model/made_rigs.py` as armatures, and performers of made-up motion."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

MADE = Path(__file__).resolve().parents[1] / "model" / "made_rigs.py"


def made_rigs(ext):
    """The module that builds rigs, on the extension's own classes."""
    for name in ("families", "rig"):
        sys.modules.setdefault(f"model.rigs.{name}", ext(f"model.rigs.{name}"))
    spec = importlib.util.spec_from_file_location("made_rigs", MADE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["made_rigs"] = module
    spec.loader.exec_module(module)
    return module


def about_spine(armature, names):
    """(names, 3): where bones of a Mixamo rig begin in the shown frame, from the spine's beginning, in the world."""
    bones, world = armature.pose.bones, armature.matrix_world
    return np.array([world @ bones[name].head - world @ bones["Spine"].head for name in names])


def to_armature(scene, bones, name="Character", scale=1.0, turn=None, place=(0, 0, 0), connect=False):
    """An armature of made bones; its object is scaled, its bones are as much larger."""
    data = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, data)
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    made = {}
    for row, bone in enumerate(bones.names):
        edit = data.edit_bones.new(bone)
        edit.head, edit.tail = bones.heads[row] / scale, bones.tails[row] / scale
        edit.align_roll(bones.turns[row][:, 2])
        if bones.parents[row]:
            edit.parent = made[bones.parents[row]]
            edit.use_connect = connect and bool(np.allclose(edit.parent.tail, edit.head, atol=1e-5))
        made[bone] = edit
    bpy.ops.object.mode_set(mode="OBJECT")
    turned = np.eye(4)
    turned[:3, :3] = scale * (np.eye(3) if turn is None else turn)
    turned[:3, 3] = place
    rig.matrix_world = Matrix(turned.tolist())
    return rig


def directions(rig, parts, frame, scene):
    """{part: unit vector in the world from the head of its first bone to the head of the next part's}, as Blender shows them."""
    scene.frame_set(frame)
    found = {}
    for part, (first, following) in parts.items():
        along = np.array(rig.matrix_world @ rig.pose.bones[following].head) - np.array(rig.matrix_world @ rig.pose.bones[first].head)
        found[part] = along / np.linalg.norm(along)
    return found


def everything(apart_from):
    """A digest of all data of a file but what belongs to some names: what must not change."""
    found = {}
    for one in bpy.data.objects:
        if one.name not in apart_from:
            found["object", one.name] = (tuple(map(tuple, one.matrix_world)), one.data and one.data.name, _animation(one))
    for armature in bpy.data.armatures:
        found["armature", armature.name] = [(bone.name, tuple(bone.head_local), tuple(bone.tail_local)) for bone in armature.bones]
    for action in bpy.data.actions:
        curves = [curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves]
        found["action", action.name] = [(c.data_path, c.array_index, [tuple(k.co) for k in c.keyframe_points]) for c in curves]
    for kind in ("meshes", "materials", "collections", "scenes", "worlds", "texts", "images"):
        found[kind] = sorted(one.name for one in getattr(bpy.data, kind))
    return found


def _animation(one):
    return one.animation_data and one.animation_data.action and one.animation_data.action.name
