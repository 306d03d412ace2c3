# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a Blender with a window: moves its mouse, presses its keys, and writes what it saw to verdict.txt.

`SCENARIO` lists what the person does. Each step is a generator; a timer takes it further whenever Blender has had time to handle
events and to draw.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy
import numpy as np

# Blender puts nothing on the path for the script that it is told to run.
sys.path.insert(0, str(Path(__file__).parent))

from person import PATIENCE, STAGE, Ear, Person, Steps, Ticker, Verdict, armature, drive, ext, wait, wait_for
from user import in_turn

#: The longest that the window may stand still while the engine solves, in s. The software renderer takes most of it.
LONGEST_STILL = 1.0


def fingerprint() -> tuple[Any, ...]:
    """What a cancelled solve must not have changed."""
    return (
        sorted(one.name for one in bpy.data.objects),
        sorted(one.name for one in bpy.data.actions),
        sorted(one.name for one in bpy.data.armatures),
        sorted(one.name for one in bpy.data.scenes),
        bpy.context.scene.frame_current,
    )


def head_error(pose: Any) -> float:
    """Largest distance in mm between pose bones' heads and the engine's positions on the armature's bones, over some frames."""
    worst = 0.0
    pose = ext("operators.skeletons").as_before(pose, ext("operators.takes").active_take(bpy.context))
    scene, rig = bpy.context.scene, armature()
    for sample in np.linspace(0, len(pose.positions) - 1, 7).astype(int):
        scene.frame_set(int(sample) + 1)
        heads = [rig.matrix_world @ rig.pose.bones[name].head for name in pose.skeleton.joints]
        worst = max(worst, float(np.abs(np.array(heads) - pose.positions[sample]).max()) * 1e3)
    return worst


@dataclass
class Run:
    """What the steps share: who sits there, what they look at, and what earlier steps left for later ones."""

    person: Person
    verdict: Verdict
    ticker: Ticker
    #: The scene before the first solve.
    before: tuple[Any, ...] = ()
    #: Poses that the engine sent.
    poses: list[Any] = field(default_factory=list)

    @property
    def session(self) -> Any:
        return ext("operators.session").session

    @property
    def take(self) -> Any:
        return bpy.context.scene.bonesetter.take

    @property
    def viewport(self) -> Any:
        return next(region for region in self.person.area.regions if region.type == "WINDOW")

    def in_viewport(self) -> Any:
        return bpy.context.temp_override(window=self.person.window, area=self.person.area, region=self.viewport)

    def check(self, what: str, holds: Any, seen: Any = "") -> None:
        self.verdict.check(what, holds, seen)

    def to_the_middle(self) -> None:
        bpy.context.scene.frame_set(self.take.bonesetter.frames // 2)

    def click_solve(self, which: str) -> Steps:
        """Find the button, click it, and wait until the solve runs."""
        yield from self.person.find_button("bpy.ops.bonesetter.solve_markers")
        yield from self.person.press("LEFTMOUSE")
        yield from wait_for(lambda: self.session.solve is not None, f"the {which} solve to start")

    def solved(self, which: str) -> Steps:
        yield from wait_for(lambda: self.session.solve is None, f"the {which} solve to end")

    def over_viewport(self) -> Steps:
        region = self.viewport
        yield from self.person.move(region.x + region.width // 3, region.y + region.height // 2)


def import_a_take(run: Run) -> Steps:
    """The operator makes empties, selects and frames them, and the engine starts meanwhile."""
    person = run.person
    space: Any = person.area.spaces.active
    space.show_region_ui = True
    yield from wait(0.5)
    with bpy.context.temp_override(window=person.window, area=person.area):
        for one in list(bpy.data.objects):
            bpy.data.objects.remove(one)
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
        bpy.ops.ed.undo_push(message="Import")
    person.sidebar.active_panel_category = "Bonesetter"
    run.check("import makes an empty per marker", len(run.take.all_objects) >= 41, len(run.take.all_objects))
    run.check("the markers are selected", len(bpy.context.view_layer.objects.selected) == len(run.take.all_objects))
    view = space.region_3d
    run.check("the view shows them", 0.5 < view.view_distance < 8.0 and 0.3 < view.view_location.z < 1.6, view.view_location)
    yield from wait_for(lambda: run.session.engine.alive, "the engine to start by itself")
    yield from person.look("0-framed")
    run.to_the_middle()
    bpy.context.preferences.view.smooth_view = 0
    with run.in_viewport():
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield from person.look("1-imported")
    run.before = fingerprint()


def cancel_a_solve(run: Run) -> Steps:
    """Esc ends a solve at once, leaves the scene as it was, and the engine warm."""
    person, session, engine = run.person, run.session, run.session.engine
    yield from run.click_solve("first")
    run.check("a click on Solve Markers starts the modal operator", len(person.window.modal_operators) == 1)
    yield from wait_for(lambda: session.solve is None or session.solve.job.progress > 0.1, "progress")
    run.check("progress moves before Esc", session.solve is not None)
    yield from person.look("2-solving")
    process = engine._process
    run.check("the engine runs as its own process", process is not None and process.poll() is None)
    pressed = time.monotonic()
    yield from person.press("ESC")
    yield from wait_for(lambda: session.solve is None, "Esc to end the solve")
    run.check("Esc ends the solve at once", time.monotonic() - pressed < 1.5, f"{time.monotonic() - pressed:.2f} s")
    run.check("the engine stays warm after Esc", process is not None and process.poll() is None and engine.pid == process.pid)
    run.check("the scene is untouched after Esc", fingerprint() == run.before)
    run.check("no modal operator is left", len(person.window.modal_operators) == 0)
    yield from person.look("3-cancelled")


def finish_a_solve(run: Run) -> Steps:
    """A solve tells its progress while the window stays usable, and ends in an armature that is right."""
    session, engine, solving = run.session, run.session.engine, ext("operators.solving")
    load_pose, process, ear = solving.load_pose, engine._process, Ear(engine)
    solving.load_pose = lambda path: run.poses.append(load_pose(path)) or run.poses[-1]
    yield from run.person.find_button("bpy.ops.bonesetter.solve_markers")
    run.ticker.restart()
    began = time.monotonic()
    yield from run.person.press("LEFTMOUSE")
    yield from wait_for(lambda: session.solve is not None, "the second solve to start")
    run.check("the same process solves again", engine.pid == process.pid, (engine.pid, process.pid))
    shown: list[tuple[str, float]] = [(session.solve.job.stage, session.solve.job.progress)]
    waiting: list[float] = []
    while session.solve is not None:
        if (now := (session.solve.job.stage, session.solve.job.progress)) != shown[-1]:
            shown.append(now)
        waiting = list(run.ticker.gaps)
        if time.monotonic() - began > PATIENCE:
            raise AssertionError("the solve did not end")
        yield
    solving.load_pose = load_pose
    ear.close()
    check_progress(run, ear.told, shown)
    longest = max(waiting)
    run.check("the window stays usable while the engine solves", longest < LONGEST_STILL, f"longest standstill {longest:.2f} s")
    run.check("the solve makes an armature", armature() is not None and len(armature().pose.bones) == 22)
    run.check("heads are the engine's positions within 0.1 mm", (error := head_error(run.poses[0])) < 0.1, f"{error:.5f} mm")
    run.check("no helper scene is left", len(bpy.data.scenes) == 1)
    run.to_the_middle()
    yield from wait(0.3)
    yield from run.person.look("4-solved")


def check_progress(run: Run, told: list[tuple[str, float]], shown: list[tuple[str, float]]) -> None:
    """Of the stages and parts that the engine told, and of those that the window showed."""
    # a solve of a second or two has time for some ticks of the window only: it shows some of what it is told
    values = [value for _, value in told]
    run.check("the engine tells many values of its progress", len(set(values)) >= 8, len(set(values)))
    run.check("its progress never falls", values == sorted(values), " ".join(f"{value:.2f}" for value in values))
    unsaid = {stage for stage, _ in told} - set(ext("operators.session").STAGES)
    run.check("its stages have words for people", not unsaid, unsaid or "")
    strange = [one for one in shown[1:] if one not in told]
    run.check("the progress bar shows what was told", len(shown) > 1 and not strange, strange or len(shown))
    rising = " ".join(f"{value:.2f}" for _, value in shown)
    run.check("the progress bar rises", all(a[1] <= b[1] for a, b in pairwise(shown)) and shown[-1][1] > shown[0][1], rising)


def undo_and_redo(run: Run) -> Steps:
    """A solve is one step back and forth, as a person does it."""
    yield from run.over_viewport()
    yield from run.person.press("Z", ctrl=True)
    yield from wait(1.0)
    run.check("one undo takes the armature away", armature() is None)
    run.check("undo leaves the markers", fingerprint()[:2] == run.before[:2])
    yield from run.person.look("5-undone")
    yield from run.person.press("Z", ctrl=True, shift=True)
    yield from wait(1.0)
    run.check("redo brings it back", armature() is not None)
    run.check("heads are right after redo", armature() is not None and head_error(run.poses[0]) < 0.1)


def solve_again_in_pose_mode(run: Run) -> Steps:
    """Another solve replaces the first one's armature, whatever mode it is in."""
    bpy.context.view_layer.objects.active = armature()
    with run.in_viewport():
        bpy.ops.object.mode_set(mode="POSE")
    yield from wait(0.3)
    yield from run.click_solve("third")
    yield from run.solved("third")
    run.check("a second solve replaces the first", [one.type for one in bpy.data.objects].count("ARMATURE") == 1)
    left = sorted(one.name.rpartition(" ")[2] for one in bpy.data.actions)
    run.check("it leaves no action behind", left == ["Contacts", "Markers", "Pose"], left)
    run.check("it leaves the user in pose mode", armature().mode == "POSE", armature().mode)
    run.check("heads are right after the second solve", head_error(run.poses[0]) < 0.1)
    run.to_the_middle()
    yield from run.person.look("6-again")


def play_and_escape(run: Run) -> Steps:
    """Esc while the animation plays stops that, and not the solve."""
    screen = run.person.window.screen
    with run.in_viewport():
        bpy.ops.object.mode_set(mode="OBJECT")
    yield from run.click_solve("fourth")
    with run.in_viewport():
        bpy.ops.screen.animation_play()
    yield from wait_for(lambda: screen.is_animation_playing, "the animation to play")
    yield from run.over_viewport()
    yield from run.person.press("ESC")
    yield from wait_for(lambda: not screen.is_animation_playing, "Esc to stop the animation")
    solved = armature().animation_data.action
    yield from run.solved("fourth")
    run.check("Esc stops the animation and not the solve", armature().animation_data.action == solved)


def keep_what_was_keyed_by_hand(run: Run) -> Steps:
    """Keys of one's own stay on top of the next solve, without a question."""
    rig = armature()
    bpy.context.scene.frame_set(20)
    rig.pose.bones["head"].rotation_quaternion = (0.6, 0.8, 0, 0)
    rig.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=20)
    bpy.context.view_layer.update()
    edited = np.array(rig.pose.bones["head"].matrix)[:3, :3]
    with run.in_viewport():
        bpy.ops.ed.undo_push(message="Edit")
    yield from run.click_solve("fifth")
    yield from run.solved("fifth")
    bpy.context.scene.frame_set(20)
    bpy.context.view_layer.update()
    off = float(np.abs(np.array(armature().pose.bones["head"].matrix)[:3, :3] - edited).max())
    run.check("the head that was keyed by hand stays as it was", off < 1e-3, off)
    run.check("it is a layer of its own", armature().animation_data.action.name.endswith("Edits"))
    yield from run.person.look("8-on-top")


def import_twice(run: Run) -> Steps:
    """The same file is imported once more only after a question."""
    takes = ext("operators.takes")
    count = len(takes.takes_of(bpy.context.scene))
    with bpy.context.temp_override(window=run.person.window, area=run.person.area):
        bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / "take.c3d"))
    yield from wait(0.7)
    run.check("the same file again is asked about", len(takes.takes_of(bpy.context.scene)) == count)
    yield from run.person.look("9-imported-already")
    yield from run.person.press("RET")
    yield from wait_for(lambda: len(takes.takes_of(bpy.context.scene)) == count + 1, "the second import")
    yield from wait(0.5)
    run.check("the new take is the one to work on", takes.active_take(bpy.context).name.endswith(".001"))
    yield from run.person.look("10-two-takes")


#: The scenario: each step begins where the one before it left the scene.
SCENARIO: tuple[Callable[[Run], Steps], ...] = (
    import_a_take,
    cancel_a_solve,
    finish_a_solve,
    undo_and_redo,
    solve_again_in_pose_mode,
    play_and_escape,
    keep_what_was_keyed_by_hand,
    import_twice,
)


def begun(verdict: Verdict, ticker: Ticker) -> Steps:
    yield from in_turn(SCENARIO, Run(Person(), verdict, ticker))


if __name__ == "__main__":
    drive(begun)
