# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve with Its Bones: the character as the take's actor, from the panel."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from .rigs_in_blender import about_spine, made_rigs, to_armature
from .test_solve import imported  # noqa: F401 - a fixture

ARMS = ("LeftArm", "LeftForeArm", "LeftHand", "RightForeArm", "RightHand", "Head", "LeftFoot")


@pytest.fixture
def hero(ext, scene):
    made = made_rigs(ext)
    return to_armature(scene, made.build(made.Made("Mixamo", 30, height=0.5, seed=2, arms=1.1)), "Hero")


def apart(scene, hero, actor):
    """How far joints of the character are from the actor's scaled, in metres, about the spine, in the worst frame; and the scale."""
    worst, scales = 0.0, []
    for frame in range(scene.frame_start, scene.frame_end + 1, 40):
        scene.frame_set(frame)
        theirs, own = (about_spine(one, ARMS) for one in (actor, hero))
        scales.append(np.linalg.norm(own) / np.linalg.norm(theirs))
        # feet that stand may have been put right
        worst = max(worst, np.abs(own - scales[-1] * theirs)[:-1].max())
    return worst, np.median(scales)


@pytest.mark.parametrize("skeleton", ["cmu", "production"])
def test_a_take_is_solved_with_a_character(ext, scene, imported, hero, skeleton):  # noqa: F811 - the fixture
    scene.bonesetter.skeleton = skeleton
    imported.bonesetter.rig.armature = hero
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    before = imported.bonesetter.residual_mean
    assert bpy.ops.bonesetter.solve_as_rig() == {"FINISHED"}
    take = imported.bonesetter
    assert take.kept_actor.name == "Hero as Actor"
    assert take.residual_mean < before + 10
    assert not ext("operators.freshness").out_of_date(imported)
    actor = take.armature
    assert set(ARMS) <= set(actor.data.bones.keys()) <= set(hero.data.bones.keys())
    worst, scale = apart(scene, hero, actor)
    assert worst < 0.005
    assert 0.3 < scale < 0.7

    # once more, though the take is no longer solved with a person's bones; then by itself, with the actor that was kept
    residual = take.residual_mean
    assert bpy.ops.bonesetter.solve_as_rig() == {"FINISHED"}
    assert take.residual_mean == pytest.approx(residual, abs=0.5)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert take.residual_mean == pytest.approx(residual, abs=0.5)
    assert set(ARMS) <= set(take.armature.data.bones.keys())
    assert [text.name for text in bpy.data.texts] == ["Hero as Actor"]


def test_a_character_that_cannot_be_the_actor_changes_nothing(scene, imported, hero):  # noqa: F811 - the fixture
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="Choose your character's armature first"):
        bpy.ops.bonesetter.solve_as_rig()
    imported.bonesetter.rig.armature = hero
    result, armature = imported.bonesetter.result, imported.bonesetter.armature
    hero.scale = (1.0, 2.0, 1.0)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="is not scaled alike"):
        bpy.ops.bonesetter.solve_as_rig()
    assert (imported.bonesetter.result, imported.bonesetter.armature) == (result, armature)
    assert imported.bonesetter.kept_actor is None
    assert not bpy.data.texts


def test_a_character_in_tweak_mode_is_refused_before_anything_is_solved(imported, hero):  # noqa: F811 - the fixture
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    result = imported.bonesetter.result
    imported.bonesetter.rig.armature = hero
    animation = hero.animation_data_create()
    action = bpy.data.actions.new("Idle")
    strip = animation.nla_tracks.new().strips.new("Idle", 1, action)
    strip.action_slot, strip.select = action.slots.new(id_type="OBJECT", name="Hero"), True
    animation.use_tweak_mode = True
    assert animation.use_tweak_mode
    with pytest.raises(RuntimeError, match="A strip of Hero is in tweak mode: leave it with Tab"):
        bpy.ops.bonesetter.solve_as_rig()
    assert imported.bonesetter.result == result
    assert imported.bonesetter.kept_actor is None


def test_a_character_that_is_taken_away_meanwhile_is_named(ext, imported, hero, monkeypatch):  # noqa: F811 - the fixture
    module = ext("operators.rig_actor")
    refit = module.refit_markers

    def away(*paths):
        refit(*paths)
        bpy.data.objects.remove(hero)

    monkeypatch.setattr(module, "refit_markers", away)
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    imported.bonesetter.rig.armature = hero
    with pytest.raises(RuntimeError, match="Hero is no longer the character of walk"):
        bpy.ops.bonesetter.solve_as_rig()
    assert set(ARMS) <= set(imported.bonesetter.armature.data.bones.keys())
    assert imported.bonesetter.kept_actor is None
