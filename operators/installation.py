# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation of the solver under way, as Blender sees it: a process of its own. Knows nothing of bpy.

A thread reads what it says into a queue and touches nothing else; whoever owns the installation polls it from the main thread.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..installer.interpreters import environment
from ..installer.lock import CPU
from ..model.core.errors import BonesetterError
from .engine import ROOT, Message, detached, read_messages

#: Run in Blender's Python: argument 1 goes first on its path.
BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from installer.process import main; main()"
#: How long Blender waits for it to end when it is cancelled, in s.
PATIENCE = 1.0


@dataclass(frozen=True)
class Wanted:
    """What to install: see installer.install.Request, whose fields these are; `proxy` is an address or empty."""

    store: Path
    base: str
    device: str = CPU
    wheels: str = ""
    index: str = ""
    proxy: str = ""
    online: bool = True

    def line(self) -> bytes:
        """As the process reads it."""
        return json.dumps({**vars(self), "store": str(self.store)}).encode() + b"\n"


class Installation:
    """The process, and what it said last.

    Attributes:
        stage: What it does, for people.
        done: Bytes that are there.
        total: Bytes in all; 0 where the stage does not count.
    """

    def __init__(self, wanted: Wanted, python: str = sys.executable) -> None:
        """Start it.

        Raises:
            BonesetterError: Python cannot be run.
        """
        self.stage, self.done, self.total = "Looking around", 0, 0
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-c", BOOT, str(ROOT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
                **detached(),
            )
        except OSError as error:
            raise BonesetterError(f"{python} cannot be run ({error}): choose another Python in Bonesetter's preferences.") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.write(wanted.line())
            self._process.stdin.flush()
        threading.Thread(
            target=read_messages, args=(self._process.stdout, self._messages), name="Bonesetter installation's words", daemon=True
        ).start()

    @property
    def part(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 1.0

    def poll(self, timeout: float = 0.0) -> str | None:
        """Take in what it said, waiting for at most `timeout` seconds for the first word.

        Returns:
            The new environment's Python once it is there, else None.

        Raises:
            BonesetterError: It failed; the text says what to do.
        """
        with suppress(queue.Empty):
            message = self._messages.get(timeout=timeout) if timeout else self._messages.get_nowait()
            while True:
                if message is None:
                    raise BonesetterError(self._obituary())
                if "error" in message:
                    raise BonesetterError(message["error"])
                if "python" in message:
                    return message["python"]
                if "stage" in message:
                    self.stage, self.done, self.total = message["stage"], message["done"], message["total"]
                message = self._messages.get_nowait()
        return None

    def cancel(self) -> None:
        """End it. What was downloaded is kept for the next time.

        It may go on tidying up for some seconds: it is not killed, since the programs that it runs would outlive it.
        """
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)

    def _obituary(self) -> str:
        assert self._process.stderr is not None
        words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
        return (
            f"The installation ended unexpectedly ({words[-1] if words else f'exit code {self._process.wait()}'}): press Install Solver "
            "again, and it goes on from where it was."
        )
