# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start loads and leaves, and what warms the engine up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.core.settings import Settings
from model.engine import pipeline, rehearsal
from model.engine.pipeline import solve_take
from model.engine.stages import PROGRESS_AFTER
from model.files.c3d_writer import write_c3d
from model.shell.cli import main
from model.synthetic.synthesis import Noise, synthesise

ROOT = Path(__file__).resolve().parents[2]
#: What no solve needs, and what takes long to load.
HEAVY = (
    "ezc3d",
    "torch._dynamo",
    "torch._inductor",
    "sympy",
    "roma",
    "scipy.signal",
    "scipy.spatial",
    "scipy.interpolate",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.stats",
    "matplotlib",
    "pandas",
)
SAY_WHAT_IS_LOADED = f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"


@pytest.fixture(scope="module")
def c3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("start") / "walk.c3d"
    # with gaps to fill, a sample to drop, and nothing to relabel, which takes an assignment
    write_c3d(synthesise(seconds=2.0, noise=Noise(swaps=0)).take, path)
    return path


def python(code: str, *arguments: object, temporary: Path, **more: object) -> subprocess.Popen[str]:
    """A Python of its own, with its own folder for temporary files."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        environment.pop(name, None)
    command = [sys.executable, "-c", f"import sys; sys.path[0] = {str(ROOT)!r}\n{code}", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)  # pyright: ignore[reportCallIssue, reportArgumentType]


def finished(process: subprocess.Popen[str]) -> str:
    """What it printed."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    return out


SOLVE = "from model.shell.cli import main\ncode = main(['solve', *sys.argv[1:]])\n"


def test_a_solve_loads_nothing_heavy_and_leaves_no_temporary_file(c3d: Path, tmp_path: Path) -> None:
    """With all outputs, and feet that are locked, which takes other ways than the usual."""
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    code = SOLVE + SAY_WHAT_IS_LOADED + "sys.exit(code)"
    said = finished(python(code, c3d, "--out", out, "--lock-feet", "--save-actor", out / "actor.json", temporary=temporary))
    assert said.splitlines()[-1] == "loaded []"
    assert "walk: 240 frames" in said
    assert list(temporary.iterdir()) == []


def test_the_engine_loads_nothing_heavy_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    code = (
        "from model.engine import worker\n"
        "worker.warm_up(lambda: False)\n"
        "from model.proposer.propose import bundled_network\n"
        "assert bundled_network.cache_info().currsize == 1, 'it solved nobody'\n"
    )
    assert finished(python(code + SAY_WHAT_IS_LOADED, temporary=temporary)) == "loaded []\n"
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_a_solve_that_is_ended_leaves_no_temporary_file(c3d: Path, tmp_path: Path) -> None:
    """In the middle of the work on its frames."""
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    code = (
        "import os, signal\n"
        "import model.engine.pipeline as pipeline\n"
        "pipeline.fit_poses = lambda *_: os.kill(os.getpid(), signal.SIGTERM)\n" + SOLVE
    )
    process = python(code, c3d, "--out", out, temporary=temporary)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGTERM
    assert list(temporary.iterdir()) == []
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve", "none.c3d", "--out", "out"],
        ["solve", "bad.c3d", "--out", "out"],
        ["solve", "walk.c3d", "--out", "out", "--actor", "none.json"],
        ["solve", "walk.c3d", "--out", "out", "--layout", "bad.json"],
        ["solve", "walk.c3d", "--out", "there"],
        ["evaluate", "none"],
        ["train", "none"],
        ["train-prior", "none.toml"],
        ["picture", "none.npz", "out.png"],
        ["learn", "--out", "out"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said_before_torch_is_loaded(c3d: Path, tmp_path: Path, arguments: list[str]) -> None:
    here = tmp_path / "here"
    (here / "there").mkdir(parents=True)
    (here / "walk.c3d").symlink_to(c3d)
    (here / "there" / "walk.bvh").touch()
    (here / "bad.c3d").write_text("no C3D")
    (here / "bad.json").write_text("{}")
    code = f"import os; os.environ['BONESETTER_DATA'] = {str(here)!r}; os.chdir(sys.argv[1])\n"
    code += "from model.shell.cli import main\ncode = main(sys.argv[2:])\nsys.exit('torch was loaded' if 'torch' in sys.modules else code)"
    process = python(code, here, *arguments, temporary=tmp_path)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert "torch was loaded" not in err
    assert err.count("\n") == 1, err


def test_options_are_not_taken_by_their_beginnings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["solve", "a.c3d", "--out", "o", "--rig", "3"])
    assert exit_.value.code == 2
    assert "--rig" in capsys.readouterr().err


def test_the_dummy_take_goes_through_every_stage_as_a_good_one() -> None:
    stages: list[str] = []
    solution = solve_take(rehearsal.dummy_take(), Settings(), None, lambda stage, _part: stages.append(stage))
    assert set(stages) == set(PROGRESS_AFTER)
    assert {contact.sole.foot for contact in solution.contacts} == {"LeftFoot", "RightFoot"}
    assert solution.findings == ()
    assert np.nanmean(np.linalg.norm(solution.markers_model - solution.clean.take.positions, axis=-1)) < 2e-3


def test_a_rehearsal_stops_at_once_for_what_comes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[float] = []

    def wanted() -> bool:
        heard.append(time.monotonic())
        return len(heard) > 3

    def never(*_: object) -> None:
        raise AssertionError("it went on")

    monkeypatch.setattr(pipeline, "fit_poses", never)
    rehearsal.rehearse(wanted)
    assert len(heard) == 4
    monkeypatch.setattr(rehearsal, "dummy_take", never)
    rehearsal.rehearse(lambda: True)


def test_a_ping_is_answered_by_a_warm_engine_and_anything_else_before_that(tmp_path: Path) -> None:
    """The engine's process with a rehearsal that goes on until it is interrupted, or for half a second."""
    code = (
        "import time\n"
        "from model.engine import rehearsal, worker\n"
        "def rehearse(wanted):\n"
        "    end = time.monotonic() + 0.5\n"
        "    while time.monotonic() < end and not wanted():\n"
        "        time.sleep(0.01)\n"
        "    print('interrupted' if wanted() else 'rehearsed', file=sys.stderr, flush=True)\n"
        "rehearsal.rehearse = rehearse\n"
        "worker.main([])\n"
    )
    for request, heard in (({"id": 1, "ping": True}, "rehearsed"), ({"id": 1, "read": "none.c3d", "out": "a.npz"}, "interrupted")):
        process = python(code, temporary=tmp_path, stdin=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        assert "hello" in json.loads(process.stdout.readline())
        assert json.loads(process.stdout.readline())["id"] == 1
        process.stdin.close()
        assert process.stderr.read().split()[0] == heard
        process.wait(30)
