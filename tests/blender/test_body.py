# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Body: a mesh that the bones of any armature move, on and off with one click."""

import importlib
from typing import Any

import addon_utils
import bpy
import numpy as np
import pytest
from mathutils import Quaternion

from .rigs_in_blender import everything, made_rigs, to_armature


def shown_points(body):
    """(vertices, 3) in the world, as Blender shows them."""
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.array([evaluated.matrix_world @ vertex.co for vertex in evaluated.data.vertices])
    assert len(points) == len(body.data.vertices)
    return points


@pytest.fixture
def solved(ext, scene, make_take):
    """A take with an armature of the bones that a solve makes, and a character beside it."""
    timing = ext("operators.space").Timing(1, 1.0, 20)
    collection = ext("operators.empties").build_take(scene, make_take(), timing, ext("operators.empties").ImportOptions(), None)
    made = made_rigs(ext)
    collection.bonesetter.armature = to_armature(scene, made.build(made.Made("CMU")), "Performer")
    collection.bonesetter.solved = True
    scene.bonesetter.take = collection
    return collection, made


def test_a_click_shows_it_and_another_hides_it(ext, scene, solved):
    collection, _ = solved
    armature = collection.bonesetter.armature
    before = everything(set())
    assert bpy.ops.bonesetter.show_body() == {"FINISHED"}
    (body,) = armature.children
    points = shown_points(body)
    assert points[:, 2].min() == pytest.approx(0.0, abs=0.01)
    assert 1.6 < points[:, 2].max() < 2.0
    assert not body.data.validate()
    assert bpy.ops.bonesetter.show_body() == {"FINISHED"}
    assert everything(set()) == before


@pytest.mark.parametrize(("scale", "about_x"), [(0.01, 90), (1.0, 0), (0.1, 0)])
def test_it_moves_with_a_character_of_any_scale(ext, scene, solved, scale, about_x):
    collection, made = solved
    bones = made.build(made.Made("Mixamo", 40, seed=1))
    turn = made.quarter(0, about_x)
    bones.heads, bones.tails, bones.turns = bones.heads @ turn, bones.tails @ turn, turn.T @ bones.turns
    rig = to_armature(scene, bones, scale=scale, turn=turn, place=(2.0, 1.0, 0.0))
    collection.bonesetter.rig.armature = rig
    assert bpy.ops.bonesetter.show_body(on_rig=True) == {"FINISHED"}
    body = ext("operators.body").body_of(rig)
    rest = shown_points(body)
    assert rest[:, 2].min() == pytest.approx(0.0, abs=0.01)
    assert abs(np.median(rest[:, 0]) - 2.0) < 0.05
    hand = body.vertex_groups[bones.bone_map.bones["hand.L"][0]].index
    held = [v.index for v in body.data.vertices if any(g.group == hand and g.weight > 0.95 for g in v.groups)]
    pose = rig.pose.bones[bones.bone_map.bones["hand.L"][0]]
    pose.rotation_mode = "QUATERNION"
    pose.rotation_quaternion = Quaternion((0, 1, 0), np.pi / 2)
    bpy.context.view_layer.update()
    moved = np.linalg.norm(shown_points(body) - rest, axis=1)
    assert moved[held].max() > 0.03
    assert np.percentile(moved, 80) == pytest.approx(0.0, abs=1e-5)


def test_generated_rigs_move_it_with_their_deforming_bones(ext, scene):
    addon_utils.enable("rigify", default_set=True)
    rigify: Any = importlib.import_module("rigify")
    rigify.register_rig_parameters()
    try:
        bpy.ops.object.armature_basic_human_metarig_add()
        bpy.ops.pose.rigify_generate()
        rig = bpy.context.object
        body = ext("operators.body").show_body(scene, rig)
        names = [group.name for group in body.vertex_groups]
        assert {"DEF-thigh.L", "DEF-forearm.R", "DEF-spine.006"} <= set(names)
        assert all(rig.data.bones[name].use_deform for name in names)
        rest = shown_points(body)
        rig.pose.bones["torso"].location = (0.0, 0.0, 0.3)
        bpy.context.view_layer.update()
        assert np.abs(shown_points(body) - rest).max() > 0.2
    finally:
        addon_utils.disable("rigify", default_set=True)
        for base in (bpy.types.Panel, bpy.types.Operator, bpy.types.PropertyGroup):
            for cls in base.__subclasses__():
                if cls.__module__ == "builtins" and cls.is_registered:
                    bpy.utils.unregister_class(cls)


def test_a_new_solve_shapes_it_anew(ext, scene, solved):
    collection, _ = solved
    assert bpy.ops.bonesetter.show_body() == {"FINISHED"}
    armature = collection.bonesetter.armature
    tall = shown_points(ext("operators.body").body_of(armature))[:, 2].max()
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in armature.data.edit_bones:
        bone.head, bone.tail = 0.5 * bone.head, 0.5 * bone.tail
    bpy.ops.object.mode_set(mode="OBJECT")
    ext("operators.body").fit_body(scene, armature)
    (body,) = armature.children
    assert shown_points(body)[:, 2].max() == pytest.approx(0.5 * tall, rel=0.02)


def test_what_has_no_body_says_so(scene, solved):
    collection, _ = solved
    with pytest.raises(RuntimeError, match="No character is chosen"):
        bpy.ops.bonesetter.show_body(on_rig=True)
    prop = bpy.data.objects.new("Prop", bpy.data.armatures.new("Prop"))
    scene.collection.objects.link(prop)
    collection.bonesetter.rig.armature = prop
    with pytest.raises(RuntimeError, match="No body was found"):
        bpy.ops.bonesetter.show_body(on_rig=True)
