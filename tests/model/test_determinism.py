# SPDX-License-Identifier: GPL-3.0-or-later
"""The same take, settings and seed give the same bytes; a solve writes where it was told to, and asks no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from model.files.c3d_writer import write_c3d
from model.synthetic.synthesis import synthesise

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("bvh", "npz", "c3d", "trc")
#: Notes, of what Python tells its auditors, which files are written, made, moved or removed, and whom anybody asks by network.
#: Imported by every Python that starts, the workers too, since it lies on PYTHONPATH as `sitecustomize`.
AUDIT = """
import os, sys
LOG = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.rmtree"}
ASKING = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}

def audit(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, int) or not (flags & WRITING if isinstance(flags, int) else set(str(mode)) & set("wax+")):
            return
        places = [path]
    elif event in CHANGING:
        places = [place for place in arguments[:2] if isinstance(place, (str, bytes, os.PathLike))]
    elif event in ASKING:
        places = ["network: " + repr(arguments)]
    else:
        return
    for place in places:
        place = os.fsdecode(place)
        place = place if place.startswith("network") else os.path.abspath(place)
        os.write(LOG, (event + " " + place + "\\n").encode())

sys.addaudithook(audit)
"""


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("takes")
    paths = [folder / f"{name}.c3d" for name in ("one", "two")]
    for seed, path in enumerate(paths):
        write_c3d(synthesise(0.7, seed=seed).take, path)
    return paths


def solve(takes: list[Path], out: Path, *under: str, **environment: str) -> None:
    command = [*under, sys.executable, "-m", "model", "solve", *map(str, takes), "--out", str(out), "--format", *FORMATS]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def elsewhere(noted: list[str], out: Path, temporary: Path, *more: str) -> list[str]:
    """What was noted of other places than these folders and the beginnings that are allowed besides."""
    allowed = (f"{out}{os.sep}", f"{temporary}{os.sep}", os.devnull, *more)
    # a file without a name is opened by its folder's
    return [place for place in noted if not place.startswith(allowed) and place not in (str(out), str(temporary))]


def test_the_same_bytes_in_another_process(takes: list[Path], tmp_path: Path) -> None:
    """Under another hash seed, too: no order of a set decides anything."""
    solve(takes[:1], tmp_path / "a", PYTHONHASHSEED="1")
    solve(takes[:1], tmp_path / "b", PYTHONHASHSEED="2")
    for kind in FORMATS:
        assert (tmp_path / "a" / f"one.{kind}").read_bytes() == (tmp_path / "b" / f"one.{kind}").read_bytes(), kind
    first, second = (json.loads((tmp_path / name / "one.json").read_text()) | {"seconds": None} for name in "ab")
    assert first == second


def test_nothing_is_written_elsewhere_and_no_network_asked(takes: list[Path], tmp_path: Path) -> None:
    site, out, temporary, log = (tmp_path / name for name in ("site", "out", "temporary", "log"))
    site.mkdir()
    temporary.mkdir()
    log.touch()
    (site / "sitecustomize.py").write_text(AUDIT)
    watched = {"PYTHONPATH": str(site), "AUDIT_LOG": str(log), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    solve(takes, out, **watched)
    noted = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    inside = [place for place in noted if place.startswith(f"{out}{os.sep}")]
    assert len(inside) >= 2 * len(FORMATS), "the workers are watched"
    assert elsewhere(noted, out, temporary) == []
    assert list(temporary.iterdir()) == [], "nothing is left among temporary files"


#: What strace tells of: calls that change files, and that reach other machines.
CALLS = (
    "open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat"
    ",connect,bind,sendto,sendmsg"
)


def changed(line: str) -> list[str]:
    """The paths that a call changed, or whom it reached; none where it failed, or only read."""
    name, _, rest = re.sub(r"^\d+\s+", "", line).partition("(")
    if " = -1 " in rest or "resumed>" in line:
        return []
    if name in {"connect", "bind", "sendto", "sendmsg"}:
        return [f"network: {line}"] if "AF_INET" in rest else []
    if name in {"open", "openat"} and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", rest):
        return []
    # a relative path follows the folder that it begins at
    found = re.findall(r'(?:<(/[^>]*)>, )?"((?:[^"\\]|\\.)*)"', rest)
    return [str(Path(folder) / path) for folder, path in found]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_sees_nothing_written_elsewhere_either(takes: list[Path], tmp_path: Path) -> None:
    """Torch, ezc3d and LAPACK open files without telling Python's auditors."""
    out, temporary, log = (tmp_path / name for name in ("out", "temporary", "log"))
    temporary.mkdir()
    watching = ("strace", "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-o", str(log))
    solve(takes, out, *watching, TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1")
    noted = [place for line in log.read_text(errors="replace").splitlines() for place in changed(line)]
    assert len([place for place in noted if place.startswith(f"{out}{os.sep}")]) >= 2 * len(FORMATS)
    # the semaphores that the workers share are no files on a disk
    assert elsewhere(noted, out, temporary, "/dev/shm/sem.") == []
