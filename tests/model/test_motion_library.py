# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion by splits, and the cache that must never show: hit, stale, damaged, or written by two at a time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from model.core.errors import BonesetterError
from model.datasets import motion_library
from model.datasets.motion_library import Clip, read_split
from model.datasets.splits import Split, load
from model.files.asf_amc import read_amc, read_asf


@pytest.fixture
def data(tmp_path: Path, write_asf: Callable[[Path], Path]) -> Path:
    """Every training subject with two short clips."""
    for subject in load().train_subjects:
        folder = tmp_path / "data" / "motion" / "cmu" / subject
        folder.mkdir(parents=True)
        write_asf(folder / f"{subject}.asf")
        for clip in ("90", "91"):
            (folder / f"{subject}_{clip}.amc").write_text(f"1\nroot 1 2 {clip} 0 0 90\nltibia {clip}\n2\nroot 0 0 0 0 0 0\nltibia 0\n")
    return tmp_path / "data"


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, reading a source is a failure."""

    def refuse(path: Path, train: bool = True) -> Clip:
        raise AssertionError(f"{path} is read again")

    return lambda: monkeypatch.setattr(motion_library, "read_clip", refuse)


def same(one: list[Clip], other: list[Clip]) -> bool:
    return [(clip.name, clip.subject, clip.motion.rate_hz) for clip in one] == [
        (clip.name, clip.subject, clip.motion.rate_hz) for clip in other
    ] and all(
        np.array_equal(a.motion.rotations, b.motion.rotations)
        and np.array_equal(a.motion.root, b.motion.root)
        and np.array_equal(a.motion.skeleton.bones, b.motion.skeleton.bones)
        and a.motion.rotations.dtype == b.motion.rotations.dtype == np.float32
        for a, b in zip(one, other, strict=True)
    )


def test_the_second_call_reads_the_cache(data: Path, tmp_path: Path, unreadable: Callable[[], None]) -> None:
    first = read_split("train", data, tmp_path / "cache")
    assert [clip.name for clip in first[:2]] == ["01_90", "01_91"]
    assert {clip.subject for clip in first} == set(load().train_subjects)
    unreadable()
    assert same(first, read_split("train", data, tmp_path / "cache"))


def test_a_changed_source_is_read_again(data: Path, tmp_path: Path) -> None:
    first = read_split("train", data, tmp_path / "cache")
    changed = data / "motion" / "cmu" / "03" / "03_90.amc"
    changed.write_text("1\nroot 9 9 9 0 0 0\nltibia 0\n")
    second = read_split("train", data, tmp_path / "cache")
    assert [clip.motion.frames for clip in second if clip.name == "03_90"] == [1]
    changed.unlink()
    assert len(read_split("train", data, tmp_path / "cache")) == len(first) - 1
    skeleton = data / "motion" / "cmu" / "05" / "05.asf"
    skeleton.write_text(skeleton.read_text().replace("length 2", "length 3"))
    third = read_split("train", data, tmp_path / "cache")
    assert {round(float(np.linalg.norm(c.motion.skeleton.bones[1]) / 0.0254 * 0.5), 6) for c in third if c.subject == "05"} == {3.0}


@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage", "empty", "folder"])
def test_a_damaged_cache_is_made_again(data: Path, tmp_path: Path, unreadable: Callable[[], None], damage: str) -> None:
    first = read_split("train", data, tmp_path / "cache")
    (cache,) = (tmp_path / "cache").iterdir()
    whole = cache.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 0x40
    if damage == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        cache.write_bytes({"cut": whole[:-100], "flipped": bytes(flipped), "garbage": b"\xff" * 200, "empty": b""}[damage])
    assert same(first, read_split("train", data, tmp_path / "cache"))
    if damage != "folder":
        unreadable()
        assert same(first, read_split("train", data, tmp_path / "cache"))


def test_without_a_place_for_the_cache_it_still_reads(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert len(read_split("train", data, tmp_path / "cache")) == 2 * len(load().train_subjects)


def test_the_environment_says_where_the_cache_is(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BONESETTER_CACHE", str(tmp_path / "elsewhere"))
    read_split("train", data)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["motion-train.safetensors"]


def test_two_processes_may_write_it_at_once(data: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        both = [pool.submit(read_split, "train", data, tmp_path / "cache") for _ in range(4)]
        read = [result.result(timeout=120) for result in both]
    assert all(same(read[0], other) for other in read[1:])
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["motion-train.safetensors"], "no half file is left"


def test_a_broken_clip_is_named(data: Path, tmp_path: Path) -> None:
    (data / "motion" / "cmu" / "03" / "03_90.amc").write_text("nothing")
    with pytest.raises(BonesetterError, match="03_90"):
        read_split("train", data, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_all_real_motion(motion_folder: Path, unreadable: Callable[[], None]) -> None:
    data = motion_folder.parent
    expected: dict[Split, tuple[int, int]] = {"train": (54, 110_077), "poses": (37, 73_822), "validation": (7, 9_213), "test": (3, 1_529)}
    for split in expected:
        read_split(split, data)
    unreadable()
    for split, (clips, frames) in expected.items():
        read = read_split(split, data)
        assert (len(read), sum(clip.motion.frames for clip in read)) == (clips, frames)
        for clip in read:
            assert clip.motion.rate_hz == (60.0 if clip.subject == "salsa" else pytest.approx(120.0, rel=1e-4))
            assert np.isfinite(clip.motion.rotations).all()
            step = slice(None, None, 50)
            global_rotations = clip.motion.rotations[step].astype(float)
            assert np.abs(global_rotations @ global_rotations.swapaxes(-1, -2) - np.eye(3)).max() < 1e-5


def test_the_cache_holds_what_the_file_does(motion_folder: Path) -> None:
    folder = motion_folder / "cmu" / "11"
    exact = read_amc(folder / "11_01.amc", read_asf(folder / "11.asf"))
    (clip,) = (clip for clip in read_split("test", motion_folder.parent) if clip.name == "11_01")
    np.testing.assert_allclose(clip.motion.forward()[0], exact.forward()[0], atol=2e-6)


def test_upside_down_heads_are_left_out(motion_folder: Path) -> None:
    frames = {clip.name: clip.motion.frames for clip in read_split("poses", motion_folder.parent)}
    assert "salsa/06" not in frames
    assert frames["salsa/07"] == 1190
