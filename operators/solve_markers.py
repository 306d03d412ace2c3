# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve Markers: the active take's markers to an armature."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import bpy

from ..model.core.errors import BonesetterError
from .others import show_others
from .polls import OfTake, is_idle, is_own
from .session import Solve, session
from .solver_python import is_lacking
from .takes import active_take, find_take, people_with, takes_of
from .translation import translated
from .view import redraw, show_armature

if TYPE_CHECKING:
    from .solving import Solved


class Solving(OfTake):
    """What all share that ask the engine about takes: an operator that waits for its answers while Blender stays usable."""

    # Not REGISTER: touching a property in the redo panel would solve again, with the window frozen.
    bl_options = {"UNDO"}  # Blender's own protocol
    ranged = False
    #: Whether the other takes go on where one fails.
    tolerant = False

    if TYPE_CHECKING:
        # said to checkers alone: Blender evaluates the annotations of every class of these that it registers
        _timer: bpy.types.Timer | None
        _shown: tuple[str, float] | None
        #: Takes that are still to be begun with, how many there are in all, and what came back.
        _waiting: list[int]
        _count: int
        _answered: list[Solve]
    _timer = _shown = None

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if not (is_idle(cls) and super().poll(context) and (cls.tolerant or is_own(cls, context))):
            return False
        if is_lacking():
            cls.poll_message_set("The solver is not installed: press Install Solver")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        self._answered = []
        for collection in self._takes(context):
            uid = collection.session_uid
            try:
                solve = self._begin(context, collection)
                solve.job.wait()
            except BonesetterError as error:
                if not self._goes_on(uid, error):
                    return {"CANCELLED"}
            else:
                self._answered.append(solve)
        return self._done(context)[0]

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if context.window is None:
            return self.execute(context)
        takes = self._takes(context)
        self._waiting, self._answered = [take.session_uid for take in takes], []
        self._count = len(takes)
        if not self._next(context):
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
            self.report({"INFO"}, translated(f"{self.bl_label} was cancelled: nothing was changed"))
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        solve = session.solve
        try:
            if not solve.job.poll():
                self._show(context)
                return {"PASS_THROUGH"}
            self._answered.append(solve)
        except BonesetterError as error:
            if not self._goes_on(solve.take, error):
                self._end(context)
                return {"CANCELLED"}
        except Exception:
            # a bug: Blender prints it, and ends the operator without a word to it
            self._end(context)
            raise
        if self._waiting and self._next(context):
            return {"PASS_THROUGH"}
        self._end(context)
        if self._waiting:
            # one failed, and the others do not go on
            return {"CANCELLED"}
        result, first = self._done(context)
        if first is not None:
            show_armature(context, first)
        return result

    def _next(self, context: bpy.types.Context) -> bool:
        """Begin with the next take that can be begun with; False where there is none."""
        while self._waiting:
            uid = self._waiting[0]
            try:
                solve = self._begin(context, find_take(uid))
            except BonesetterError as error:
                if not self._goes_on(uid, error):
                    return False
                del self._waiting[0]
            else:
                del self._waiting[0]
                session.solve = solve._replace(number=self._count - len(self._waiting), count=self._count)
                return True
        return False

    def _done(self, context: bpy.types.Context) -> tuple[set[str], bpy.types.Object | None]:
        """Put what the engine said of all takes into the scene: one step to undo.

        Returns:
            How the operator ends, and the armature to look at where it is the take's first.
        """
        from .solving import finish

        solved: list[tuple[Solve, Solved]] = []
        first = False
        for solve in self._answered:
            try:
                solved += [(solve, each) for each in finish(context.scene, solve)]
            except BonesetterError as error:
                if not self._goes_on(solve.take, error):
                    return {"CANCELLED"}, None
            else:
                first = first or solve.first
        if not solved:
            return {"CANCELLED"}, None
        active = active_take(context)
        takes = [take for _, (take, _) in solved]
        shown = active if active in takes else takes[0]
        if shown in takes_of(context.scene):
            show_others(context, shown)
        for solve, (take, report) in solved:
            self._report(solve, take, report)
        return {"FINISHED"}, shown.bonesetter.armature if first else None

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, and Blender's own call when the window closes."""
        if session.solve is not None:
            session.solve.job.cancel()
        self._end(context)

    def _takes(self, context: bpy.types.Context) -> list[bpy.types.Collection]:
        """What is solved: of a file with several people all of them."""
        take = active_take(context)
        assert take is not None  # as `poll` has seen
        return [take] if self.ranged else people_with(context.scene, take)

    def _begin(self, context: bpy.types.Context, take: bpy.types.Collection) -> Solve:
        from .solve_range import wanted_range
        from .solving import begin

        return begin(context.scene, take, span=wanted_range(context.scene, take) if self.ranged else None)

    def _goes_on(self, take: int, error: BonesetterError) -> bool:
        """Say why a take failed, at the pointer for a moment and in the panel until it is solved again; whether the others go on."""
        session.errors[take] = str(error)
        # an error would hide that the others were solved
        self.report({"WARNING"} if self.tolerant else {"ERROR"}, translated(str(error)))
        return self.tolerant

    def _show(self, context: bpy.types.Context) -> None:
        solve = session.solve
        assert solve is not None
        job = solve.job
        shown = (job.stage, round(job.progress, 2))
        if shown != self._shown:
            self._shown = shown
            context.workspace.status_text_set(translated(f"{solve.title}: {solve.stage}, {job.progress:.0%}    Esc: Cancel"))
            redraw(context)

    def _end(self, context: bpy.types.Context) -> None:
        session.solve = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        redraw(context)

    def _report(self, solve: Solve, collection: bpy.types.Collection, report: dict[str, Any]) -> None:
        from .solving import named_range

        for warning in report["warnings"]:
            self.report({"WARNING"}, translated(warning))
        take, name = collection.bonesetter, collection.name
        if solve.span is None:
            said = f"{name}: solved in {take.seconds:.1f} s, markers {take.residual_mean:.1f} mm off on average"
        else:
            frames, seconds = named_range(collection, solve.span), time.perf_counter() - solve.began
            said = f"{name}: frames {frames} solved again in {seconds:.1f} s"
        self.report({"INFO"}, translated(said))


class BONESETTER_OT_solve_markers(Solving, bpy.types.Operator):
    """Solve the active take's markers to an armature. Esc cancels"""

    bl_idname = "bonesetter.solve_markers"
    bl_label = "Solve Markers"


class BONESETTER_OT_solve_range(Solving, bpy.types.Operator):
    """Solve the preview range again, else a second before and after the playhead. It fades into the frames around it, which do not change.
    Esc cancels"""

    bl_idname = "bonesetter.solve_range"
    bl_label = "Solve Range"
    ranged = True

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        take = active_take(context).bonesetter
        if not take.solved_actor or take.armature is None or not take.armature.users_scene:
            cls.poll_message_set("Solve the whole take first: a range is solved with its actor")
            return False
        return True
