# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that are shared among machines: takes from a list, parts of them, and failures that are noted for the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.core.errors import BonesetterError
from model.core.take import Axis, Take
from model.engine import pipeline
from model.files.c3d_writer import write_c3d
from model.result.solution import Solution
from model.shell.cli import main
from model.shell.failures import ENDING
from model.shell.lists import list_text, part_of, read_list
from model.synthetic.synthesis import SyntheticTake


@pytest.fixture
def session(tmp_path: Path, synthetic: SyntheticTake) -> Path:
    """A folder with takes in it, one of them broken, and a list of them beside it."""
    folder = tmp_path / "takes ü"
    (folder / "day 2").mkdir(parents=True)
    for name in ("a b", "day 2/걷기", "c"):
        write_c3d(synthetic.take, folder / f"{name}.c3d")
    (folder / "broken.c3d").write_text("no")
    (tmp_path / "list.txt").write_bytes(list_text(["a b.c3d", "day 2/걷기.c3d", "broken.c3d", "c.c3d"]))
    return tmp_path


@pytest.fixture(autouse=True)
def truth(monkeypatch: pytest.MonkeyPatch, solved: Callable[[Axis], Solution]) -> None:
    """The truth instead of the solver."""
    whole = solved("Z")

    def solve_people(take: Take, *_: Any, **__: Any) -> tuple[Solution, ...]:
        return (replace(whole, clean=replace(whole.clean, take=replace(whole.clean.take, name=take.name))),)

    monkeypatch.setattr(pipeline, "solve_people", solve_people)


def solve(session: Path, *more: str) -> int:
    listed = ["--list", str(session / "list.txt"), "--list-folder", str(session / "takes ü")]
    return main(["solve", *listed, "--out", str(session / "out"), "--format", "npz", "html", "--workers", "1", *more])


def written(session: Path, kind: str) -> set[str]:
    return {path.name.removesuffix(kind) for path in (session / "out").glob(f"*{kind}")}


@pytest.mark.parametrize("takes", [0, 1, 5, 10, 11])
@pytest.mark.parametrize("parts", [1, 2, 3, 10])
def test_parts_are_all_takes_and_as_good_as_even(takes: int, parts: int) -> None:
    names = [Path(f"{number}.c3d") for number in range(takes)]
    each = [part_of(names, number, parts) for number in range(1, parts + 1)]
    assert [name for part in each for name in part] == names
    assert max(map(len, each)) - min(map(len, each)) <= 1


def test_parts_together_solve_the_session(session: Path) -> None:
    assert solve(session, "--part", "1/2") == 0
    assert written(session, ".npz") == {"a b", "걷기"}
    assert solve(session, "--part", "2/2") == 1
    assert written(session, ".npz") == {"a b", "걷기", "c"}
    assert solve(session, "--part", "9/9", "--force") == 0, "the last of more parts than takes"
    assert solve(session, "--part", "1/9", "--force") == 0, "a part with no take in it"


def test_failure_is_noted_reported_and_forgotten_once_mended(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = session / "out"
    assert solve(session, "--note-failed") == 0, "whatever waits for this run goes on"
    assert written(session, ENDING) == {"broken"}
    assert (out / f"broken{ENDING}").read_text() == "broken.c3d is not a C3D file, whatever it is called: export it again.\n"
    capsys.readouterr()
    assert main(["report", str(out), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.err == "broken.c3d is not a C3D file, whatever it is called: export it again.\n"
    assert said.out == f"{out / 'index.html'}: the pages of all takes\n", "pages that are there are not written again"
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "3 takes:" in index
    assert "1 failed" in index
    (session / "takes ü" / "broken.c3d").write_bytes((session / "takes ü" / "c.c3d").read_bytes())
    assert solve(session, "--note-failed", "--resume") == 0
    assert not written(session, ENDING)
    assert main(["report", str(out), "--out", str(out)]) == 0
    assert "4 takes:" in (out / "index.html").read_text(encoding="utf-8")


def test_report_of_a_folder_makes_the_pages_that_are_missing(session: Path) -> None:
    solve(session)
    (session / "out" / "c.html").unlink()
    assert main(["report", str(session / "out"), "--out", str(session / "out")]) == 0
    assert written(session, ".html") == {"a b", "걷기", "c", "index"}
    assert main(["report", str(session / "out"), str(session / "takes ü" / "c.c3d"), "--out", str(session / "pages")]) == 2


def test_list_is_read_as_editors_write_it(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffa b.c3d\r\n\r\n걷기.c3d\n/elsewhere/c.c3d".encode())
    assert read_list(path) == [tmp_path / "a b.c3d", tmp_path / "걷기.c3d", Path("/elsewhere/c.c3d")]
    assert read_list(path, Path("takes"))[0] == Path("takes/a b.c3d")


def test_names_that_are_no_text_survive_a_list(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(list_text(["caf\udce9.c3d"]))
    assert (tmp_path / "list.txt").read_bytes() == b"caf\xe9.c3d\n"
    assert read_list(tmp_path / "list.txt") == [tmp_path / "caf\udce9.c3d"]


def test_what_no_list_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="has a line break in its name"):
        list_text(["a\nb.c3d"])
    (tmp_path / "list.txt").write_bytes(b"\0\1")
    with pytest.raises(BonesetterError, match="is no text"):
        read_list(tmp_path / "list.txt")
    with pytest.raises(BonesetterError, match="cannot be read"):
        read_list(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "out"], "No take is named: name takes, or a --list that has some."),
        (["a.c3d", "--out", "out", "--part", "3/2"], "'3/2' is no part: write 2/5 for the second of five"),
        (["a.c3d", "--out", "out", "--part", "0/2"], "'0/2' is no part: write 2/5 for the second of five"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(["solve", *arguments]) == 2
    except SystemExit as error:
        assert error.code == 2
    assert said in capsys.readouterr().err
