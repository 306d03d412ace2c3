# SPDX-License-Identifier: GPL-3.0-or-later
"""A small solver: wheels that are made here, their lock file, and a server that has them and can fail."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uv

from installer import lock as locks


class Server:
    """Serves a folder's files. `breaks` says after how many bytes a file's connection ends, once; `status` what is answered instead."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.breaks, self.status = folder, {}, {}
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *_arguments: Any) -> None:  # noqa: A002
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rpartition("/")[2]
        self.asked.append((name, handler.headers["Range"]))
        if status := self.status.get(name):
            return handler.send_error(status)
        if not name:
            links = "".join(f'<a href="/{path.name}#sha256=0">{path.name}</a>' for path in self.folder.iterdir())
            content, start = links.encode(), 0
        else:
            content = (self.folder / name).read_bytes()
            start = int((handler.headers["Range"] or "bytes=0-")[6:-1])
        if start and start >= len(content):
            return handler.send_error(416)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start : self.breaks.pop(name, len(content))])
        handler.close_connection = True
        return None

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    made = Server(folder)
    yield made
    made.close()


@pytest.fixture
def progress() -> Callable[[int], None]:
    return lambda _done: None


@pytest.fixture
def make_wheel(server: Server) -> Callable[..., locks.Wheel]:
    """Puts a wheel on the server and returns what a lock file says of it."""

    def make(name: str, files: dict[str, bytes]) -> locks.Wheel:
        path = server.folder / f"{name}-1.0-py3-none-any.whl"
        about = {
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{name}-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        inside = files | about
        record = f"{name}-1.0.dist-info/RECORD"
        with zipfile.ZipFile(path, "w") as archive:
            for entry, content in inside.items():
                archive.writestr(entry, content)
            archive.writestr(record, "".join(f"{entry},,\n" for entry in [*inside, record]))
        content = path.read_bytes()
        return locks.Wheel(name, "1.0", f"{server.address}/{path.name}", len(content), hashlib.sha256(content).hexdigest())

    return make


@pytest.fixture
def small_solver(make_wheel: Callable[..., locks.Wheel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[locks.Wheel]:
    """A lock file of this Python and machine with uv and a package `muscle`, which is all that the solver needs."""
    program = Path(uv.find_uv_bin())
    wheels = [
        make_wheel("muscle", {"muscle.py": b"STRENGTH = 1\n"}),
        make_wheel("uv", {f"uv-1.0.data/scripts/{program.name}": program.read_bytes()}),
    ]
    monkeypatch.setattr(locks, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr("installer.install.TRIAL", "import muscle")
    write_lock(wheels)
    return wheels


def write_lock(wheels: list[locks.Wheel]) -> None:
    """The lock file for this Python and machine."""
    known = locks.PLATFORMS.setdefault((sys.platform, platform.machine().lower()), "here")
    locks.LOCKS.mkdir(exist_ok=True)
    entries = "".join(
        f"[[packages]]\nname = {json.dumps(wheel.name)}\nversion = '1.0'\n"
        f"wheels = [{{ url = '{wheel.url}', size = {wheel.size}, hashes = {{ sha256 = '{wheel.sha256}' }} }}]\n"
        for wheel in wheels
    )
    locks.path_of(f"{known}-cp{sys.version_info[0]}{sys.version_info[1]}-cpu").write_text(entries, encoding="utf-8")
