# SPDX-License-Identifier: GPL-3.0-or-later
"""The installation as a process of its own, which Blender starts with its own Python: a JSON line for each word it has to say.

It reads one line from standard input, the request, and ends when standard input does: Blender cancels it by closing the pipe, and a
Blender that dies closes it too.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import traceback
from pathlib import Path

from .errors import CancelledError, InstallError
from .install import Request, install

#: Progress is told in steps of at least so many bytes.
STEP = 1_000_000


def main() -> None:
    """Install what standard input asks for, and say how it went."""
    line = sys.stdin.readline()
    wanted = json.loads(line)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        if proxy := wanted["proxy"]:
            os.environ[name] = os.environ[name.lower()] = proxy
    ended = threading.Event()
    threading.Thread(target=_watch, args=(ended,), daemon=True).start()
    told = ("", 0)

    def report(stage: str, done: int, total: int) -> None:
        nonlocal told
        if ended.is_set():
            raise CancelledError
        if stage and (stage != told[0] or abs(done - told[1]) >= STEP or (total and done == total)):
            told = (stage, done)
            _say({"stage": stage, "done": done, "total": total})

    request = Request(
        Path(wanted["store"]),
        wanted["base"],
        wanted["device"],
        Path(wanted["wheels"]) if wanted["wheels"] else None,
        wanted["index"],
        wanted["online"],
    )
    try:
        done = install(request, report)
        _say({"python": done.python})
    except CancelledError:
        _say({"cancelled": True})
    except InstallError as error:
        _say({"error": str(error)})
    except Exception as error:
        traceback.print_exc()
        _say({"error": f"The installation failed unexpectedly ({type(error).__name__}: {error}): please report it."})


def _watch(ended: threading.Event) -> None:
    """Standard input ends when nobody waits any more."""
    sys.stdin.read()
    ended.set()


def _say(message: dict[str, object]) -> None:
    # where nobody listens any more, the watch on standard input ends the work
    with contextlib.suppress(OSError):
        print(json.dumps(message), flush=True)
