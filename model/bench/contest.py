# SPDX-License-Identifier: GPL-3.0-or-later
"""One contestant in a process of its own: `python -m model.bench.contest KEY ACTORS FOLDER RUNS [CASE ...]`, without these cases.

Time and peak memory are then its own, and a crash takes nobody else along. Its standard output is two lines of JSON for each case,
when it is begun and when it is solved, then one with its version and its peak memory.
"""

# ruff: noqa: E402
from __future__ import annotations

from ..core.threads import share_the_machine

share_the_machine()

import contextlib
import sys
from importlib import import_module

#: {peer: what it imports before scipy}. Momentum brings a C++ library of its own, and crashes in its progress bar where scipy loaded
#: another one earlier.
BEFORE_SCIPY = {"momentum_track": "pymomentum.marker_tracking"}
if __name__ == "__main__" and sys.argv[1] in BEFORE_SCIPY:
    with contextlib.suppress(ImportError):  # which is said when the peer is asked
        import_module(BEFORE_SCIPY[sys.argv[1]])

import json
import os
import resource
import statistics
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..actors.actor import Actor
from ..actors.actor_file import read_actor, write_actor
from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.rigid import quaternions
from ..core.rotations import unitquat_to_rotmat
from ..core.take import FloatArray, Take
from ..files.exchange import load_take
from .contestants import OURS
from .peers import PEERS, Calibrating, load

#: Those who are slow get this many frames, of one take for each condition.
EXCERPT = 300
#: Of the first case, solved before the clock runs: libraries load and compile what they need.
WARM_UP = 60
#: A take is solved so often, and the median counts, while all of that took less than this, in s: short times are noisy ones.
TIMES, SHORT_S = 3, 2.0

Solve = Callable[[Actor | None, Take], tuple[Motion, FloatArray | None, Actor | None]]


def ours() -> tuple[Solve, str]:
    """Our solver; without an actor it fits one."""
    from ..core.settings import Settings
    from ..engine.pipeline import solve_take

    def solve(actor: Actor | None, take: Take) -> tuple[Motion, FloatArray | None, Actor | None]:
        solution = solve_take(take, Settings(), actor)
        motion = Motion(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0], take.rate_hz)
        return motion, in_order(solution.markers_model, solution.clean.take.labels, take.labels), solution.actor

    return solve, "this"


def network(key: str, runs: Path) -> tuple[Solve, str]:
    """A trained network, which moves the bones of the actor it is given."""
    from ..actors import prior as priors
    from ..study.joint_network import read_network
    from ..study.predict import predict

    prior = priors.bundled()
    trained, _ = read_network(runs / key / "weights.safetensors", prior)

    def solve(actor: Actor | None, take: Take) -> tuple[Motion, FloatArray | None, Actor | None]:
        assert actor is not None
        motion, markers = predict(trained, prior, actor, take)
        return motion, in_order(markers, actor.labels, take.labels), None

    return solve, f"{sum(p.numel() for p in trained.parameters()) / 1e6:.1f} M numbers"


def peer(key: str) -> tuple[Solve, str]:
    """Another program."""
    module = load(key)

    def solve(actor: Actor | None, take: Take) -> tuple[Motion, FloatArray | None, Actor | None]:
        assert actor is not None
        # a label that was lost in all frames has no place on the actor that was fitted to the take
        known = take.only([row for row, label in enumerate(take.labels) if label in actor.labels])
        solved = module.solve(actor, known)
        return solved.motion, None if solved.markers is None else in_order(solved.markers, known.labels, take.labels), None

    return solve, module.version()


def in_order(markers: FloatArray, labels: tuple[str, ...], wanted: tuple[str, ...]) -> FloatArray:
    """Markers (frames, labels, 3) in another order of labels; NaN for those that are not there."""
    ordered = np.full((len(markers), len(wanted), 3), np.nan)
    for row, label in enumerate(wanted):
        if label in labels:
            ordered[:, row] = markers[:, labels.index(label)]
    return ordered


def calibrated(key: str, actor: Actor, clean: Take) -> Actor:
    """What a peer that has a calibration of its own makes of the actor that ours fitted; of others, that actor."""
    module = load(key) if key in PEERS else None
    return module.calibrate(actor, clean) if isinstance(module, Calibrating) else actor


def main(key: str, actors: str, folder: Path, runs: Path, left_out: Collection[str] = ()) -> None:
    """Solve every case of a folder, but for those left out, with one kind of actor: "none", "fitted" or "true"."""
    # what libraries print must not get among the answers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**facts: object) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    solve, version = ours() if key == OURS else peer(key) if key in PEERS else network(key, runs)
    slow = key in PEERS and load(key).SLOW
    out = folder / f"{key}-{actors}"
    out.mkdir(exist_ok=True)
    takes = {path.name.removesuffix(".take.npz"): load_take(path) for path in sorted(folder.glob("*.take.npz"))}
    for number, (case, take) in enumerate((excerpts(takes) if slow else takes).items()):
        if case in left_out:
            continue
        say(begun=case)
        actor = None if actors == "none" else read_actor(folder / f"{case}.{actors}.json")
        if number == 0 and not slow:
            with contextlib.suppress(Exception):
                solve(actor, middle(take, WARM_UP))
        try:
            if actor is not None and actors == "fitted":
                actor = calibrated(key, actor, load_take(folder / f"{case}.clean.npz"))
            (motion, markers, fitted), seconds = timed(solve, actor, take)
        except Exception as error:  # whatever another program raises is its row's
            say(case=case, error=str(error) if isinstance(error, BonesetterError) else f"{type(error).__name__}: {error}")
            continue
        if fitted is not None and actors == "none":
            write_actor(fitted, folder / f"{case}.fitted.json")
        save_solved(out / f"{case}.npz", motion, markers)
        say(case=case, seconds=seconds, frames=take.frames)
    say(version=version, peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, slow=slow)


def timed(solve: Solve, actor: Actor | None, take: Take) -> tuple[tuple[Motion, FloatArray | None, Actor | None], float]:
    """What a solve gives, and the seconds that it takes: see `TIMES`."""
    seconds: list[float] = []
    while True:
        begin = time.perf_counter()
        solved = solve(actor, take)
        seconds.append(time.perf_counter() - begin)
        if len(seconds) >= TIMES or sum(seconds) >= SHORT_S:
            return solved, statistics.median(seconds)


def excerpts(takes: dict[str, Take]) -> dict[str, Take]:
    """The middle of the first take of each condition; a case's name is its take's and its condition."""
    first = {take.name.partition(" ")[2]: case for case, take in reversed(takes.items())}
    return {case: middle(takes[case], EXCERPT) for case in sorted(first.values())}


def middle(take: Take, frames: int) -> Take:
    """The middle of a take."""
    start = max(0, (take.frames - frames) // 2)
    return replace(take, positions=take.positions[start : start + frames], residuals=take.residuals[start : start + frames])


def save_solved(path: Path, motion: Motion, markers: FloatArray | None) -> None:
    """Write what came out, as it came out: a frame that failed stays NaN."""
    finite = np.isfinite(motion.rotations).all(axis=(1, 2, 3))
    quats = np.full((*motion.rotations.shape[:2], 4), np.nan)
    if finite.any():
        quats[finite] = quaternions(motion.rotations[finite])
    none = np.full((motion.frames, 0, 3), np.nan)
    np.savez(path, rotations=quats, root=motion.root, bones=motion.skeleton.bones, markers=none if markers is None else markers)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
