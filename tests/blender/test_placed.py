# SPDX-License-Identifier: GPL-3.0-or-later
"""A take that the user has placed in the scene as a whole, by a parent of markers and armature."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Euler


@pytest.fixture
def solved(ext, engine_python, synthetic_take, load):
    take = load(synthetic_take)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    yield take
    ext("operators.session").session.close()


@pytest.fixture
def parented(scene, solved):
    """All objects of the take on an empty, as Ctrl-P does it where the empty stands elsewhere already."""
    stage = bpy.data.objects.new("Stage", None)
    scene.collection.objects.link(stage)
    stage.location = (0.5, 0.2, 0.0)
    bpy.context.view_layer.update()
    for one in list(solved.all_objects):
        one.parent, one.matrix_parent_inverse = stage, stage.matrix_world.inverted()
    bpy.context.view_layer.update()
    return stage


def moved(stage, turn=1.0, scale=1.0):
    stage.location, stage.rotation_euler, stage.scale = (2.0, -1.0, 0.3), Euler((0.1, 0.2, turn)), (scale,) * 3
    bpy.context.view_layer.update()


def apart(ext, take, frame=100):
    """Mean distance in Blender units from the markers that are shown to the nearest bone's middle."""
    bpy.context.scene.frame_set(frame)
    armature = take.bonesetter.armature
    middles = np.array([armature.matrix_world @ ((bone.head + bone.tail) / 2) for bone in armature.pose.bones])
    places = np.array([marker.matrix_world.translation for marker in ext("operators.takes").markers(take).values()])
    return float(np.linalg.norm(places[:, None] - middles, axis=-1).min(axis=1).mean())


def heads(take, frame):
    """(bones, 3) in the armature's space."""
    bpy.context.scene.frame_set(frame)
    return np.array([bone.head for bone in take.bonesetter.armature.pose.bones])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_take_that_was_placed_is_solved_where_it_stands(ext, solved, parented, scale):
    before, own = apart(ext, solved), {frame: heads(solved, frame) for frame in (10, 100, 300)}
    moved(parented, scale=scale)
    assert apart(ext, solved) == pytest.approx(scale * before, abs=1e-4)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert apart(ext, solved) == pytest.approx(scale * before, abs=1e-3)
    for frame, places in own.items():
        np.testing.assert_allclose(heads(solved, frame), places, atol=1e-3)


def test_so_it_is_while_the_parent_moves(ext, solved, parented):
    own = heads(solved, 100)
    for frame, place in ((1, 0.0), (360, 3.0)):
        parented.location.x = place
        parented.keyframe_insert("location", frame=frame)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    np.testing.assert_allclose(heads(solved, 100), own, atol=1e-3)


def test_a_range_does_not_jump(solved, parented):
    own = {frame: heads(solved, frame) for frame in (100, 120, 140)}
    moved(parented)
    scene = bpy.context.scene
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 90, 150
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    for frame, places in own.items():
        np.testing.assert_allclose(heads(solved, frame), places, atol=5e-3)


def test_the_overlay_follows(ext, scene, solved, parented):
    review = ext("operators.review").review_of
    review(scene, solved)
    moved(parented)
    world = review(scene, solved).world[99]
    scene.frame_set(100)
    shown = np.array([marker.matrix_world.translation for marker in ext("operators.takes").markers(solved).values()])
    seen = np.isfinite(world[:, 0])
    assert seen.sum() > 30
    np.testing.assert_allclose(world[seen], shown[seen], atol=1e-3)


def test_a_parent_of_the_markers_alone_moves_the_solve(ext, solved, parented):
    """The armature stands where it stood, so that it is the solve that goes to the markers."""
    armature = solved.bonesetter.armature
    armature.parent = None
    moved(parented)
    before = apart(ext, solved)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert apart(ext, solved) < 0.2 < before
