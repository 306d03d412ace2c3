# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine process: reads requests as JSON lines, answers as JSON lines, and ends when its standard input does.

The protocol is in docs/design.md. Arrays travel as npz files (files/exchange.py).
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..core.loading import uncollected
from ..core.progress import StageProgress
from ..core.threads import share_the_machine

if TYPE_CHECKING:
    from ..core.take import Take
    from ..result.solution import Solution

#: What a solve imports and a plain Python may lack.
NEEDED = ("numpy", "safetensors", "scipy", "torch")

#: Progress is told in steps of at least this, so that a fast solver does not flood the pipe.
STEP = 0.005

Answer = Callable[[dict[str, Any]], None]


class CancelledError(Exception):
    """Nobody wants the answer any more."""


def main(arguments: list[str]) -> None:
    """Serve until standard input ends; with `--probe`, say hello and end."""
    share_the_machine()
    answer = _claim_stdout()
    missing = missing_modules()
    torch = importlib.util.find_spec("torch") is not None
    answer({"hello": {"python": platform.python_version(), "torch": torch, "missing": missing}})
    if "--probe" in arguments:
        return
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    cancelled: set[int] = set()
    wanted = threading.Event()
    threading.Thread(target=_read, args=(sys.stdin.buffer, requests, cancelled, wanted), name="requests", daemon=True).start()
    if not missing:
        warm_up(wanted.is_set)
    while True:
        line = requests.get()
        try:
            request = json.loads(line)
            number = request["id"]
        except (ValueError, TypeError, KeyError):
            answer({"error": "The engine was sent something that is no request: restart Blender."})
            continue
        serve(request, lambda message, number=number: answer({"id": number, **message}), lambda number=number: number in cancelled)
        cancelled.discard(number)


def serve(request: dict[str, Any], answer: Answer, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Carry out one request, until it is cancelled; whatever goes wrong becomes an answer."""
    # Here, not above: hello must come out before anything slow is imported.
    from ..core.errors import BonesetterError
    from ..core.memory import give_back, within_memory

    try:
        if "ping" in request:
            answer({"result": None})
        else:
            work = _fit if request.get("fit") else _hold if request.get("hold") else _solve
            with within_memory("The take"):
                done = work(request, _telling(answer, cancelled))
            answer(done)
    except CancelledError:
        answer({"cancelled": True})
    except BonesetterError as error:
        answer({"error": str(error)})
    except Exception as error:  # a bug, which must not end the engine: the trace goes to the log
        traceback.print_exc()
        sys.stderr.flush()
        detail = traceback.format_exc()
        answer({"error": f"The engine failed ({type(error).__name__}: {error}).", "detail": detail})
    # it may wait for hours
    give_back()


def missing_modules() -> list[str]:
    """Which of `NEEDED` this Python lacks; nothing is imported to know."""
    specs = {name: importlib.util.find_spec(name) for name in NEEDED}
    # of a folder that was left behind there is a spec too, but without an origin
    return [name for name, spec in specs.items() if spec is None or spec.origin is None]


def warm_up(wanted: Callable[[], bool]) -> None:
    """Load what every solve needs, and solve nobody, while the user still looks at the panel.

    A failure is told by the solve that meets it.

    Args:
        wanted: Whether somebody waits for an answer meanwhile: then nobody is left unsolved.
    """
    try:
        # here, because hello comes first: this brings torch
        with uncollected():
            from ..files import bvh, exchange, output  # noqa: F401  # what a solve reads and writes with
            from .rehearsal import rehearse

        rehearse(wanted)
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()


def _telling(answer: Answer, cancelled: Callable[[], bool]) -> StageProgress:
    """What the stages tell their progress to."""
    told = ("", -1.0)

    def progress(stage: str, fraction: float) -> None:
        nonlocal told
        if cancelled():
            raise CancelledError
        if stage != told[0] or fraction - told[1] >= STEP:
            told = (stage, fraction)
            answer({"progress": fraction, "stage": stage})

    return progress


def _fit(request: dict[str, Any], progress: StageProgress) -> dict[str, Any]:
    """Fit an actor to a take and write it."""
    from ..actors.actor_file import write_actor
    from ..core.settings import Settings
    from ..files.exchange import load_take
    from ..marker_sets.marker_set import load_marker_set
    from .pipeline import fit_actor

    marker_set = load_marker_set(Path(request["layout"])) if request.get("layout") else None
    actor = fit_actor(load_take(Path(request["take"])), Settings(**request.get("settings", {})), progress, marker_set)
    write_actor(actor, Path(request["out"]))
    return {"result": request["out"]}


def _hold(request: dict[str, Any], progress: StageProgress) -> dict[str, Any]:
    """Hold the feet of a solved take once more."""
    from ..actors.actor_file import read_actor
    from ..core.settings import Settings
    from ..files.exchange import load_unheld, save_pose
    from .holding import hold_again

    progress("feet", 0.0)
    unheld, actor = load_unheld(Path(request["unheld"])), read_actor(Path(request["actor"]))
    save_pose(hold_again(unheld, actor, Settings(**request.get("settings", {})), request.get("stands")), Path(request["out"]))
    return {"result": request["out"]}


def _solve(request: dict[str, Any], progress: StageProgress) -> dict[str, Any]:
    from ..actors.actor_file import read_actor
    from ..core.settings import Settings
    from ..files.exchange import load_take
    from ..marker_sets.marker_set import load_marker_set
    from .pipeline import solve_people

    take = load_take(Path(request["take"])).under(request.get("labels", {}))
    actor = read_actor(Path(request["actor"])) if request.get("actor") else None
    marker_set = load_marker_set(Path(request["layout"])) if request.get("layout") else None
    settings, stands = Settings(**request.get("settings", {})), request.get("stands")
    solutions = solve_people(take, settings, actor, progress, marker_set=marker_set, stands=stands)
    if len(solutions) == 1:
        return {**_written(solutions[0], request), **_labelled(take, solutions[0], request)}
    return {"people": [_of_person(solution, take.name, request) for solution in solutions]}


def _written(solution: Solution, request: dict[str, Any]) -> dict[str, Any]:
    """The answer for a solution, whose files have been written."""
    from ..files.exchange import save_pose, save_unheld
    from ..files.output import write_outputs
    from ..rigs.choices import SkeletonChoice

    save_pose(solution, Path(request["out"]))
    if request.get("unheld") and solution.unheld is not None:
        save_unheld(solution.unheld, Path(request["unheld"]))
    exports = {name: Path(path) for name, path in request.get("exports", {}).items()}
    page = {"html": Path(request["page"])} if request.get("page") else {}
    save_actor = Path(request["save_actor"]) if request.get("save_actor") else None
    skeleton = SkeletonChoice(**request.get("skeleton", {}))
    report = write_outputs(solution, exports | page, actor=save_actor, skeleton=skeleton)
    return {"result": request["out"], "report": report, **({"page": request["page"]} if page else {})}


def _labelled(take: Take, solution: Solution, request: dict[str, Any]) -> dict[str, Any]:
    """Where labels were found by motion, and whoever asks wants them: the path of the take under these labels, which has been written."""
    from ..files.exchange import save_take
    from ..markers.regrouped import regrouped

    if not request.get("labelled") or not solution.clean.take.tracks_from:
        return {}
    save_take(regrouped(take, solution.clean.take), Path(request["labelled"]))
    return {"labelled": request["labelled"]}


def _of_person(solution: Solution, whole: str, request: dict[str, Any]) -> dict[str, Any]:
    """The same for one of several people of a take, whose name stands in those of all files; their markers are written, too."""
    from ..files.exchange import save_take
    from ..files.output import of_person

    name = solution.clean.take.name.removeprefix(f"{whole}.")
    own = {key: str(of_person(Path(request[key]), name)) for key in ("out", "save_actor", "unheld", "page") if request.get(key)}
    exports = {kind: str(of_person(Path(path), name)) for kind, path in request.get("exports", {}).items()}
    markers = of_person(Path(request["take"]), name)
    save_take(solution.clean.take, markers)
    return {"take": str(markers), **_written(solution, {**request, **own, "exports": exports})}


def _claim_stdout() -> Answer:
    """Keep standard output for answers alone: what libraries print, in Python or in C, goes to standard error, the log."""
    stream: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    lock = threading.Lock()

    def answer(message: dict[str, Any]) -> None:
        with lock:
            stream.write(json.dumps(message) + "\n")
            stream.flush()

    return answer


def _read(stream: IO[bytes], requests: queue.SimpleQueue[bytes], cancelled: set[int], wanted: threading.Event) -> None:
    """Standard input ends when Blender ends it or dies, also in the middle of a solve: then nobody wants the answer.

    Who pings waits until the engine is warm; who wants anything else does not.
    """
    for line in stream:
        number = _cancels(line)
        if number is not None:
            cancelled.add(number)
            continue
        requests.put(line)
        if b'"ping"' not in line:
            wanted.set()
    os._exit(0)


def _cancels(line: bytes) -> int | None:
    """The number of the request that a line cancels; None where it is a request itself."""
    try:
        number = json.loads(line)["cancel"]
    except (ValueError, TypeError, KeyError):
        return None
    return number if isinstance(number, int) else None
