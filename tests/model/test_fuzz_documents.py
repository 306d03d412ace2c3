# SPDX-License-Identifier: GPL-3.0-or-later
"""Actor and marker set files with parts replaced, lost, doubled and exchanged: each is solved with, or refused in one sentence.

BONESETTER_FUZZ=500 tries that many of each kind.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.actors.actor_file import read_actor, write_actor
from model.actors.prior import bundled
from model.core.errors import BonesetterError
from model.core.settings import Settings
from model.engine.pipeline import solve_take
from model.engine.rehearsal import dummy_take
from model.marker_sets.marker_set import FOLDER, load_marker_set
from model.result.solution import Solution

from .soft_person import person

EXAMPLES = int(os.environ.get("BONESETTER_FUZZ", "60"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

NUMBERS = (
    0,
    -0.0,
    1,
    -1,
    1e-320,
    1e-9,
    0.05,
    9.9,
    11,
    1e6,
    1e154,
    1e308,
    -1e308,
    10**400,
    2**63,
    float("nan"),
    float("inf"),
    float("-inf"),
)
VALUES = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from([None, True, False, "", " ", "Hips", "LFHD", "lfhd", "\ud800", "a\nb", "\0", "é", "x" * 5000, [], {}, [[]], {"a": 1}]),
    st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4),
    st.floats(),
    st.text(max_size=6),
)
#: Where of a document, how it is changed, and by what.
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.sampled_from(["replace", "drop", "double", "exchange", "scale", "rename"]), VALUES, st.integers(0, 10**6)
    ),
    min_size=1,
    max_size=3,
)


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every part of a document: what holds it, and by which key or index."""
    found: list[tuple[Any, Any]] = []
    entries = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for key, value in entries:
        found.append((document, key))
        found += places(value)
    return found


def changed(document: Any, changes: list[tuple[int, str, Any, int]]) -> Any:
    """A document after some changes."""
    document = json.loads(json.dumps(document))
    for at, kind, value, other in changes:
        all_places = places(document)
        if not all_places:
            return document
        holder, key = all_places[at % len(all_places)]
        if kind == "replace":
            holder[key] = value
        elif kind == "drop":
            del holder[key]
        elif kind == "double" and isinstance(holder, list):
            holder.insert(key, json.loads(json.dumps(holder[key])))
        elif kind == "exchange":
            there, where = all_places[other % len(all_places)]
            holder[key] = json.loads(json.dumps(there[where]))
        elif kind == "scale" and type(holder[key]) in (int, float):
            holder[key] = holder[key] * 10.0 ** (other % 13 - 6)
        elif kind == "rename" and isinstance(holder, dict) and isinstance(value, str):
            holder[value] = holder.pop(key)
    return document


@cache
def actor_document(joints: str) -> Any:
    """An actor's that says all that a file can say."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        write_actor(bundled().mean_actor() if joints == "bundled" else person(), path)
        document = json.loads(path.read_text())
    for number, marker in enumerate(document["markers"]):
        marker["offset_sigma_mm"] = [2.0, 3.0, 4.0 + number]
    for joint in document["joints"]:
        joint["bone_sigma_mm"] = 5.0
    if joints == "other":
        document["joints"][3] |= {"like": "LeftLeg", "mean": [1, 0, 0, 0], "deviation_deg": [30, 3, 0]}
    return document


@cache
def set_document(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzzed.json"


def one_sentence(attempt: Callable[[], Any]) -> Any:
    """What it returns, or None where it refuses, in one sentence of a readable length, and numpy has nothing to complain of."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return attempt()
    except BonesetterError as error:
        said = str(error)
        assert "\n" not in said
        assert said.endswith(".")
        assert len(said) < 1500
        return None


def check(solve: Callable[[], Solution]) -> None:
    """A solve ends with finite numbers, or is refused in one sentence."""
    with np.errstate(all="ignore"):
        try:
            solution = solve()
        except BonesetterError as error:
            assert "\n" not in str(error)
            return
    for numbers in (solution.rotations, solution.positions, solution.markers_model):
        assert np.isfinite(numbers).all()


@pytest.mark.parametrize("joints", ["bundled", "other"])
@fuzz
@given(changes=CHANGES)
def test_a_changed_actor_is_solved_with_or_refused(path: Path, joints: str, changes: Any) -> None:
    path.write_text(json.dumps(changed(actor_document(joints), changes)))
    actor = one_sentence(lambda: read_actor(path))
    if actor is not None:
        check(lambda: solve_take(dummy_take(), Settings(workers=1), actor, lambda *_: None))
        write_actor(actor, path)
        assert read_actor(path).labels == actor.labels


@pytest.mark.parametrize("name", ["cmu41", "generic", "plug_in_gait"])
@fuzz
@given(changes=CHANGES)
def test_a_changed_marker_set_is_solved_with_or_refused(path: Path, name: str, changes: Any) -> None:
    path.write_text(json.dumps(changed(set_document(name), changes)))
    marker_set = one_sentence(lambda: load_marker_set(path))
    if marker_set is not None:
        check(lambda: solve_take(dummy_take(), Settings(workers=1), None, lambda *_: None, marker_set=marker_set))


@pytest.mark.parametrize("read", [read_actor, load_marker_set])
@fuzz
@given(at=st.floats(0, 1), kind=st.sampled_from(["cut", "byte", "insert"]), byte=st.integers(0, 255))
def test_a_damaged_text_is_read_or_refused(path: Path, read: Callable[[Path], Any], at: float, kind: str, byte: int) -> None:
    text = bytearray(json.dumps(actor_document("other") if read is read_actor else set_document("generic")).encode())
    place = min(int(at * len(text)), len(text) - 1)
    text[place : len(text) if kind == "cut" else place + (kind == "byte")] = bytes([byte])
    path.write_bytes(text)
    one_sentence(lambda: read(path))


@pytest.mark.parametrize("read", [read_actor, load_marker_set])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "too deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too deep"),
        (b'"' + b"x" * 11_000_000 + b'"', "larger than 10 MB"),
        (b"9" * 5000, "cannot be read"),
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
    ids=["lists", "objects", "large", "number", "empty", "no text"],
)
def test_a_hostile_text_is_refused(tmp_path: Path, read: Callable[[Path], Any], content: bytes, why: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BonesetterError, match=why) as caught:
        read(tmp_path / "a.json")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("part", "most"), [("joints", 500), ("markers", 2000)])
def test_a_crowd_is_no_actor(tmp_path: Path, part: str, most: int) -> None:
    document = json.loads(json.dumps(actor_document("other")))
    # the shortest entries that there are
    document[part] = [{}] * (most + 1)
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(BonesetterError, match=rf"it has {most + 1} {part}, more than {most}"):
        read_actor(tmp_path / "a.json")


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(actor_document("other")), encoding="utf-8-sig")
    assert read_actor(tmp_path / "a.json").labels
