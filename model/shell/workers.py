# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes solved side by side, in processes of their own: one that crashes costs its take alone, and the next take gets a new process.

A worker is this program, called once more with the same arguments and `--serve`. It reads the number of a take as a line of JSON and
answers with a line of JSON; what is printed meanwhile goes into the answer. It ends when its standard input does.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import IO, Any

from ..core.errors import BonesetterError
from ..core.parallel import usable_cores
from ..core.settings import Settings
from ..storage.atomic import clear_abandoned
from .cli import UsageError
from .resume import Recipe, due
from .runs import TakeJob, say

#: The option by which a program becomes a worker, with the number of threads that each of its solves has.
SERVE = "--serve"
#: How an answer begins; other lines are Blender's own.
ANSWER = "bonesetter answers: "
#: How long a worker that has nothing to do may take to end, in s.
PATIENCE = 10.0


@dataclass(frozen=True)
class Answer:
    """What a worker says of a take.

    Attributes:
        said, complained: What it printed on standard output and on standard error.
        failed: Why the take could not be solved; nothing where it was.
        ends: Why no take can be solved; nothing where they can.
        usage: `ends` is about the arguments.
    """

    said: str = ""
    complained: str = ""
    failed: str = ""
    ends: str = ""
    usage: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The option that makes a worker of a program; nobody needs to see it."""
    parser.add_argument(SERVE, type=int, help=argparse.SUPPRESS)


def solve_all(
    jobs: Sequence[TakeJob],
    recipe: Recipe,
    settings: Settings,
    given: argparse.Namespace,
    command: Sequence[str],
    solve: Callable[[Sequence[TakeJob], Settings], dict[str, str]],
) -> dict[str, str]:
    """Solve the takes of a command: here or in processes, all of them or those that are due; or, in a worker, those that it is asked for.

    Args:
        jobs: All takes of the command.
        recipe: What their results are made from.
        settings: Of the command.
        given: Its arguments: `resume`, `serve`.
        command: What calls this program with the same arguments.
        solve: Solves some takes here, see `run_each`.

    Returns:
        {name of a take that could not be solved: why}; of a worker nothing, since it has told them.

    Raises:
        UsageError, BonesetterError: No take can be solved.
    """
    if given.serve is not None:
        serve(jobs, lambda job: solve([job], replace(settings, workers=given.serve)))
        return {}
    left = due(jobs, recipe) if given.resume else jobs
    processes = count_of(settings.workers, len(left))
    if not processes:
        return solve(left, settings)
    numbers = {job.take: number for number, job in enumerate(jobs)}
    called = [*command, f"{SERVE}={threads_of(settings.workers, processes)}"]
    return solve_beside([(numbers[job.take], job) for job in left], called, processes)


def count_of(workers: int, takes: int) -> int:
    """How many processes solve so many takes.

    Args:
        workers: As the user says; 0 for one a core.
        takes: How many.

    Returns:
        The number of processes; 0 where the takes are solved here, one after the other.
    """
    return 0 if takes < 2 or workers == 1 else min(workers or usable_cores(), takes)


def threads_of(workers: int, processes: int) -> int:
    """How many threads each process has, so that all of them use what the user says; 0 for one a core."""
    return max(1, (workers or usable_cores()) // max(1, processes))


def solve_beside(jobs: Sequence[tuple[int, TakeJob]], command: Sequence[str], processes: int) -> dict[str, str]:
    """Solve takes in processes, and print what they say, in the order of the takes.

    Args:
        jobs: Each with its number in the command.
        command: Starts a worker.
        processes: How many.

    Returns:
        {name of a take that could not be solved: why}.

    Raises:
        UsageError, BonesetterError: No take can be solved.
    """
    waiting: queue.SimpleQueue[tuple[int, int, TakeJob]] = queue.SimpleQueue()
    for row, (number, job) in enumerate(jobs):
        waiting.put((row, number, job))
    answers: queue.SimpleQueue[tuple[int, Answer | Exception]] = queue.SimpleQueue()
    workers = [_Worker(command) for _ in range(processes)]
    for worker in workers:
        threading.Thread(target=_work, args=(worker, waiting, answers), name="Bonesetter worker", daemon=True).start()
    try:
        return _tell_all([job for _, job in jobs], answers)
    finally:
        for worker in workers:
            worker.end()
        for folder in {path.parent for _, job in jobs for path in job.outputs}:
            clear_abandoned(folder)


def _tell_all(jobs: Sequence[TakeJob], answers: queue.SimpleQueue[tuple[int, Answer | Exception]]) -> dict[str, str]:
    heard: dict[int, Answer | Exception] = {}
    failed: dict[str, str] = {}
    for row, job in enumerate(jobs):
        while row not in heard:
            # with a timeout, because Ctrl-C ends no other wait on Windows
            with contextlib.suppress(queue.Empty):
                number, answer = answers.get(timeout=1.0)
                heard[number] = answer
        answer = heard.pop(row)
        if isinstance(answer, Exception):
            failed[job.take.stem] = say(job, answer)
            continue
        if answer.ends:
            raise (UsageError if answer.usage else BonesetterError)(answer.ends)
        sys.stdout.write(answer.said)
        sys.stdout.flush()
        sys.stderr.write(answer.complained)
        if answer.failed:
            failed[job.take.stem] = answer.failed
    return failed


def _work(
    worker: _Worker, waiting: queue.SimpleQueue[tuple[int, int, TakeJob]], answers: queue.SimpleQueue[tuple[int, Answer | Exception]]
) -> None:
    """A thread's: takes for one worker, until there are none."""
    with contextlib.suppress(queue.Empty):
        while not worker.ended:
            row, number, job = waiting.get_nowait()
            try:
                answers.put((row, worker.ask({"take": number, "ours": job.ours})))
            except Exception as error:
                answers.put((row, error))
    worker.rest()


class _Worker:
    """A process that solves takes, started when the first is there, and anew after a crash."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._lock = threading.Lock()
        self.ended = False

    def ask(self, request: dict[str, Any]) -> Answer:
        """Have a take solved.

        Raises:
            BonesetterError: The process ended meanwhile.
        """
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        for line in process.stdout:
            if line.startswith(ANSWER.encode()):
                return Answer(**json.loads(line.removeprefix(ANSWER.encode())))
        code, last = process.wait(), self._last_words()
        self.rest()
        raise BonesetterError(f"The process that solved it ended unexpectedly (exit code {code}; {last}): solve it alone, and report it.")

    def rest(self) -> None:
        """End the process, which has nothing to do."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None

    def end(self) -> None:
        """End the process in the middle of a take: whoever waits for its answer is told that there is none."""
        self.ended = True
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self.ended:
                raise RuntimeError("nobody wants the answer")
            if self._process is None:
                self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the process has ended
                options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._complaints}
                if sys.platform == "win32":
                    options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
                else:
                    # Ctrl-C is for the program that the user started, which ends its workers
                    options["start_new_session"] = True
                self._process = subprocess.Popen[bytes](self._command, **options)
            return self._process

    def _last_words(self) -> str:
        assert self._complaints is not None
        self._complaints.seek(0)
        lines = [line.strip() for line in self._complaints.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


def serve(jobs: Sequence[TakeJob], solve: Callable[[TakeJob], dict[str, str]]) -> None:
    """Be a worker: solve the takes whose numbers come on standard input, until that ends.

    Args:
        jobs: All takes of the command.
        solve: Solves one, prints what there is to say, and returns why it could not, see `run_each`.
    """
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # what libraries print, in Python or in C, is no answer
    os.dup2(2, 1)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_read, args=(requests, busy), name="requests", daemon=True).start()
    while True:
        line = requests.get()
        if not line:
            return
        request = json.loads(line)
        answer = _answered(replace(jobs[request["take"]], ours=request["ours"]), solve)
        stream.write(f"{ANSWER}{json.dumps(asdict(answer))}\n")
        stream.flush()
        busy.clear()


def _answered(job: TakeJob, solve: Callable[[TakeJob], dict[str, str]]) -> Answer:
    with _printed() as (said, complained):
        try:
            failed = "; ".join(solve(job).values())
        except UsageError as error:
            return Answer(ends=str(error), usage=True)
        except BonesetterError as error:
            return Answer(ends=str(error))
    return Answer(said.getvalue(), complained.getvalue(), failed)


@contextlib.contextmanager
def _printed() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    said, complained = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        yield said, complained


def _read(requests: queue.SimpleQueue[bytes], busy: threading.Event) -> None:
    """Standard input ends when the program that started this ends it or dies: in the middle of a solve nobody wants its answer."""
    for line in sys.stdin.buffer:
        busy.set()
        requests.put(line)
    if busy.is_set():
        os._exit(0)
    requests.put(b"")
