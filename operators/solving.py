# SPDX-License-Identifier: GPL-3.0-or-later
"""A solve from the scene to the engine and back: what it is asked, and what becomes of the answer."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy
import numpy as np

from ..model.core.findings import Finding
from ..model.core.settings import Settings
from ..model.files.exchange import load_pose, load_take, save_take
from ..model.result.doubtful import KINDS, doubtful
from ..model.review.states import FLAGGED, State
from .actors import write_kept
from .armature import apply_pose, keep_edited
from .body import fit_body
from .empties import ImportOptions, build_people, regroup_markers
from .feet import UNHELD, given_stands, keep_unheld, key_contacts, note_given, rekey_contacts
from .findings import keep_findings, replace_findings, settled_labels
from .freshness import basis_of, note_solved
from .gather import gather_take
from .properties import files_of, settings_of
from .props import apply_props
from .report import keep_page
from .review import review_of
from .session import Solve, session
from .solve_range import join_findings, part_of, put_range, start_of
from .solved import keep_solved
from .solver_python import engine_python
from .takes import ask_for_own, find_take, scene_of, timing_of

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
        files: What else the engine is told: `actor`, `layout`, `save_actor`, `exports`; see docs/design.md. An actor and a
            layout that are chosen in the panel are read where none is given. `page=None` makes no report for the panel.

    Raises:
        BonesetterError: There is nothing to solve, or no engine.
    """
    began = time.perf_counter()
    session.errors.pop(collection.session_uid, None)
    session.just_installed = False
    ask_for_own(collection)
    take, basis = gather_take(scene, collection), basis_of(collection)
    folder = session.engine.folder
    # of several takes that are solved in one go none may overwrite another's
    source, result = (folder / f"{name}-{collection.session_uid}.npz" for name in ("take", "pose"))
    known = folder / f"actor-{collection.session_uid}.json"
    stands, unheld = given_stands(collection), None
    if span is None:
        files.setdefault("labelled", str(folder / f"labelled-{collection.session_uid}.npz"))
        files.setdefault("page", str(folder / f"report-{collection.session_uid}.html"))
        save_actor = Path(files.setdefault("save_actor", str(known)))
        files["unheld"] = str(unheld := folder / f"unheld-{collection.session_uid}.npz")
    else:
        begin_at = start_of(collection, span)
        stands = {foot: [[first - begin_at, last - begin_at] for first, last in spans] for foot, spans in stands.items()}
        take, save_actor = part_of(take, span), None
        known.write_text(collection.bonesetter.solved_actor, encoding="utf-8")
        files["actor"] = str(known)
        # a range is too short to tell that a label is wrong throughout the take
        files["labels"] = settled_labels(collection)
    save_take(take, source)
    if (kept := collection.bonesetter.kept_actor) is not None:
        files.setdefault("actor", write_kept(kept, folder))
    chosen = settings or settings_of(collection)
    if span is not None:
        # the range's actor is that of the whole take
        chosen = replace(chosen, fit_actor=False)
    request = {"take": str(source), "out": str(result), "settings": asdict(chosen)}
    job = session.engine.submit(engine_python(), {**request, **files_of(collection), **files, "stands": stands})
    first = collection.bonesetter.armature is None
    uid, name = collection.session_uid, collection.name
    return Solve(uid, name, job, result, began, first, span, save_actor, unheld=unheld, given=tuple(stands), basis=basis)


def finish(scene: bpy.types.Scene, solve: Solve) -> list[Solved]:
    """Put the result into the scene: the only step that changes anything there, so it is one step to undo.

    Args:
        scene: The one that is shown. Where the take lies in another, that one is meant.
        solve: A solve that has its answer.

    Returns:
        The take with the engine's report; of a take in which several people were found, a take that was made of each.

    Raises:
        BonesetterError: The take is gone.
    """
    answer = solve.job.answer
    assert answer is not None
    collection = find_take(solve.take)
    scene = scene_of(collection, scene)
    people = answer.get("people", [])
    if not people:
        return [(collection, _apply(scene, collection, solve, answer))]
    source, timing = collection.bonesetter, timing_of(collection)
    takes = [load_take(Path(one["take"])) for one in people]
    made = build_people(scene, takes, timing, ImportOptions(), Path(source.path))
    # the actor's file is one, and they are several
    own = solve._replace(actor=None, unheld=None, given=())
    return [(one, _apply(scene, one, own._replace(basis=basis_of(one)), said)) for one, said in zip(made, people, strict=True)]


def _apply(scene: bpy.types.Scene, collection: bpy.types.Collection, solve: Solve, answer: dict[str, Any]) -> dict[str, Any]:
    """Put what the engine said of one person onto a take; returns its report."""
    pose = load_pose(Path(answer["result"]))
    Path(answer["result"]).unlink()
    report = answer["report"]
    if said := keep_edited(collection):
        report["findings"].append(Finding("edited pose", said).document(int))
        report["warnings"].append(said)
    markers, settings = solve.basis
    if answer.get("labelled"):
        as_it_was = basis_of(collection)[0] == markers
        _take_labels(scene, collection, Path(answer["labelled"]), report)
        markers = basis_of(collection)[0] if as_it_was else markers
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
        collection.bonesetter.seconds = time.perf_counter() - solve.began
        _keep_report(collection, report)
        keep_page(collection, Path(answer["page"]) if answer.get("page") else None)
        note_solved(collection, (markers, settings))
    collection.bonesetter.result = uuid4().hex
    keep_doubtful(scene, collection)
    return report


def keep_doubtful(scene: bpy.types.Scene, collection: bpy.types.Collection) -> None:
    """List the markers that are to be looked at, by what the filter and the solve make of them."""
    if (review := review_of(scene, collection)) is not None:
        states, take = review.states, review.take
        flagged, far = np.isin(states.codes, tuple(FLAGGED.values())), states.codes == State.FAR
        found = doubtful(flagged, far, states.off, take.labels, take.rate_hz, review.frame)
        replace_findings(collection, KINDS, [each.document(review.frame) for each in found])


def _take_labels(scene: bpy.types.Scene, collection: bpy.types.Collection, path: Path, report: dict[str, Any]) -> None:
    """Put the take's samples under the labels that were found by motion; what the report says of these is then said of such markers."""
    take = load_take(path)
    path.unlink()
    regroup_markers(scene, collection, take)
    for finding in report["findings"]:
        finding["columns"] = {label: columns for label, columns in finding["columns"].items() if label not in take.labels}


def _note_range(collection: bpy.types.Collection, span: tuple[int, int]) -> None:
    take, noted = collection.bonesetter, named_range(collection, span)
    ranges = [each for each in take.solved_ranges.split(", ") if each and each != noted]
    take.solved_ranges = ", ".join([*ranges, noted])


def named_range(collection: bpy.types.Collection, span: tuple[int, int]) -> str:
    """A range of a take's samples as frames of the scene, such as "800 to 900"."""
    timing = timing_of(collection)
    first, last = (round(timing.start + timing.step * sample) for sample in span)
    return f"{first} to {last}"


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
