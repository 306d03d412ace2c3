# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.actors.actor_file import read_actor
from model.core.settings import Settings
from model.core.take import Axis, Take
from model.engine import pipeline
from model.engine.worker import serve
from model.files.c3d_writer import write_c3d
from model.files.exchange import save_take
from model.marker_sets.marker_set import FOLDER
from model.result.solution import Solution
from model.shell.cli import COMMANDS, main
from model.synthetic.synthesis import SyntheticTake, synthesise

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def c3d(tmp_path: Path, synthetic: SyntheticTake) -> Path:
    write_c3d(synthetic.take, tmp_path / "walk.c3d")
    return tmp_path / "walk.c3d"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, solved: Callable[[Axis], Solution]) -> list[Settings]:
    """The shell around the truth instead of the solver; records the settings of each solve."""
    asked: list[Settings] = []

    def solve_take(
        take: Take,
        settings: Settings,
        actor: object,
        progress: Callable[[str, float], None],
        marker_set: object = None,
        stands: object = None,
    ) -> Solution:
        asked.append(settings)
        progress("pose", 0.5)
        if take.frames == 7:
            raise ZeroDivisionError("seven")
        return solved("Z")

    monkeypatch.setattr(pipeline, "solve_take", solve_take)
    return asked


def test_warnings_of_numpy_reach_no_terminal(tmp_path: Path) -> None:
    program = (
        "import argparse, sys, numpy, model.shell.picture as picture; from model.shell.cli import main\n"
        "picture.run = lambda parsed: int(numpy.nanmean(numpy.full(3, numpy.nan)) > 0)\n"
        "picture.add_arguments = lambda parser: None\n"
        "sys.exit(main(['picture']))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stderr == ""


def test_a_take_is_solved_for_real(tmp_path: Path) -> None:
    write_c3d(synthesise(seconds=1.0).take, tmp_path / "walk.c3d")
    out, actor = tmp_path / "out", tmp_path / "actor.json"
    assert main(["solve", str(tmp_path / "walk.c3d"), "--out", str(out), "--save-actor", str(actor)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["walk.bvh", "walk.json", "walk.npz"]
    report = json.loads((out / "walk.json").read_text())
    assert report["frames"] == 120
    assert report["marker_residual_mm"]["mean"] < 8
    assert next(iter(report["seconds"])) == "read"
    assert list(report["seconds"])[-1] == "write"
    again = ["solve", str(tmp_path / "walk.c3d"), "--out", str(out), "--actor", str(actor), "--format", "npz", "--force"]
    assert main(again) == 0


@pytest.mark.usefixtures("quick")
def test_nothing_is_overwritten_without_force(c3d: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["solve", str(c3d), "--out", str(tmp_path), "--format", "bvh"]
    (tmp_path / "walk.bvh").write_text("mine")
    assert main(arguments) == 1
    assert (tmp_path / "walk.bvh").read_text() == "mine"
    assert capsys.readouterr().err == f"{c3d}: {tmp_path / 'walk.bvh'} exists already: use --force to overwrite it.\n"
    assert main([*arguments, "--force"]) == 0
    assert (tmp_path / "walk.bvh").read_text() != "mine"


@pytest.mark.usefixtures("quick")
def test_one_bad_take_does_not_stop_the_others(
    c3d: Path, synthetic: SyntheticTake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.c3d").write_text("no")
    seven = synthesise(seconds=7 / 120).take
    write_c3d(seven, tmp_path / "seven.c3d")
    takes = [str(tmp_path / name) for name in ("bad.c3d", "seven.c3d", "none.c3d", "walk.c3d")]
    assert main(["solve", *takes, "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
    said = capsys.readouterr()
    errors = said.err.strip().splitlines()
    assert len(errors) == 3
    assert errors[0] == f"{takes[0]} is not a C3D file, whatever it is called: export it again."
    assert "failed unexpectedly (ZeroDivisionError: seven)" in errors[1]
    assert "cannot be read" in errors[2]
    assert "Traceback" not in said.err
    assert said.out.startswith("walk: 1200 frames in ")
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {"walk"}


def test_thresholds_reach_the_solver(c3d: Path, tmp_path: Path, quick: list[Settings]) -> None:
    thresholds = [
        "--max-speed",
        "4",
        "--rigid-tolerance",
        "25",
        "--max-residual",
        "3",
        "--max-gap",
        "0.25",
        "--smooth",
        "0.5",
        "--lock-feet",
        "--keep-guessed",
        "--device",
        "cpu",
        "--workers",
        "3",
        "--seed",
        "7",
    ]
    assert main(["solve", str(c3d), "--out", str(tmp_path / "out"), *thresholds]) == 0
    assert main(["solve", str(c3d), "--out", str(tmp_path / "usual")]) == 0
    assert quick == [Settings(4.0, 25.0, 3.0, 0.25, 0.5, lock_feet=True, keep_guessed=True, device="cpu", workers=3, seed=7), Settings()]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["solve"],
        ["solve", "a.c3d"],
        ["solve", "a.c3d", "--out", "o", "--format", "fbx"],
        ["solve", "a.c3d", "--out", "o", "--max-speed", "-1"],
        ["solve", "a.c3d", "--out", "o", "--max-speed", "quick"],
        ["solve", "a.c3d", "--out", "o", "--max-gap", "nan"],
        ["solve", "a.c3d", "--out", "o", "--smooth", "1.5"],
        ["solve", "x/a.c3d", "y/a.c3d", "--out", "o"],
        ["solve", "x/a.c3d", "y/A.C3D", "--out", "o"],
        ["solve", "a.c3d", "b.c3d", "--out", "o", "--save-actor", "actor.json"],
        ["solve", "a.c3d", "--out", "o", "--save-actor", "o/a.json"],
        ["solve", "a.c3d", "--out", "file"],
    ],
)
def test_wrong_usage(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    try:
        code = main(arguments)
    except SystemExit as exit_:  # argparse's own way
        code = exit_.code
    assert code == 2
    assert capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_layout_is_taken_and_a_bad_one_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = synthesise(seconds=1.0).take
    write_c3d(replace(take, labels=tuple(f"Spot{number}" for number in range(41))), tmp_path / "walk.c3d")
    layout = json.loads((FOLDER / "cmu41.json").read_text())
    for number, label in enumerate(take.labels):
        marker = next(marker for marker in layout["markers"] if marker["label"] == label)
        marker["aliases"] = [f"Spot{number}"]
    (tmp_path / "mine.json").write_text(json.dumps(layout))
    arguments = ["solve", str(tmp_path / "walk.c3d"), "--out", str(tmp_path / "out"), "--format", "npz"]
    assert main(arguments) == 0
    report = json.loads((tmp_path / "out" / "walk.json").read_text())
    assert "labelled" in {finding["kind"] for finding in report["findings"]}
    assert main([*arguments, "--force", "--layout", str(tmp_path / "mine.json")]) == 0
    report = json.loads((tmp_path / "out" / "walk.json").read_text())
    assert report["marker_residual_mm"]["mean"] < 8
    assert "labelled" not in {finding["kind"] for finding in report["findings"]}
    capsys.readouterr()
    (tmp_path / "mine.json").write_text(json.dumps(layout | {"core_groups": ["hat"]}))
    for name, why in (("mine.json", "'hat', which is not defined"), ("none.json", "No such file")):
        assert main([*arguments, "--force", "--layout", str(tmp_path / name)]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"{name} cannot be read as a marker set (")
        assert why in said
        assert said.count("\n") == 1


def test_the_engine_takes_a_layout(tmp_path: Path) -> None:
    take = synthesise(seconds=1.0).take
    save_take(replace(take, labels=tuple(f"{label}X" for label in take.labels)), tmp_path / "take.npz")
    layout = json.loads((FOLDER / "cmu41.json").read_text())
    for marker in layout["markers"]:
        marker["aliases"] = [f"{marker['label']}X"]
    (tmp_path / "mine.json").write_text(json.dumps(layout))
    answers: list[dict[str, Any]] = []
    request = {"take": str(tmp_path / "take.npz"), "out": str(tmp_path / "pose.npz")}
    serve(request | {"layout": str(tmp_path / "mine.json")}, answers.append)
    assert answers[-1]["result"] == request["out"]
    serve(request | {"layout": str(tmp_path / "gone.json")}, answers.append)
    assert answers[-1]["error"].startswith("gone.json cannot be read as a marker set")


def test_the_engine_fits_an_actor_alone(tmp_path: Path) -> None:
    take = synthesise(seconds=1.0).take
    save_take(take, tmp_path / "take.npz")
    answers: list[dict[str, Any]] = []
    request = {"fit": True, "take": str(tmp_path / "take.npz"), "out": str(tmp_path / "actor.json")}
    serve(request, answers.append)
    assert answers[-1] == {"result": request["out"]}
    assert {answer["stage"] for answer in answers[:-1]} == {"match", "clean", "propose", "calibrate"}
    labels = read_actor(tmp_path / "actor.json").labels
    # a second of the take may have no trusted sample of some
    assert set(labels) <= set(take.labels)
    assert len(labels) > 30


def test_an_actor_that_is_none(c3d: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(c3d), "--out", str(tmp_path / "out"), "--actor", str(tmp_path / "none.json")]) == 1
    assert "cannot be read (No such file" in capsys.readouterr().err


def test_an_interrupt_is_quiet(c3d: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> Solution:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "solve_take", interrupt)
    assert main(["solve", str(c3d), "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_as_a_process_without_torch_where_none_is_needed(tmp_path: Path) -> None:
    """Also without bpy, whose import fails here: None in sys.modules does that."""
    code = (
        "import sys; sys.modules['bpy'] = None\n"
        "from model.shell.cli import main\n"
        "import model.files.bvh, model.files.c3d, model.files.npz, model.files.output, model.markers.cleaning\n"
        "import model.result.report, model.shell.solve\n"
        f"code = main(['synthesise', {str(tmp_path / 'a.c3d')!r}, '--seconds', '1'])\n"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.c3d").stat().st_size > 10_000


def test_no_help_waits_for_what_is_slow_to_load() -> None:
    """All in one process: what one of them loads is loaded for all."""
    code = (
        "import sys\n"
        "from model.shell.cli import COMMANDS, main\n"
        "for command in [None, *COMMANDS]:\n"
        "    try:\n"
        "        main([command, '--help'] if command else ['--help'])\n"
        "    except SystemExit as done:\n"
        "        loaded = sorted({'torch', 'matplotlib', 'roma', 'bpy'} & set(sys.modules))\n"
        "        if done.code or loaded:\n"
        "            sys.exit(f'{command}: {done.code}, {loaded}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: ") == len(COMMANDS) + 1


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_named_as_what_the_shell_adds(name: str) -> None:
    """What was typed went under `given`, where `ends --given` was looked for: it was always on."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"model.{COMMANDS[name][0]}").add_arguments(parser)
    named = {action.dest for action in parser._actions}
    assert not named & {"command", "command_parser", "run", "typed"}
