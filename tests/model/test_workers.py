# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes solved side by side in processes: what is broken or crashes costs itself alone, and nothing depends on how many there are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from model.core.settings import Settings
from model.files.c3d_writer import write_c3d
from model.shell.workers import count_of, threads_of
from model.storage.atomic import STAGING
from model.synthetic.synthesis import synthesise

ROOT = Path(__file__).resolve().parents[2]
#: Ends a process that opens a file of that name as a crash in a library does.
CRASH = """
import os, signal, sys
def audit(event, arguments):
    if event == "open" and str(arguments[0]).endswith("crash.c3d"):
        os.kill(os.getpid(), signal.SIGSEGV)
sys.addaudithook(audit)
"""


def command(takes: Sequence[Path], out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "model", "solve", *map(str, takes), "--out", str(out), *more]


def solve(takes: Sequence[Path], out: Path, *more: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)} if site else None
    return subprocess.run(command(takes, out, *more), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def results(out: Path) -> dict[str, object]:
    """Everything that was written, but for seconds."""
    found: dict[str, object] = {}
    for path in sorted(out.iterdir()):
        found[path.name] = path.read_bytes() if path.suffix != ".json" else json.loads(path.read_text()) | {"seconds": None}
    return found


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("takes")
    paths = [folder / f"{name}.c3d" for name in ("a", "bad", "b", "crash", "c", "worse")]
    for seed, path in enumerate(paths):
        write_c3d(synthesise(0.5, seed=seed).take, path)
    paths[1].write_text("no")
    paths[5].write_bytes(paths[0].read_bytes()[:3000])
    return paths


@pytest.mark.skipif(sys.platform == "win32", reason="the crash is made by a signal")
def test_broken_takes_and_a_crash_cost_themselves_alone(takes: list[Path], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    run = solve(takes, tmp_path / "out", "--workers", "2", site=tmp_path)
    assert run.returncode == 1
    said = run.stderr.splitlines()
    assert len(said) == 3, run.stderr
    assert said[0].endswith("bad.c3d is not a C3D file, whatever it is called: export it again.")
    assert said[1].startswith(f"{takes[3]}: The process that solved it ended unexpectedly (exit code -{int(signal.SIGSEGV)}; ")
    assert "worse.c3d" in said[2]
    assert [line.partition(":")[0] for line in run.stdout.splitlines() if not line.startswith(" ")] == ["a", "b", "c"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.{kind}" for name in "abc" for kind in ("bvh", "npz", "json")}
    again = solve(takes, tmp_path / "out", "--workers", "2", "--resume")
    assert again.stdout.startswith("3 of 6 takes are up to date.\ncrash: 60 frames in "), "now that nothing crashes"


def test_results_depend_on_neither_order_nor_number(takes: list[Path], tmp_path: Path) -> None:
    sound = [takes[0], takes[2], takes[4]]
    assert solve(sound, tmp_path / "one", "--workers", "1").returncode == 0
    assert solve(sound[::-1], tmp_path / "three", "--workers", "3").returncode == 0
    assert results(tmp_path / "one") == results(tmp_path / "three")
    assert len(results(tmp_path / "one")) == 9


@pytest.mark.skipif(sys.platform == "win32", reason="of a killed process Windows keeps the files open for a while")
def test_who_is_killed_leaves_no_worker_and_no_half_file(takes: list[Path], tmp_path: Path) -> None:
    for sent, name in ((signal.SIGKILL, "kill"), (signal.SIGINT, "interrupt")):
        out = tmp_path / name
        run = subprocess.Popen(
            command([takes[0], takes[2]], out, "--workers", "2"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a shell's background has it ignored, and who begins there inherits that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        while len(workers := children(run.pid)) < 2:
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(sent)
        _, complained = run.communicate()
        assert run.returncode == (-sent if sent == signal.SIGKILL else 130)
        assert complained == (b"" if sent == signal.SIGKILL else b"Stopped.\n")
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            time.sleep(0.05)
        left = [path for path in out.iterdir() if sent == signal.SIGINT or not path.name.startswith(STAGING)]
        assert len(left) % 3 == 0, "whole takes or none"
    assert solve([takes[0], takes[2]], tmp_path / "kill", "--resume").returncode == 0
    assert {path.name for path in (tmp_path / "kill").iterdir()} == {f"{one}.{kind}" for one in "ab" for kind in ("bvh", "npz", "json")}


def children(process: int) -> list[int]:
    return [int(each) for thread in Path(f"/proc/{process}/task").iterdir() for each in (thread / "children").read_text().split()]


def test_what_ends_a_run_is_said_once(takes: list[Path], tmp_path: Path) -> None:
    run = solve([takes[0], takes[2]], tmp_path / "out", "--workers", "2", "--device", "none")
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1] == "Torch cannot compute on 'none' here: choose auto or cpu."
    assert run.stderr.count("Torch cannot") == 1


@pytest.mark.parametrize(
    ("workers", "takes", "processes", "threads"), [(0, 1, 0, None), (1, 9, 0, None), (2, 9, 2, 1), (8, 3, 3, 2), (7, 200, 7, 1)]
)
def test_the_machine_is_used(workers: int, takes: int, processes: int, threads: int | None) -> None:
    assert count_of(workers, takes) == processes
    assert threads is None or threads_of(workers, processes) == threads
    assert Settings().workers == 0
