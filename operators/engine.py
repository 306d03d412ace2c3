# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine process as Blender sees it: started on first use, kept warm, killed at once. Knows nothing of bpy.

A thread reads the engine's answers into a queue and touches nothing else; whoever owns a job polls it from the main thread.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..installer.interpreters import environment
from ..model.core.errors import BonesetterError
from ..model.storage.session_folder import SessionFolder

#: The extension's folder: the engine's interpreter imports `model` from there.
ROOT = Path(__file__).resolve().parent.parent

#: Environment variable that overrides the preference, for batch runs and tests.
ENGINE_PYTHON = "BONESETTER_ENGINE_PYTHON"

#: Run in the engine's interpreter, never in Blender's: argument 1 goes first on its path, the others last.
BOOT = "import sys; sys.path[:0] = sys.argv[1:2]; sys.path += sys.argv[3:]; from model.engine.worker import main; main(sys.argv[2:3])"

#: Longest wait for an interpreter to come up, in s: a cold disk and a virus scanner may need most of it.
PATIENCE = 60.0
#: How long the engine may take to give up what was cancelled, in s, before it is ended for the next request: it may be starting.
CANCEL_PATIENCE = 15.0

Message = dict[str, Any]


def lacking(python: str, missing: Sequence[str]) -> str:
    """One sentence that says what the engine's interpreter lacks and how to get it."""
    names = ", ".join(missing)
    if python == sys.executable:
        return f"The solver is not installed (Blender's Python lacks {names}): press Install Solver in the sidebar's Bonesetter tab."
    return f"{python} lacks {names}: choose another Python in Bonesetter's preferences, or press Install Solver to build on this one."


class Job:
    """One request under way.

    Attributes:
        progress: 0 to 1.
        stage: What the engine does now, for people.
        answer: The engine's last word, once there is one.
    """

    def __init__(self, engine: Engine, number: int) -> None:
        self.engine, self.number = engine, number
        self.progress = 0.0
        self.stage = "Starting the solver"
        self.answer: Message | None = None
        self.started = time.monotonic()

    def poll(self, timeout: float = 0.0) -> bool:
        """Take in what the engine said, waiting for at most `timeout` seconds; True once the answer is there.

        Raises:
            BonesetterError: The engine failed, said why it cannot, or died.
        """
        for message in self.engine.messages(timeout):
            if "hello" in message and (missing := self.engine.verdicts[self.engine.python]):
                self.engine.kill()
                raise BonesetterError(missing)
            if message.get("id") != self.number:
                continue
            if "detail" in message:
                raise BonesetterError(f"{message['error'].rstrip('.')}: {self.engine.log} has more, please report it.")
            if "error" in message:
                raise BonesetterError(message["error"])
            if "progress" in message:
                self.progress, self.stage = float(message["progress"]), str(message["stage"])
            else:
                self.answer = message
        # Silent, too: the reader may still hold the last words of a process that ended a moment ago.
        if self.answer is None and not self.engine.alive and self.engine.silent:
            raise BonesetterError(self.engine.obituary())
        return self.answer is not None

    def wait(self, progress: Callable[[str, float], None] | None = None) -> Message:
        """The synchronous path: poll until the answer is there, and return it."""
        told = None
        while not self.poll(timeout=0.1):
            if progress and told != (told := (self.stage, self.progress)):
                progress(*told)
        assert self.answer is not None
        return self.answer

    def cancel(self) -> None:
        """Nobody wants the answer any more. The engine stays warm."""
        self.engine.cancel(self.number)


class Engine:
    """One engine process, or none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._folder: SessionFolder | None = None
        self._number = 0
        #: Requests that were cancelled and not answered yet, with the time by which they must be.
        self._cancelled: dict[int, float] = {}
        #: The reader has met the end of the engine's output.
        self.silent = False
        self.python = ""
        #: What is wrong with an interpreter, by its path; empty where all is well. The panel shows it, and must not ask itself.
        self.verdicts: dict[str, str] = {}

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def folder(self) -> Path:
        """Where arrays are exchanged, and the log: a folder of this session."""
        if self._folder is None or not self._folder.path.is_dir():
            self._folder = SessionFolder()
        return self._folder.path

    @property
    def log(self) -> Path:
        return self.folder / "engine.log"

    def submit(self, python: str, request: Message) -> Job:
        """Hand the engine a request.

        It is started when it does not run, runs in another interpreter, or did not give up what was cancelled.
        """
        self.messages()
        if not self.alive or python != self.python or any(time.monotonic() > end for end in self._cancelled.values()):
            self.start(python)
        assert self._process is not None
        assert self._process.stdin is not None
        self._number += 1
        try:
            self._process.stdin.write(json.dumps({"id": self._number, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            # It died just now: the job finds out and says so, together with the engine's last words.
            pass
        return Job(self, self._number)

    def cancel(self, number: int) -> None:
        """Tell the engine that nobody wants the answer to a request any more."""
        if not self.alive:
            return
        assert self._process is not None
        assert self._process.stdin is not None
        self._cancelled[number] = time.monotonic() + CANCEL_PATIENCE
        with suppress(OSError):
            self._process.stdin.write(json.dumps({"cancel": number}).encode() + b"\n")
            self._process.stdin.flush()

    def messages(self, timeout: float = 0.0) -> list[Message]:
        """Everything said since the last call; waits for at most `timeout` seconds for the first word."""
        heard: list[Message] = []
        try:
            message = self._messages.get(timeout=timeout) if timeout else self._messages.get_nowait()
            while True:
                if message is None:
                    self.silent = True
                else:
                    heard.append(message)
                    self._note(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return heard

    def _note(self, message: Message) -> None:
        """What the engine says of itself, and that it is done with what was cancelled."""
        if "hello" in message:
            self._judge(self.python, message["hello"])
        if "progress" not in message:
            self._cancelled.pop(message.get("id", 0), None)

    def _judge(self, python: str, hello: Message) -> str:
        """What an interpreter said of itself, as one sentence on what it lacks, or nothing; remembered for the panel."""
        self.verdicts[python] = lacking(python, hello["missing"]) if hello["missing"] else ""
        return self.verdicts[python]

    def probe(self, python: str) -> str:
        """Ask an interpreter what it has, without loading any of it.

        Returns:
            One sentence on what is wrong with it, or nothing.
        """
        process = self.begin_probe(python)
        return self.end_probe(python, process) if process else self.verdicts[python]

    def begin_probe(self, python: str) -> subprocess.Popen[bytes] | None:
        """Ask, and do not wait for the answer; None where the interpreter cannot be run, which is its verdict then."""
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **detached()}
        try:
            process = subprocess.Popen[bytes](_command(python, "--probe"), **options)
        except OSError as error:
            self.verdicts[python] = _unusable(python, error.strerror or str(error))
            return None
        return process

    def end_probe(self, python: str, process: subprocess.Popen[bytes]) -> str:
        """Wait for the answer; returns as `probe` does."""
        said, complaint = b"", f"no answer within {PATIENCE:.0f} s".encode()
        try:
            said, complaint = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        try:
            return self._judge(python, json.loads(said)["hello"])
        except (ValueError, KeyError):
            self.verdicts[python] = _unusable(python, _last_line(complaint.decode(errors="replace")))
        return self.verdicts[python]

    def warm(self, python: str) -> None:
        """Start the process, if it does not run, while the user still looks at the markers; what is wrong with it Solve Markers says."""
        if not self.alive:
            with suppress(BonesetterError):
                self.start(python)

    def kill(self) -> None:
        """End the process now."""
        self._cancelled.clear()
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                # A request may still be in the pipe's buffer.
                with suppress(OSError):
                    stream.close()

    def close(self) -> None:
        """End the process and leave nothing behind."""
        self.kill()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def obituary(self) -> str:
        """One sentence on why the engine ended by itself."""
        words = _last_line(self.log.read_text(encoding="utf-8", errors="replace")) if self.log.is_file() else ""
        code = self._process.returncode if self._process else None
        return f"The engine stopped unexpectedly (exit code {code}; {words or 'it said nothing'}): see {self.log}, then try again."

    def start(self, python: str) -> None:
        """Start the process, in place of the one that runs.

        Raises:
            BonesetterError: The interpreter cannot be run.
        """
        self.kill()
        self._messages = queue.SimpleQueue()
        self.silent = False
        try:
            # a message may still name what an earlier process wrote
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    _command(python),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment(),
                    **detached(),
                )
        except OSError as error:
            raise BonesetterError(_unusable(python, str(error))) from error
        self.python = python
        assert self._process.stdout is not None
        threading.Thread(
            target=read_messages, args=(self._process.stdout, self._messages), name="Bonesetter engine's answers", daemon=True
        ).start()


def read_messages(stream: IO[bytes], messages: queue.SimpleQueue[Message | None]) -> None:
    """The reader thread: lines into the queue, None at the end."""
    try:
        for line in stream:
            try:
                messages.put(json.loads(line))
            except ValueError:
                continue
    except (OSError, ValueError):  # the stream was closed under us: the engine was killed
        pass
    messages.put(None)


def _command(python: str, mode: str = "--serve") -> list[str]:
    extra: list[str] = []
    if python == sys.executable:
        # Modules that came with extensions lie in a folder that only Blender puts on its path.
        extra = [path for path in sys.path if path.endswith("site-packages") and f"{os.sep}.local{os.sep}" in path]
    # -E and -P: neither PYTHON* variables nor the current folder decide what the engine imports.
    return [python, "-E", "-P", "-c", BOOT, str(ROOT), mode, *extra]


def detached() -> dict[str, Any]:
    """A group of its own, so that Ctrl-C in a terminal reaches Blender alone, which then ends the engine."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _unusable(python: str, why: str) -> str:
    return f"{python} cannot run the solver ({why}): choose another Python in Bonesetter's preferences, or press Install Solver."
