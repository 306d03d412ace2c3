# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that are missing, cut off, of another version or damaged are one sentence that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from model.actors import prior as priors
from model.core.errors import BonesetterError
from model.engine.worker import serve
from model.files.c3d_writer import write_c3d
from model.proposer import propose
from model.proposer.network import read_proposer
from model.shell.cli import main
from model.synthetic.synthesis import synthesise

FILES = {"prior": priors.BUNDLED, "proposer": propose.BUNDLED}
Tensors = dict[str, np.ndarray]
Header = dict[str, str]


def read(name: str, path: Path) -> Any:
    return priors.read(path) if name == "prior" else read_proposer(path, priors.bundled())


def parts(name: str) -> tuple[Tensors, Header]:
    with safe_open(FILES[name], framework="numpy") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def refused(name: str, path: Path) -> str:
    with pytest.raises(BonesetterError) as caught:
        read(name, path)
    said = str(caught.value)
    assert said.startswith(f"The weights {path} ")
    assert said.endswith(": install Bonesetter anew.")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("name", list(FILES))
def test_weights_that_are_missing_or_cut_off(name: str, tmp_path: Path) -> None:
    path, whole = tmp_path / "weights.safetensors", FILES[name].read_bytes()
    assert "cannot be read" in refused(name, path)
    for content in (b"", b"no weights", whole[:7], whole[:500], whole[: len(whole) // 2], whole[:-1], b"\xff" * 8 + whole[8:]):
        path.write_bytes(content)
        assert "damaged" in refused(name, path)
    path.unlink()
    path.mkdir()
    refused(name, path)


def without(key: str) -> Callable[[Tensors, Header], object]:
    return lambda tensors, header: (tensors.pop(key, None), header.pop(key, None))


def cut(key: str) -> Callable[[Tensors, Header], object]:
    return lambda tensors, _: tensors.update({key: np.ascontiguousarray(tensors[key][:-1])})


def broken(key: str) -> Callable[[Tensors, Header], object]:
    def change(tensors: Tensors, _: Header) -> None:
        tensors[key] = tensors[key].copy()
        tensors[key].flat[-1] = np.nan

    return change


def said(key: str, value: Any) -> Callable[[Tensors, Header], object]:
    return lambda _, header: header.update({key: json.dumps(value)})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *(("prior", change(key)) for change in (without, cut, broken) for key in ("axes", "precision", "bone_mean")),
        # offsets of fewer people are offsets
        *(("prior", change("offsets.cmu_01_01")) for change in (cut, broken)),
        *(("prior", broken(key)) for key in ("limits", "joints_of")),
        *(("prior", without(key)) for key in ("joints", "carriers")),
        ("prior", said("joints", ["Hips"])),
        ("prior", said("parents", 3)),
        ("prior", said("carriers", [99] * 41)),
        *(("proposer", change(key)) for change in (without, cut, broken) for key in ("carrier.weight", "rounds.1.step.bias")),
        ("proposer", without("size")),
        ("proposer", said("size", {"rounds": 0})),
        ("proposer", said("size", {"rounds": 10**9})),
        ("proposer", said("size", {"frame": 10**7, "queries": 10**7})),
        ("proposer", said("size", {"heads": 5})),
        ("proposer", said("size", {"heads": 0})),
        ("proposer", said("size", {"layers": 3})),
        ("proposer", said("size", {"marker": "48"})),
        ("proposer", said("size", None)),
    ],
)
def test_weights_of_another_version(name: str, change: Callable[[Tensors, Header], object], tmp_path: Path) -> None:
    tensors, header = parts(name)
    save_file(tensors, tmp_path / "same.safetensors", header)
    read(name, tmp_path / "same.safetensors")
    change(tensors, header)
    save_file(tensors, tmp_path / "other.safetensors", header)
    refused(name, tmp_path / "other.safetensors")


@pytest.mark.parametrize(("module", "read"), [(priors, priors.bundled), (propose, propose.bundled_network)], ids=["prior", "proposer"])
def test_a_solve_says_it_once(
    module: Any, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        write_c3d(synthesise(seconds=0.5).take, tmp_path / f"{name}.c3d")
    monkeypatch.setattr(module, "BUNDLED", tmp_path / "gone.safetensors")
    read.cache_clear()
    try:
        # in this process alone, where the file is gone
        takes = [str(tmp_path / f"{name}.c3d") for name in ("a", "b")]
        assert main(["solve", *takes, "--out", str(tmp_path / "out"), "--workers", "1"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"The weights {tmp_path / 'gone.safetensors'} cannot be read (No such file")
        assert error.count("\n") == 1
        assert list((tmp_path / "out").iterdir()) == []
    finally:
        read.cache_clear()


def test_the_engine_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from model.files.exchange import save_take

    save_take(synthesise(seconds=0.5).take, tmp_path / "take.npz")
    monkeypatch.setattr(propose, "BUNDLED", tmp_path / "gone.safetensors")
    propose.bundled_network.cache_clear()
    answers: list[dict[str, Any]] = []
    try:
        serve({"id": 1, "take": str(tmp_path / "take.npz"), "out": str(tmp_path / "pose.npz")}, answers.append)
    finally:
        propose.bundled_network.cache_clear()
    assert answers[-1]["error"].startswith(f"The weights {tmp_path / 'gone.safetensors'} cannot be read")
    assert "detail" not in answers[-1]
