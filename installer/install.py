# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the solver: download what the lock file says, build an environment beside, try it, and put it in place."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from model.storage.locking import lock_file

from . import store as stores
from .download import fetch
from .errors import InstallError
from .interpreters import Interpreter, ask, environment, quiet
from .lock import CPU, CUDA, MANAGED, UV, Lock, Wheel, fetch_command, pythons, read_lock, target

#: An installed solver takes so many times the space of its wheels, by what torch is built for: measured with torch 2.13, and of CUDA with
#: 2.8 for Windows, whose wheel of 3.46 GB unpacks to 7.4; on Linux it is 1.8.
UNPACKED = {CPU: 3.6, CUDA: 2.2}
#: What the solver imports, tried before an environment counts as whole.
TRIAL = "import numpy, scipy.linalg, scipy.signal, safetensors.torch, torch; torch.linalg.cholesky(torch.eye(3))"

#: Is told a stage, for people, and bytes done and to do, which are 0 where a stage cannot tell; raises CancelledError to end it.
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """What to install.

    Attributes:
        store: The folder that holds environments.
        base: The Python to build on.
        device: `CPU` or `CUDA`.
        wheels: A folder of wheels that is looked into first.
        index: A mirror of the package index; empty for the locked addresses.
        online: Whether the network may be used at all.
    """

    store: Path
    base: str
    device: str = CPU
    wheels: Path | None = None
    index: str = ""
    online: bool = True


def install(request: Request, report: Report) -> stores.Installed:
    """Install, and remove what was there before.

    Raises:
        InstallError: It could not be done; what was installed before is as it was, and what was downloaded is kept.
        CancelledError: From `report`.
    """
    report("Looking around", 0, 0)
    base, name = suitable(request)
    lock = read_lock(name)
    with held(request.store) as folder:
        discard(folder / stores.BUILDING)
        check_space(folder, lock)
        wheels = download_all(request, lock, folder / stores.DOWNLOADS, report)
        building = folder / stores.BUILDING
        try:
            made = build(building, base, wheels, lock, report)
            done = folder / lock.digest
            discard(done)
            made.replace(done)
        finally:
            discard(building)
        stores.remove(folder, keep=(done.name, stores.PYTHONS))
    return stores.Installed(done, lock.target, lock.digest)


def suitable(request: Request) -> tuple[Interpreter | None, str]:
    """The Python to build on, or None for one that uv fetches, and the lock's target."""
    base = ask(request.base)
    if name := target(base.version, base.machine, request.device):
        return base, name
    name = target(MANAGED, base.machine, request.device)
    if name is None:
        raise InstallError(
            f"There is no solver for this computer (Python {base.version[0]}.{base.version[1]}, {base.machine}, {request.device}): choose "
            "a Python with torch in Bonesetter's preferences."
        )
    if not request.online:
        oldest, *_, newest = [f"{major}.{minor}" for major, minor in pythons(base.machine, request.device)]
        raise InstallError(
            f"There is no solver for Python {base.version[0]}.{base.version[1]}, and without the network no other can be fetched: choose "
            f"Python {oldest} to {newest} in Bonesetter's preferences."
        )
    return None, name


@contextmanager
def held(store: Path) -> Iterator[Path]:
    """A store that no other process installs into.

    Raises:
        InstallError: Another one does, the folder cannot be written, or the disk is full.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        with (store / stores.BUSY).open("ab") as stream:
            if not lock_file(stream):
                raise InstallError("Another installation of the solver is under way: wait until it has ended.")
            (store / stores.DOWNLOADS).mkdir(exist_ok=True)
            yield store
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InstallError(f"The disk of {store} is full: free some space, then press Install Solver again.") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise InstallError(f"{store} cannot be written ({error.strerror}): Bonesetter needs this folder for the solver.") from error
        raise


def discard(folder: Path) -> None:
    """Remove a folder, if it is there and can be removed: the next installation tries again."""
    with suppress(OSError):
        stores.clear(folder)


def check_space(store: Path, lock: Lock) -> None:
    """Refuse before anything is downloaded where the disk cannot hold it."""
    there = sum(path.stat().st_size for path in (store / stores.DOWNLOADS).iterdir())
    needed = max(lock.size - there, 0) + UNPACKED[lock.device] * lock.size
    free = shutil.disk_usage(store).free
    if free < needed:
        raise InstallError(
            f"The solver needs {needed / 1e9:.1f} GB on the disk of {store}, where {free / 1e9:.1f} GB are free: free some space, then "
            "press Install Solver again."
        )


def download_all(request: Request, lock: Lock, folder: Path, report: Report) -> dict[str, Path]:
    """All wheels by the names of their packages."""
    if not request.online:
        check_given(lock, folder, request.wheels)
    before, paths = 0, {}
    for wheel in lock.wheels:

        def progress(done: int, wheel: Wheel = wheel, before: int = before) -> None:
            report(f"Downloading {wheel.name}", before + done, lock.size)

        progress(0)
        paths[wheel.name] = fetch(wheel, folder, progress, request.wheels, request.index)
        before += wheel.size
    return paths


def check_given(lock: Lock, folder: Path, given: Path | None) -> None:
    """Without the network, every wheel must be here already."""
    places = [place for place in (folder, given) if place]
    lacking = [wheel.filename for wheel in lock.wheels if not any((place / wheel.filename).is_file() for place in places)]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InstallError(
            f'{given or "The folder of wheels"} lacks {lacking[0]}{more}: fetch all of them by "{fetch_command(lock.target)}" in the '
            "unpacked extension on a computer with a network, or allow online access (Preferences > System > Network)."
        )


def build(folder: Path, base: Interpreter | None, wheels: dict[str, Path], lock: Lock, report: Report) -> Path:
    """Make an environment of wheels in a new folder, and try whether it can solve."""
    made = folder / "environment"
    uv = unpack_uv(wheels[UV], folder)
    report("Making the environment", 0, 0)
    python = [base.path] if base else [f"{MANAGED[0]}.{MANAGED[1]}", "--managed-python"]
    # relocatable, since it is moved into place when it is whole
    run([uv, "venv", "--no-project", "--relocatable", "--python", *python, made], folder, report, online=base is None)
    report("Unpacking", 0, 0)
    files = [path for name, path in wheels.items() if name != UV]
    run([uv, "pip", "install", "--python", stores.python_of(made), "--no-deps", *files], folder, report)
    report("Trying it", 0, 0)
    run([stores.python_of(made), "-I", "-c", TRIAL], folder, report)
    stores.mark(made, lock.target, lock.digest)
    return made


def unpack_uv(wheel: Path, folder: Path) -> Path:
    """uv's program out of its wheel."""
    name = "uv.exe" if os.name == "nt" else "uv"
    with zipfile.ZipFile(wheel) as archive:
        (inside,) = [entry for entry in archive.namelist() if entry.endswith(f".data/scripts/{name}")]
        folder.mkdir(parents=True)
        (folder / name).write_bytes(archive.read(inside))
    (folder / name).chmod(0o755)
    return folder / name


def run(command: list[str | Path], folder: Path, report: Report, *, online: bool = False) -> None:
    """Run a program to its end, or until nobody wants it any more.

    Raises:
        InstallError: It failed.
    """
    variables = {name: value for name, value in environment().items() if not name.startswith("UV_PYTHON_") or online}
    settings = {
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_PYTHON_INSTALL_DIR": str(folder.parent / stores.PYTHONS),
        **({} if online else {"UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}),
    }
    log = folder / "log"
    with log.open("w+b") as stream:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=variables | settings, **quiet()
        )
        try:
            while True:
                try:
                    code = process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    report("", 0, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        stream.seek(0)
        words = stream.read().decode(errors="replace")
    log.unlink()
    if code:
        if "No space left" in words or "os error 112" in words:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise InstallError(_failed(Path(command[0]).stem, code, words))


def _failed(name: str, code: int, words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if "rror" in line), max(len(lines) - 2, 0))
    said = " ".join(lines[first : first + 3]) or f"exit code {code}"
    return (
        f"The solver was downloaded, but cannot be set up here ({name}: {said[:300]}): choose another Python in Bonesetter's preferences, "
        "then press Install Solver again."
    )
