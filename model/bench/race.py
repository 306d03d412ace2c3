# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the contestants, each in a process of its own, and scores what they give back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np

from ..actors.actor_file import write_actor
from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.rotations import unitquat_to_rotmat
from ..core.scores import Figures, score
from ..core.skeleton import Skeleton
from ..datasets.lab_takes import PROJECT
from ..files.exchange import save_take
from .cases import Case, excerpt
from .contest import EXCERPT
from .contestants import TRUTH, Contestant
from .peers import ENVIRONMENTS
from .results import Actors, Entry, Line

#: A contestant that takes longer than this for all cases is stopped; what it has solved counts.
LONGEST_S = 900.0


def write_cases(cases: Sequence[Case], folder: Path) -> None:
    """Put the takes, those to calibrate on and the true actors where contestants find them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases):
        save_take(case.take, folder / f"{file_name(number)}.take.npz")
        save_take(case.clean, folder / f"{file_name(number)}.clean.npz")
        write_actor(case.actor, folder / f"{file_name(number)}.true.json")


def file_name(number: int) -> str:
    """The name of a case's files: its number, so that they sort as the cases do."""
    return f"{number:02d}"


def race(contestant: Contestant, actors: Actors, cases: Sequence[Case], folder: Path, runs: Path, told: Callable[[str], None]) -> Entry:
    """Let one contestant solve all cases.

    Args:
        contestant: Who.
        actors: "none": it fits its own; "fitted": those that our solver fitted; "true".
        cases: As written to `folder`.
        folder: Of the cases; what the contestant gives back is kept there too.
        runs: Where trained networks are.
        told: Called with each case that is done.
    """
    lines: list[Line] = []
    last: dict[str, Any] = {}
    errors = folder / f"{contestant.key}-{actors}.log"
    for answer in _answers(contestant, actors, folder, runs, errors):
        if "case" not in answer:
            last = answer
            continue
        case = cases[int(answer["case"])]
        told(case.name)
        lines.append(_line(contestant, actors, case, answer, folder))
    error = None
    if not last:
        error = _last_words(errors)
    return Entry(
        contestant.key,
        contestant.kind,
        actors,
        lines,
        last.get("version", ""),
        last.get("peak_mb", float("nan")),
        last.get("slow", False),
        error,
    )


def truth_of(cases: Sequence[Case]) -> Entry:
    """The truth of every case, scored against itself: what a perfect solve would have."""
    lines = []
    for case in cases:
        figures = _by_name(score(case.truth, case.truth, case.markers, case.markers, case.take.up_axis))
        lines.append(Line(TRUTH, "true", case.name, case.condition, figures, None, 0.0))
    return Entry(TRUTH, "truth", "true", lines, "", float("nan"), False, None)


def _answers(contestant: Contestant, actors: Actors, folder: Path, runs: Path, errors: Path) -> Iterator[dict[str, Any]]:
    """What the contestant's processes say, line by line: after a crash in one case, which is its error, another goes on with the next.

    It is stopped when it takes too long or nobody listens any more.
    """
    command = [str(contestant.python), "-m", "model.bench.contest", contestant.key, actors, str(folder), str(runs)]
    end, done = time.monotonic() + LONGEST_S, set[str]()
    with errors.open("w") as log:
        while True:
            begun: str | None = None
            try:
                process = subprocess.Popen([*command, *sorted(done)], stdout=subprocess.PIPE, stderr=log, text=True, cwd=PROJECT)
            except OSError as error:
                environment = ENVIRONMENTS.get(contestant.key, "bench")
                log.write(f"{contestant.python}: {error.strerror}: tools/environment {environment} makes its environment\n")
                return
            for answer in _lines(process, end - time.monotonic()):
                if "begun" in answer:
                    begun = answer["begun"]
                else:
                    done |= {answer["case"]} if "case" in answer else set()
                    yield answer
            if process.returncode >= 0:
                return
            if begun is None or begun in done or time.monotonic() >= end:
                log.write(f"its process ended with {process.returncode}: it crashed, or took longer than {LONGEST_S:.0f} s\n")
                return
            done.add(begun)
            yield {"case": begun, "error": f"its process crashed: it ended with {process.returncode}"}


def _lines(process: subprocess.Popen[str], seconds: float) -> Iterator[dict[str, Any]]:
    """The lines of JSON that a process says, until it ends or its seconds are over."""
    timer = Timer(max(0.0, seconds), process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
        process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()


def _last_words(log: Path) -> str:
    """The last line of what a process that failed wrote, which is Python's error."""
    words = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return words[-1] if words else "its process ended without a word"


def _line(contestant: Contestant, actors: Actors, case: Case, answer: dict[str, Any], folder: Path) -> Line:
    """Score one answer."""
    who = (contestant.key, actors, case.name, case.condition)
    if "error" in answer:
        return Line(*who, None, answer["error"], 0.0)
    if answer["frames"] < case.take.frames:
        case = excerpt(case, EXCERPT)
    try:
        figures = _figures(case, folder / f"{contestant.key}-{actors}" / f"{answer['case']}.npz")
    except BonesetterError as error:
        return Line(*who, None, str(error), answer["seconds"])
    return Line(*who, figures, None, answer["seconds"])


def _figures(case: Case, path: Path) -> dict[str, float]:
    with np.load(path) as solved:
        quats, root, bones = solved["rotations"], solved["root"], solved["bones"]
        markers = solved["markers"] if solved["markers"].size else None
    lost = ~np.isfinite(quats).all(axis=-1)
    # scipy refuses what is no number; the frame is marked as failed again afterwards
    rotations = unitquat_to_rotmat(np.where(lost[..., None], [1.0, 0.0, 0.0, 0.0], quats))
    rotations[lost] = np.nan
    truth = case.truth
    estimate = Motion(Skeleton(truth.skeleton.joints, truth.skeleton.parents, bones), rotations, root, truth.rate_hz)
    return _by_name(score(estimate, truth, markers, case.markers if markers is not None else None, case.take.up_axis))


def _by_name(figures: Figures) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(figures).items()}
