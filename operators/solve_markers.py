# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve Markers: the active take's markers to an armature."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy

from ..model.core.findings import Finding
from ..model.core.settings import Settings
from ..model.core.take import BonesetterError
from ..model.files.exchange import load_pose, load_take, save_take
from ..model.review.doubtful import KINDS, doubtful
from .actors import write_kept
from .armature import apply_pose, keep_edited
from .body import fit_body
from .empties import ImportOptions, build_people, regroup_markers
from .feet import UNHELD, given_stands, keep_unheld, key_contacts, note_given, rekey_contacts
from .findings import keep_findings, replace_findings
from .freshness import note_solved
from .gather import gather_take
from .others import show_others
from .polls import OfTake, is_idle
from .properties import files_of, settings_of
from .props import apply_props
from .review import review_of
from .session import Solve, session
from .solve_range import join_findings, part_of, put_range, start_of, wanted_range
from .solved import keep_solved
from .solver_python import engine_python, is_lacking
from .takes import active_take, find_take, people_with, timing_of
from .translation import translated
from .view import redraw, show_armature

#: A take and the engine's report of it.
Solved = tuple[bpy.types.Collection, dict[str, Any]]


def begin(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    settings: Settings | None = None,
    span: tuple[int, int] | None = None,
    **files: Any,
) -> Solve:
    """Gather the markers and hand them to the engine.

    Args:
        scene: Its unit scale.
        collection: The take.
        settings: Instead of the take's.
        span: First and last sample of a range to be solved again, with the actor of the last solve; None for the whole take.
        files: What else the engine shall read and write: `actor`, `layout`, `save_actor`, `exports`; see docs/design.md. An actor and a
            layout that are chosen in the panel are read where none is given.

    Raises:
        BonesetterError: There is nothing to solve, or no engine.
    """
    began = time.perf_counter()
    session.errors.pop(collection.session_uid, None)
    session.just_installed = False
    take = gather_take(scene, collection)
    folder = session.engine.folder
    # of several takes that are solved in one go none may overwrite another's
    source, result = (folder / f"{name}-{collection.session_uid}.npz" for name in ("take", "pose"))
    known = folder / f"actor-{collection.session_uid}.json"
    stands, unheld = given_stands(collection), None
    if span is None:
        files.setdefault("labelled", str(folder / f"labelled-{collection.session_uid}.npz"))
        save_actor = Path(files.setdefault("save_actor", str(known)))
        files["unheld"] = str(unheld := folder / f"unheld-{collection.session_uid}.npz")
    else:
        begin_at = start_of(collection, span)
        stands = {foot: [[first - begin_at, last - begin_at] for first, last in spans] for foot, spans in stands.items()}
        take, save_actor = part_of(take, span), None
        known.write_text(collection.bonesetter.solved_actor, encoding="utf-8")
        files["actor"] = str(known)
    save_take(take, source)
    if (kept := collection.bonesetter.kept_actor) is not None:
        files.setdefault("actor", write_kept(kept, folder))
    request = {"take": str(source), "out": str(result), "settings": asdict(settings or settings_of(collection))}
    job = session.engine.submit(engine_python(), {**request, **files_of(collection), **files, "stands": stands})
    first = collection.bonesetter.armature is None
    uid, name = collection.session_uid, collection.name
    return Solve(uid, name, job, result, began, first, span, save_actor, unheld=unheld, given=tuple(stands))


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
    # the actor's file is one, and they are several
    own = replace(solve, actor=None, unheld=None, given=())
    return [(one, _apply(scene, one, own, said)) for one, said in zip(made, people, strict=True)]


def _apply(scene: bpy.types.Scene, collection: bpy.types.Collection, solve: Solve, answer: dict[str, Any]) -> dict[str, Any]:
    """Put what the engine said of one person onto a take; returns its report."""
    pose = load_pose(Path(answer["result"]))
    Path(answer["result"]).unlink()
    report = answer["report"]
    if said := keep_edited(collection):
        report["findings"].append(Finding("edited pose", said).document(int))
        report["warnings"].append(said)
    if answer.get("labelled"):
        _take_labels(scene, collection, Path(answer["labelled"]), report)
    collection.bonesetter.seconds = time.perf_counter() - solve.began
    note_given(collection, solve.given)
    if solve.span is not None:
        put_range(scene, collection, pose, solve.span)
        # it is of the whole take as it was before
        collection.pop(UNHELD, None)
        rekey_contacts(collection, solve.given)
        join_findings(collection, report["findings"], solve.span)
        _note_range(collection, solve.span)
    else:
        fit_body(scene, apply_pose(scene, collection, pose))
        apply_props(scene, collection, pose.props)
        if pose.markers is not None:
            keep_solved(collection, pose.markers)
        key_contacts(collection, pose)
        if solve.unheld is not None:
            keep_unheld(collection, solve.unheld)
        if solve.actor is not None and solve.actor.is_file():
            collection.bonesetter.solved_actor = solve.actor.read_text(encoding="utf-8")
        _keep_report(collection, report)
        note_solved(collection)
    collection.bonesetter.result = uuid4().hex
    keep_doubtful(scene, collection)
    return report


def keep_doubtful(scene: bpy.types.Scene, collection: bpy.types.Collection) -> None:
    """List the markers that are to be looked at, by what the filter and the solve make of them."""
    if (review := review_of(scene, collection)) is not None:
        found = doubtful(review.states.codes, review.take.labels, review.take.rate_hz, review.frame)
        replace_findings(collection, KINDS, [each.document(review.frame) for each in found])


def _take_labels(scene: bpy.types.Scene, collection: bpy.types.Collection, path: Path, report: dict[str, Any]) -> None:
    """Put the take's samples under the labels that were found by motion; what the report says of these is then said of such markers."""
    take = load_take(path)
    path.unlink()
    regroup_markers(scene, collection, take)
    for finding in report["findings"]:
        finding["columns"] = {label: columns for label, columns in finding["columns"].items() if label not in take.labels}


def _note_range(collection: bpy.types.Collection, span: tuple[int, int]) -> None:
    timing, take = timing_of(collection), collection.bonesetter
    first, last = (round(timing.start + timing.step * sample) for sample in span)
    ranges = [each for each in take.solved_ranges.split(", ") if each and each != f"{first} to {last}"]
    take.solved_ranges = ", ".join([*ranges, f"{first} to {last}"])


def _keep_report(collection: bpy.types.Collection, report: dict[str, Any]) -> None:
    properties = collection.bonesetter
    properties.solved = True
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


class Solving(OfTake):
    """What all share that ask the engine about takes: an operator that waits for its answers while Blender stays usable."""

    # Not REGISTER: touching a property in the redo panel would solve again, with the window frozen.
    bl_options = {"UNDO"}  # Blender's own protocol
    ranged = False
    #: Whether the other takes go on where one fails.
    tolerant = False

    _timer: bpy.types.Timer | None = None
    _shown: tuple[str, float] | None = None
    #: Takes that are still to be begun with, how many there are in all, and what came back.
    _waiting: list[int]
    _count: int
    _answered: list[Solve]

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if not (is_idle(cls) and super().poll(context)):
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
                session.solve = replace(solve, number=self._count - len(self._waiting), count=self._count)
                return True
        return False

    def _done(self, context: bpy.types.Context) -> tuple[set[str], bpy.types.Object | None]:
        """Put what the engine said of all takes into the scene: one step to undo.

        Returns:
            How the operator ends, and the armature to look at where it is the take's first.
        """
        solved: list[Solved] = []
        first = False
        for solve in self._answered:
            try:
                solved += finish(context.scene, solve)
            except BonesetterError as error:
                if not self._goes_on(solve.take, error):
                    return {"CANCELLED"}, None
            else:
                first = first or solve.first
        if not solved:
            return {"CANCELLED"}, None
        active = active_take(context)
        shown = next((take for take, _ in solved if take == active), solved[0][0])
        show_others(context, shown)
        for take, report in solved:
            self._report(take, report)
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

    def _report(self, collection: bpy.types.Collection, report: dict[str, Any]) -> None:
        for warning in report["warnings"]:
            self.report({"WARNING"}, translated(warning))
        take = collection.bonesetter
        self.report(
            {"INFO"},
            translated(f"{collection.name}: solved in {take.seconds:.1f} s, markers {take.residual_mean:.1f} mm off on average"),
        )


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
