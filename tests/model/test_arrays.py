# SPDX-License-Identifier: GPL-3.0-or-later
"""npz files that are empty, damaged, of something else or hostile are one sentence, wherever they are read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.core.errors import BonesetterError
from model.core.take import Axis
from model.files.exchange import load_pose, load_take, save_pose, save_take
from model.files.npz import LATER, read_npz, write_npz
from model.result.solution import Solution
from model.shell.cli import main

Write = Callable[[Path], None]
READERS = {"solved": read_npz, "take": load_take, "pose": load_pose}


@pytest.fixture(scope="module")
def contents(solved: Callable[[Axis], Solution], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """{kind: a good file's bytes}."""
    folder, solution = tmp_path_factory.mktemp("good"), solved("Z")
    write_npz(solution, folder / "solved")
    save_take(solution.clean.take, folder / "take")
    save_pose(solution, folder / "pose")
    return {kind: (folder / kind).read_bytes() for kind in READERS}


def refused(kind: str, path: Path) -> str:
    with pytest.raises(BonesetterError) as caught:
        READERS[kind](path)
    said = str(caught.value)
    assert path.name in said
    assert "\n" not in said
    assert said.endswith(("choose an .npz that Bonesetter wrote.", "try again."))
    return said


class Bomb:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("bomb"),))


def plain(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))


def pickled(path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=True, name=np.array([Bomb()], dtype=object), joints=np.array([Bomb()], dtype=object))


def claims(shape: str, size: int = 1000) -> Write:
    """Arrays that say to be larger than they are."""

    def write(path: Path) -> None:
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(size)
        with zipfile.ZipFile(path, "w") as file:
            for name in ("name", "joints", "positions"):
                file.writestr(f"{name}.npy", array)

    return write


def bomb(path: Path) -> None:
    """A gigabyte of zeros in a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("positions.npy", "w", force_zip64=True) as stream:
        for _ in range(1000):
            stream.write(bytes(1_000_000))


@pytest.mark.parametrize("kind", list(READERS))
@pytest.mark.parametrize(
    "write",
    [
        Path.touch,
        Path.mkdir,
        lambda path: path.write_bytes(b"no"),
        lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)),
        lambda path: np.savez(path, joints=np.zeros(3)),
        plain,
        pickled,
        claims("(10, 10, 3)"),
        claims("(1000000000000, 3)"),
        claims("(-1, 3)"),
        claims("[[["),
        bomb,
        lambda path: None,
    ],
    ids=["empty", "folder", "text", "no member", "other", "plain", "pickled", "short", "huge", "negative", "syntax", "bomb", "missing"],
)
def test_what_is_no_file_of_ours_is_one_sentence(kind: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.npz")
    refused(kind, tmp_path / "a.npz")
    assert not (tmp_path / "bomb").exists()


#: Arrays whose length no other has.
ALONE = {"findings", "feet"}


@pytest.mark.parametrize("kind", list(READERS))
def test_arrays_of_another_kind_or_shape_are_named(kind: str, contents: dict[str, bytes], tmp_path: Path) -> None:
    with np.load(io.BytesIO(contents[kind])) as file:
        arrays = dict(file)
    # what files of earlier versions lack may lack
    optional = LATER if kind == "solved" else {}
    for name, array in arrays.items():
        others = [array[..., None], array.astype("U") if array.dtype.kind in "fiu" else np.zeros(array.shape)]
        others += [array[:-1]] if array.ndim and len(array) and name not in ALONE else []
        for other in others:
            with (tmp_path / "a.npz").open("wb") as stream:
                np.savez(stream, **(arrays | {name: other}))
            assert " are of " in refused(kind, tmp_path / "a.npz")
        with (tmp_path / "a.npz").open("wb") as stream:
            np.savez(stream, **{key: value for key, value in arrays.items() if key != name})
        if name in optional:
            assert name not in READERS[kind](tmp_path / "a.npz")
            continue
        assert f"it lacks {name}" in refused(kind, tmp_path / "a.npz")


@pytest.mark.parametrize("kind", list(READERS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1), damage=st.sampled_from(["cut", "byte"]), byte=st.integers(0, 255))
def test_a_damaged_file_is_read_or_one_sentence(
    kind: str, contents: dict[str, bytes], tmp_path: Path, at: float, damage: str, byte: int
) -> None:
    """Its directory stands at its end, where half of the damage is done."""
    content = bytearray(contents[kind])
    place = int(at * 2 * len(content)) if at < 0.5 else len(content) - 1 - int((at - 0.5) * 4000)
    place = min(max(place, 0), len(content) - 1)
    content[place : len(content) if damage == "cut" else place + 1] = bytes([byte])
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    try:
        READERS[kind](path)
    except BonesetterError:
        refused(kind, path)


def test_a_picture_of_nothing_is_one_sentence(contents: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.npz").touch()
    assert main(["picture", str(tmp_path / "empty.npz"), str(tmp_path / "a.png")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "good.npz").write_bytes(contents["solved"])
    for options in (["--frames", "0"], ["--frames", "1000"], ["--at", "-1"], ["--at", "99999"]):
        assert main(["picture", str(tmp_path / "good.npz"), str(tmp_path / "a.png"), *options]) == 2
        assert "frames" in capsys.readouterr().err.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.npz", "good.npz"]
