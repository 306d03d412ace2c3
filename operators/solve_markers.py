# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve Markers: the active take's markers to an armature."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy
from bpy.props import BoolProperty, StringProperty

from ..model.core.findings import Finding
from ..model.core.settings import Settings
from ..model.core.take import BonesetterError
from ..model.files.exchange import load_pose, load_take, save_take
from .armature import apply_pose, edited_bones, keep_edited
from .empties import ImportOptions, build_people
from .findings import keep_findings
from .freshness import note_solved
from .gather import gather_take
from .properties import settings_of
from .session import Solve, session
from .solved import keep_solved
from .solver_python import engine_python, is_lacking
from .takes import active_take, find_take, people_with, timing_of
from .view import redraw, show_armature

#: A take and the engine's report of it.
Solved = tuple[bpy.types.Collection, dict[str, Any]]


def begin(scene: bpy.types.Scene, collection: bpy.types.Collection, settings: Settings | None = None, **files: Any) -> Solve:
    """Gather the markers and hand them to the engine.

    Args:
        scene: Its unit scale.
        collection: The take.
        settings: Instead of the take's.
        files: What else the engine shall read and write: `actor`, `layout`, `save_actor`, `exports`; see docs/design.md.

    Raises:
        BonesetterError: There is nothing to solve, or no engine.
    """
    began = time.perf_counter()
    take = gather_take(scene, collection)
    folder = session.engine.folder
    # of several takes that are solved in one go none may overwrite another's
    source, result = (folder / f"{name}-{collection.session_uid}.npz" for name in ("take", "pose"))
    save_take(take, source)
    request = {"take": str(source), "out": str(result), "settings": asdict(settings or settings_of(collection)), **files}
    job = session.engine.submit(engine_python(), request)
    return Solve(collection.session_uid, collection.name, job, result, began, collection.bonesetter.armature is None)


def finish(scene: bpy.types.Scene, solve: Solve) -> list[Solved]:
    """Put the result into the scene: the only step that changes anything there, so it is one step to undo.

    Returns:
        The take with the engine's report; of a take in which several people were found, a take that was made of each.

    Raises:
        BonesetterError: The take is gone.
    """
    answer = solve.job.answer
    assert answer is not None
    collection = find_take(solve.take)
    people = answer.get("people", [])
    if not people:
        return [(collection, _apply(scene, collection, solve, answer))]
    source, timing = collection.bonesetter, timing_of(collection)
    takes = [load_take(Path(one["take"])) for one in people]
    made = build_people(scene, takes, timing, ImportOptions(), Path(source.path))
    return [(one, _apply(scene, one, solve, said)) for one, said in zip(made, people, strict=True)]


def _apply(scene: bpy.types.Scene, collection: bpy.types.Collection, solve: Solve, answer: dict[str, Any]) -> dict[str, Any]:
    """Put what the engine said of one person onto a take; returns its report."""
    pose = load_pose(Path(answer["result"]))
    Path(answer["result"]).unlink()
    report = answer["report"]
    if kept := keep_edited(collection):
        said = f"The pose that was edited by hand is kept as the action {kept}."
        report["findings"].append(Finding("edited pose", said).document(int))
        report["warnings"].append(said)
    apply_pose(scene, collection, pose)
    if pose.markers is not None:
        keep_solved(collection, pose.markers)
    _keep_report(collection, report, time.perf_counter() - solve.began)
    note_solved(collection)
    return report


def _keep_report(collection: bpy.types.Collection, report: dict[str, Any], seconds: float) -> None:
    properties = collection.bonesetter
    properties.solved = True
    properties.result = uuid4().hex
    properties.seconds = seconds
    residual = report["marker_residual_mm"]
    properties.residual_mean = residual["mean"] or 0.0
    properties.residual_p95 = residual["p95"] or 0.0
    properties.flagged.clear()
    counts = {label: sum(reasons.values()) for label, reasons in report["flagged"].items()}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        item = properties.flagged.add()
        item.name = label
        item.count = counts[label]
        item.reasons = ", ".join(f"{reason} {count}" for reason, count in report["flagged"][label].items())
    keep_findings(collection, report["findings"])


class BONESETTER_OT_solve_markers(bpy.types.Operator):
    """Solve the active take's markers to an armature. Esc cancels"""

    bl_idname = "bonesetter.solve_markers"
    bl_label = "Solve Markers"
    # Not REGISTER: touching a property in the redo panel would solve again, with the window frozen.
    bl_options = {"UNDO"}

    replace: BoolProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Replace a pose that was edited by hand without asking")

    _timer: bpy.types.Timer | None = None
    _shown: tuple[str, float] | None = None
    _waiting: list[int]
    _answered: list[Solve]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.solve is not None:
            cls.poll_message_set("A take is being solved: press Esc to cancel it")
            return False
        if active_take(context) is None:
            cls.poll_message_set("Import a take first, or select a marker of a take")
            return False
        if is_lacking():
            cls.poll_message_set("The solver is not installed: press Install Solver")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        solves: list[Solve] = []
        try:
            for collection in people_with(context.scene, active_take(context)):
                solves.append(begin(context.scene, collection))
                solves[-1].job.wait()
            solved = [each for solve in solves for each in finish(context.scene, solve)]
        except BonesetterError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        for collection, report in solved:
            self._report(collection, report)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.window is None:
            return self.execute(context)
        takes = people_with(context.scene, active_take(context))
        if not self.replace and (edited := [bone for take in takes for bone in edited_bones(take)]):
            return self._ask(edited)
        self._waiting, self._answered = [take.session_uid for take in takes[1:]], []
        try:
            session.solve = begin(context.scene, takes[0])
        except BonesetterError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.05, window=context.window)
        context.window_manager.modal_handler_add(self)
        self._show(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if session.solve is None:
            # Killed from elsewhere: a file is being loaded, or the extension unregistered.
            self._end(context)
            return {"CANCELLED"}
        # while the animation plays, Esc stops that
        if event.type == "ESC" and event.value == "PRESS" and not context.screen.is_animation_playing:
            self.cancel(context)
            self.report({"INFO"}, "Solve Markers was cancelled: nothing was changed")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        solve = session.solve
        try:
            if not solve.job.poll():
                self._show(context)
                return {"PASS_THROUGH"}
            self._answered.append(solve)
            if self._waiting:
                session.solve = begin(context.scene, find_take(self._waiting.pop(0)))
                return {"PASS_THROUGH"}
            solved = [each for one in self._answered for each in finish(context.scene, one)]
        except BonesetterError as error:
            self._end(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception:
            # A bug: Blender prints it, and ends the operator without a word to it.
            self._end(context)
            raise
        self._end(context)
        if self._answered[0].first:
            show_armature(context, solved[0][0].bonesetter.armature)
        for take, report in solved:
            self._report(take, report)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, and Blender's own call when the window closes."""
        if session.solve is not None:
            session.solve.job.cancel()
        self._end(context)

    @staticmethod
    def _ask(edited: list[str]) -> set[str]:
        """Hand over to the question whether a pose that was edited by hand shall be replaced."""
        names = ", ".join(edited[:4]) + (f" and {len(edited) - 4} more" if len(edited) > 4 else "")
        bpy.ops.bonesetter.solve_again("INVOKE_DEFAULT", bones=names)
        return {"CANCELLED"}

    def _show(self, context: bpy.types.Context) -> None:
        solve = session.solve
        assert solve is not None
        job = solve.job
        shown = (job.stage, round(job.progress, 2))
        if shown != self._shown:
            self._shown = shown
            context.workspace.status_text_set(f"Solving {solve.name}: {solve.stage}, {job.progress:.0%}    Esc: Cancel")
            redraw(context)

    def _end(self, context: bpy.types.Context) -> None:
        session.solve = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        redraw(context)

    def _report(self, collection: bpy.types.Collection, report: dict[str, Any]) -> None:
        for warning in report["warnings"]:
            self.report({"WARNING"}, warning)
        take = collection.bonesetter
        self.report(
            {"INFO"},
            f"{collection.name}: solved in {take.seconds:.1f} s, markers {take.residual_mean:.1f} mm off on average",
        )


class BONESETTER_OT_solve_again(bpy.types.Operator):
    """Solve a take whose pose was edited by hand since it was solved"""

    bl_idname = "bonesetter.solve_again"
    bl_label = "Solve Again"
    bl_options = {"INTERNAL"}

    bones: StringProperty(options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Replace the Edited Pose?",
            message=f"Edited by hand: {self.bones}. The edited pose will be kept as an action of its own.",
            confirm_text="Solve Again",
        )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        bpy.ops.bonesetter.solve_markers("INVOKE_DEFAULT", replace=True)
        return {"FINISHED"}
