# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at every stage of a solve: no half file, one sentence where there is anybody left to say it, and the next solve works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model.core.errors import BonesetterError
from model.core.memory import within_memory
from model.engine.stages import PROGRESS_AFTER
from model.files.c3d_writer import write_c3d
from model.storage.atomic import STAGING
from model.synthetic.synthesis import synthesise

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="faults are made by fork, signals and limits")

#: Forks for every stage, so that torch is loaded once, and makes a fault there; prints what came of each as a line of JSON.
#: Arguments: the take, a folder, how, stages.
PROGRAM = """
import contextlib, io, json, os, resource, shutil, signal, sys
from pathlib import Path
from model.core.threads import share_the_machine
share_the_machine()
from model.engine import pipeline
from model.files import npz, output
from model.shell.cli import main

take, folder, how, *stages = sys.argv[1:]

def fault(out):
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "memory":
        raise MemoryError
    if how == "torch":
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    if how == "removed":
        shutil.rmtree(out)

def solve(stage, out):
    staging, writing = pipeline.Stopwatch.stage, npz.write_npz

    @contextlib.contextmanager
    def at(watch, name):
        with staging(watch, name) as part:
            if name == stage:
                fault(out)
            yield part

    def write(*arguments):
        if stage == "write":
            fault(out)
        writing(*arguments)

    pipeline.Stopwatch.stage, npz.write_npz = at, write
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(["solve", take, "--out", str(out), "--workers", "1"])
    return {"code": code, "said": said.getvalue()}

for stage in stages:
    out = Path(folder) / stage
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.write(write, json.dumps(solve(stage, out)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        found = stream.read()
    status = os.waitpid(child, 0)[1]
    print(json.dumps({"stage": stage, "status": status, **json.loads(found or "{}")}), flush=True)
"""
STAGES = [*PROGRESS_AFTER, "write"]


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("take") / "walk.c3d"
    write_c3d(synthesise(0.5, seed=1).take, path)
    return path


def faults(take: Path, folder: Path, how: str, stages: list[str]) -> dict[str, dict[str, Any]]:
    """What came of the fault, by stage."""
    command = [sys.executable, "-c", PROGRAM, str(take), str(folder), how, *stages]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = {each["stage"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert list(found) == stages
    return found


def test_killed_at_every_stage_no_half_file_is_left_and_the_next_solve_works(take: Path, tmp_path: Path) -> None:
    for stage, found in faults(take, tmp_path, "kill", STAGES).items():
        assert found["status"] == 9, stage
        assert all(path.name.startswith(STAGING) for path in (tmp_path / stage).iterdir()), stage
    assert list((tmp_path / "write").iterdir()), "it was killed between two files"
    again = faults(take, tmp_path, "nothing", ["write"])["write"]
    assert again["code"] == 0, again
    assert {path.name for path in (tmp_path / "write").iterdir()} == {"walk.bvh", "walk.npz", "walk.json"}


@pytest.mark.parametrize("how", ["memory", "torch"])
def test_out_of_memory_at_every_stage_is_one_sentence(take: Path, tmp_path: Path, how: str) -> None:
    for stage, found in faults(take, tmp_path, how, STAGES).items():
        assert found["code"] == 1, stage
        assert found["said"].count("\n") == 1
        assert "walk" in found["said"]
        assert "needs more memory than is free" in found["said"]
        assert list((tmp_path / stage).iterdir()) == [], stage


def test_an_output_folder_that_is_removed_meanwhile_is_one_sentence(take: Path, tmp_path: Path) -> None:
    for stage, found in faults(take, tmp_path, "removed", ["clean", "pose", "write"]).items():
        assert found["code"] == 1, stage
        assert "cannot be written (No such file or directory)" in found["said"]
        assert found["said"].count("\n") == 1
        assert not (tmp_path / stage).exists()


def test_other_errors_are_not_taken_for_want_of_memory() -> None:
    with pytest.raises(RuntimeError, match="sizes"), within_memory("walk"):
        raise RuntimeError("sizes differ")
    with pytest.raises(BonesetterError, match="walk needs more memory"), within_memory("walk"):
        raise MemoryError


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte; a test that asks for one is skipped where nobody may mount it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=300k", "none", folder], capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_and_a_read_only_disk_are_one_sentence_and_then_the_solve_works(take: Path, tmp_path: Path, disk: Path) -> None:
    command = [sys.executable, "-m", "model", "solve", str(take), "--out"]

    def said(out: Path) -> str:
        done = subprocess.run([*command, str(out)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == (1 if done.stderr else 0)
        return done.stderr

    (disk / "filling").write_bytes(b"0" * 250_000)
    assert "cannot be written (No space left on device): choose another folder or free some space." in said(disk / "out")
    assert list((disk / "out").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert "cannot be written (Read-only file system)" in said(disk / "out")
    subprocess.run(["mount", "-o", "remount,rw,size=20m", disk], check=True)
    assert said(disk / "out") == ""
    assert {path.name for path in (disk / "out").iterdir()} == {"walk.bvh", "walk.npz", "walk.json"}


def test_a_limit_of_memory_costs_the_take_alone(take: Path, tmp_path: Path) -> None:
    """The system gives the process less than a long take needs."""
    path = tmp_path / "long.c3d"
    write_c3d(synthesise(300.0, seed=1).take, path)
    program = (
        "import resource, sys, torch\n"
        "from pathlib import Path\n"
        "from model.shell.cli import main\n"
        "assert main(['solve', sys.argv[1], '--out', sys.argv[3], '--workers', '1']) == 0\n"
        "taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (taken + 60_000_000, resource.RLIM_INFINITY))\n"
        "assert main(['solve', sys.argv[2], '--out', sys.argv[3], '--workers', '1']) == 1\n"
        "resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "assert main(['solve', sys.argv[1], '--out', sys.argv[3], '--workers', '1', '--force']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(take), str(path), str(tmp_path / "out")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "long needs more memory than is free" in done.stderr or "long.c3d needs more memory than is free" in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"walk.bvh", "walk.npz", "walk.json"}
