# SPDX-License-Identifier: GPL-3.0-or-later
"""--resume: what is solved already is left alone, what is out of date is solved again, and nothing else is overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.actors.actor_file import write_actor
from model.actors.prior import bundled
from model.core.settings import Settings
from model.core.take import Axis, Take
from model.engine import pipeline
from model.files.c3d_writer import write_c3d
from model.result.solution import Solution
from model.shell import resume
from model.shell.cli import main
from model.synthetic.synthesis import SyntheticTake


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, solved: Callable[[Axis], Solution]) -> list[str]:
    """The truth instead of the solver; records which takes were solved. A take called `two` shows two people."""
    names: list[str] = []

    def solve_people(take: Take, *_: Any, **__: Any) -> tuple[Solution, ...]:
        names.append(take.name)
        whole = solved("Z")

        def called(name: str) -> Solution:
            return replace(whole, clean=replace(whole.clean, take=replace(whole.clean.take, name=name)))

        return tuple(called(f"{take.name}.{who}") for who in ("Ann", "Bob")) if take.name == "two" else (called(take.name),)

    monkeypatch.setattr(pipeline, "solve_people", solve_people)
    return names


@pytest.fixture
def run(tmp_path: Path, synthetic: SyntheticTake, asked: list[str]) -> Callable[..., list[str]]:
    """Solves three takes with --resume and more; says which were solved."""
    for name in ("one", "two", "three"):
        write_c3d(synthetic.take, tmp_path / f"{name}.c3d")

    def solve(*more: str, code: int = 0) -> list[str]:
        asked.clear()
        takes = [str(tmp_path / f"{name}.c3d") for name in ("one", "two", "three")]
        assert main(["solve", *takes, "--out", str(tmp_path / "out"), "--resume", "--workers", "1", *more]) == code
        return list(asked)

    return solve


def test_only_what_is_missing_is_solved(run: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == ["one", "two", "three"]
    capsys.readouterr()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert run() == []
    assert capsys.readouterr().out == "3 of 3 takes are up to date.\n"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    (tmp_path / "out" / "two.Bob.bvh").unlink()
    (tmp_path / "out" / "three.npz").unlink()
    assert run() == ["two", "three"]
    assert set(before) == set((tmp_path / "out").iterdir())
    (tmp_path / "out" / "one.json").write_text("{")
    assert run("--format", "npz", code=1) == [], "whose files they are is not known any more"
    assert "one.npz exists already" in capsys.readouterr().err


def test_what_is_out_of_date_is_solved_again(run: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    # the same content under another time is the same
    os.utime(tmp_path / "one.c3d")
    assert run() == []
    content = bytearray((tmp_path / "one.c3d").read_bytes())
    content[-1] ^= 1
    (tmp_path / "one.c3d").write_bytes(content)
    assert run() == ["one"]
    assert run("--smooth", "0.5") == ["one", "two", "three"]
    actor = bundled().mean_actor()
    write_actor(actor, tmp_path / "actor.json")
    with_actor = ("--smooth", "0.5", "--actor", str(tmp_path / "actor.json"))
    assert (run(*with_actor), run(*with_actor)) == (["one", "two", "three"], [])
    write_actor(replace(actor, marker_offsets=actor.marker_offsets + 0.001), tmp_path / "actor.json")
    assert run(*with_actor) == ["one", "two", "three"]
    monkeypatch.setattr(resume, "ENDINGS", {".safetensors"})
    assert run(*with_actor) == ["one", "two", "three"], "another version of the code"


def test_files_of_the_user_are_not_overwritten(run: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "one.bvh").write_text("mine")
    (tmp_path / "out" / "one.json").write_text(json.dumps({"made_from": "love"}))
    assert run(code=1) == ["two", "three"]
    assert (tmp_path / "out" / "one.bvh").read_text() == "mine"
    assert "one.bvh exists already" in capsys.readouterr().err


def test_the_digest_knows_weights_marker_sets_and_settings_and_no_number_of_threads(tmp_path: Path) -> None:
    take = tmp_path / "a.c3d"
    take.write_bytes(b"1")
    code = tmp_path / "code"
    (code / "weights").mkdir(parents=True)
    weights = code / "weights" / "w.safetensors"
    weights.write_bytes(b"1")

    def digest(settings: Settings | None = None) -> str:
        return resume.Recipe(settings or Settings(), (None,), folders=(code,)).digest(take)

    first = digest()
    assert len(first) == 64
    assert digest(Settings(workers=7)) == first
    assert digest(Settings(seed=7)) != first
    weights.write_bytes(b"2")
    assert digest() != first
    names = [path.name for path in resume._sources(resume.PACKAGE)]
    assert {"proposer.safetensors", "prior.safetensors", "cmu41.json", "fit.py"} <= set(names)
    take.unlink()
    assert digest() == ""
