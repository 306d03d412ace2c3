# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody moves their own characters: `BONESETTER_WINDOW_SCRIPT=character.py tests/window/run.sh TAKE.c3d`.

A character of Mixamo's names, then a human that Rigify generates. The screenshots are there to be looked at: no flipped limb, no twisted
wrist, feet that stand where the actor's stand.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from math import radians
from pathlib import Path
from typing import Any

# Blender puts nothing on the path for the script that it is told to run.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "blender"))

import addon_utils
import bpy
import numpy as np
from mathutils import Euler, Vector
from person import STAGE, Steps, Ticker, Verdict, drive, ext, wait
from user import User, in_turn

#: How far beside the actor a character stands, in m.
BESIDE = 1.6
#: Frames that are looked at.
LOOKED_AT = 6
#: From where: so far off in m, before the actor, a little to the side and from above, in degrees.
DISTANCE, VIEW = 4.5, (80.0, 0.0, 25.0)


class Animator(User):
    """Who sits there, and what they look at."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict)
        self.characters: list[Any] = []

    @property
    def actor(self) -> Any:
        return self.take.bonesetter.armature

    def away(self) -> Steps:
        """The mouse off the buttons, so that no tooltip covers what is looked at."""
        region = self.viewport
        yield from self.person.move(region.x + region.width // 8, region.y + region.height - 150)
        yield from wait(0.5)

    def face(self) -> Steps:
        """Look at the actor and at the character that came last, where they stand in the middle of the take."""
        self.scene.frame_set(self.take.bonesetter.frames // 2)
        bodies = [ext("operators.body").body_of(one) for one in (self.actor, *self.characters[-1:])]
        view = self.person.area.spaces.active.region_3d
        graph = bpy.context.evaluated_depsgraph_get()
        corners = [one.matrix_world @ Vector(corner) for one in (each.evaluated_get(graph) for each in bodies) for corner in one.bound_box]
        # the strip lies over the lower edge
        view.view_location = sum(corners, Vector()) / len(corners) - Vector((0.0, 0.0, 0.25))
        view.view_rotation = Euler([radians(each) for each in VIEW]).to_quaternion()
        view.view_distance = DISTANCE
        yield from wait(0.3)

    def photograph(self, name: str) -> Steps:
        yield from self.away()
        yield from self.face()
        frames = self.take.bonesetter.frames
        for number, frame in enumerate(np.linspace(frames // 10, frames - frames // 10, LOOKED_AT).astype(int)):
            self.scene.frame_set(int(frame))
            yield from wait(0.2)
            yield from self.person.look(f"{name}-{number + 1}")


def solve_a_take(animator: Animator) -> Steps:
    person = animator.person
    person.area.spaces.active.show_region_ui = True
    yield from wait(0.5)
    with animator.within():
        for one in list(bpy.data.objects):
            bpy.data.objects.remove(one)
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
        bpy.ops.ed.undo_push(message="Import")
    person.sidebar.active_panel_category = "Bonesetter"
    bpy.context.preferences.view.smooth_view = 0
    yield from animator.solve("bpy.ops.bonesetter.solve_markers")
    animator.check("the take is solved", animator.take.bonesetter.solved)
    yield from animator.click("bpy.ops.bonesetter.show_body")
    animator.check("one click shows a body", len(animator.actor.children) == 1)
    yield from animator.photograph("actor")


def move_a_mixamo_character(animator: Animator) -> Steps:
    helpers: Any = importlib.import_module("rigs_in_blender")
    made = helpers.made_rigs(ext)
    bones = made.build(made.Made("Mixamo", 0, height=0.95, seed=2))
    turn = made.quarter(0)
    bones.heads, bones.tails, bones.turns = bones.heads @ turn, bones.tails @ turn, turn.T @ bones.turns
    with animator.within():
        rig = helpers.to_armature(animator.scene, bones, "Mixamo", scale=0.01, turn=turn, place=(BESIDE, 0.0, 0.0))
    yield from move(animator, rig, "Mixamo")
    yield from animator.photograph("mixamo")


def move_a_rigify_human(animator: Animator) -> Steps:
    addon_utils.enable("rigify", default_set=True)
    with animator.within():
        bpy.ops.object.armature_human_metarig_add()
        bpy.ops.pose.rigify_generate()
    rig = bpy.context.object
    bpy.data.objects.remove(bpy.data.objects["metarig"])
    rig.location = (-BESIDE, 0.0, 0.0)
    yield from move(animator, rig, "Rigify")
    yield from animator.photograph("rigify")


def move(animator: Animator, rig: Any, family: str) -> Steps:
    """Choose a character, show its body, and click Apply to Rig."""
    animator.characters.append(rig)
    rig.show_in_front = False
    choice = animator.take.bonesetter.rig
    with animator.within():
        bpy.context.view_layer.objects.active = animator.actor
    choice.armature = rig
    animator.check(f"the character is recognised as {family}", choice.family == family, choice.family)
    with animator.within():
        bpy.ops.bonesetter.show_body(on_rig=True)
        bpy.ops.ed.undo_push(message="Character")
    yield from animator.click("bpy.ops.bonesetter.apply_to_rig")
    animation = rig.animation_data
    animator.check("one click moves it", animation is not None and animation.action is not None)
    yield from animator.person.look(f"{family.lower()}-panel")


def solve_again_and_update(animator: Animator) -> Steps:
    """Another solve, and one click that brings both characters up to it."""
    actions = [rig.animation_data.action for rig in animator.characters]
    yield from animator.solve("bpy.ops.bonesetter.solve_markers")
    animator.check("both are of the solve before", len(ext("operators.applied").outdated(animator.take)) == 2)
    animator.check("the actor still has its body", len(animator.actor.children) == 1)
    yield from animator.person.look("update-panel")
    yield from animator.click("bpy.ops.bonesetter.update_rigs")
    animator.check("one click updates both", not ext("operators.applied").outdated(animator.take))
    animator.check("each in another action", all(rig.animation_data.action not in actions for rig in animator.characters))


def solve_with_its_bones(animator: Animator) -> Steps:
    """The character that Rigify generated as the actor itself."""
    take, rig = animator.take.bonesetter, animator.characters[-1]
    action = rig.animation_data.action
    yield from animator.solve("bpy.ops.bonesetter.solve_as_rig")
    animator.check("its actor is kept", take.kept_actor is not None and take.kept_actor.name == f"{rig.name} as Actor")
    animator.check("markers are near", take.residual_mean < 10.0, f"{take.residual_mean:.1f} mm")
    animator.check("it moves anew", rig.animation_data.action != action)
    yield from animator.photograph("its-bones")


SCENARIO: tuple[Callable[[Animator], Steps], ...] = (
    solve_a_take,
    move_a_mixamo_character,
    move_a_rigify_human,
    solve_again_and_update,
    solve_with_its_bones,
)


def begun(verdict: Verdict, _ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, Animator(verdict))


if __name__ == "__main__":
    drive(begun)
