# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, how large the figure is, and whether it is mirrored: by the markers where the file is silent or wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors.prior import bundled
from model.core.axes import AXES, TO_Y_UP, pointing_up, up_vector
from model.core.settings import Settings
from model.core.take import Axis, Take
from model.files.c3d import read_c3d
from model.files.c3d_writer import write_c3d
from model.files.readers import read_take
from model.marker_sets.marker_set import MarkerSet
from model.markers.sides import look_mirrored
from model.markers.upright import decide_up, directions, usual_height
from model.shell.cli import with_values
from model.synthetic.synthesis import SyntheticTake

from .test_c3d import write

LEGS = ("LASI", "RASI", "LTHI", "RTHI", "LKNE", "RKNE", "LANK", "RANK", "LTOE", "RTOE", "LFWT", "RFWT", "LBWT", "RBWT")


@pytest.fixture(scope="module")
def standing(synthetic: SyntheticTake) -> Take:
    """A person who walks on a floor at height 0, Z up."""
    positions = synthetic.take.positions.copy()
    # spikes are below any floor
    positions[..., 2] -= np.median(np.nanmin(positions[..., 2], axis=1))
    return replace(synthetic.take, positions=positions, up_axis="Z")


def rotated(take: Take, axis: Axis) -> Take:
    """A Z-up take with another axis up."""
    return replace(take, positions=take.positions @ (TO_Y_UP[axis].T @ TO_Y_UP["Z"]).T)


def lying(take: Take) -> Take:
    """The person, Z up, on its back on the floor, the head along X."""
    at = take.positions - np.nanmean(take.positions, axis=1, keepdims=True)
    positions = np.stack([at[..., 2], at[..., 1], -at[..., 0]], axis=-1)
    # a walk becomes lying still: only the first pose is kept
    positions = np.repeat(positions[:1], take.frames, axis=0)
    return replace(take, positions=positions - [0.0, 0.0, np.nanmin(positions[..., 2])])


@pytest.mark.parametrize("axis", AXES)
def test_the_axes_are_rotations(axis: Axis) -> None:
    assert np.linalg.det(TO_Y_UP[axis]) == pytest.approx(1.0)
    np.testing.assert_array_equal(TO_Y_UP[axis] @ up_vector(axis), [0.0, 1.0, 0.0])


@pytest.mark.parametrize(("axis", "part"), [*((axis, part) for axis in AXES for part in ("whole", "legs")), ("Y", "trunk"), ("Z", "trunk")])
def test_a_silent_file_stands_along_the_axis_of_the_body(standing: Take, tmp_path: Path, axis: Axis, part: str) -> None:
    keep = {
        "whole": lambda label: True,
        "legs": lambda label: label in LEGS,
        "trunk": lambda label: label[-2:] in ("HD", "WT", "C7", "10") or label in ("CLAV", "STRN", "LSHO", "RSHO"),
    }[part]
    take = rotated(standing, axis)
    take = take.only([row for row, label in enumerate(take.labels) if keep(label)])
    path = write(tmp_path / "a.c3d", np.moveaxis(take.positions[::10] * 1000, 0, -1).transpose(1, 0, 2), list(take.labels))
    read = read_take(path)
    kinds = [each.kind for each in read.findings if each.kind == "axes"]
    assert read.up_axis == axis
    assert kinds == ([] if axis == "Z" else ["axes"])


def test_what_is_decided_is_said_and_can_be_overridden(standing: Take, tmp_path: Path) -> None:
    take = rotated(standing, "-Z")
    write_c3d(replace(take, up_axis="Z"), tmp_path / "a.c3d")
    read = read_take(tmp_path / "a.c3d")
    (said,) = [each for each in read.findings if each.kind == "axes"]
    assert read.up_axis == "-Z"
    assert "-Z points up" in said.text
    assert "not Z, as the file says" in said.text
    told = read_take(tmp_path / "a.c3d", up="z")
    assert told.up_axis == "Z"
    assert not [each for each in told.findings if each.kind == "axes"]
    assert pointing_up(told, "auto") is told


@pytest.mark.parametrize("axis", AXES)
def test_the_axis_that_is_written_is_read(standing: Take, tmp_path: Path, axis: Axis) -> None:
    write_c3d(replace(rotated(standing, axis), up_axis=axis), tmp_path / "a.c3d")
    assert read_c3d(tmp_path / "a.c3d").up_axis == axis


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("declared", AXES)
def test_points_without_names_stand_on_the_floor(standing: Take, axis: Axis, declared: Axis) -> None:
    take = rotated(standing, axis)
    nameless = [f"*{row}" for row in range(len(take.labels))]
    found, said = decide_up(nameless, take.positions, declared, said=False)
    assert found == axis
    assert [each.kind for each in said] == ([] if axis == declared else ["axes"])


def test_points_without_names_that_lie_or_hang_stay_as_they_are(standing: Take) -> None:
    nameless = [f"*{row}" for row in range(len(standing.labels))]
    assert decide_up(nameless, lying(standing).positions, "Z", said=False) == ("Z", ())
    # no floor tells: the upper body of somebody, and a camera's axes anywhere
    assert decide_up(nameless, standing.positions + 3.0, "Y", said=False) == ("Y", ())
    assert decide_up(nameless[:5], standing.positions[:, :5], "Y", said=False) == ("Y", ())
    assert decide_up(nameless, np.full_like(standing.positions, np.nan), "Y", said=False) == ("Y", ())


@pytest.mark.parametrize("said", [True, False])
def test_who_lies_on_the_floor_is_not_turned(standing: Take, said: bool) -> None:
    take = lying(standing)
    assert decide_up(take.labels, take.positions, "Z", said=said) == ("Z", ())


def test_who_stands_in_a_z_up_take_is_not_turned_by_arms_or_unknown_labels(standing: Take) -> None:
    labels = tuple(label if usual_height(label) is None else f"point {row}" for row, label in enumerate(standing.labels))
    assert len(directions(labels, standing.positions)) == 0
    assert decide_up(labels, standing.positions, "Z", said=False) == ("Z", ())


def test_the_direction_has_the_length_of_the_person(standing: Take) -> None:
    lengths = np.linalg.norm(directions(standing.labels, standing.positions), axis=-1)
    assert np.median(lengths) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("unit", [("mm", 10.0), ("mm", 0.001), ("m", 1000.0), ("cm", 0.01), ("m", 100.0)])
@pytest.mark.parametrize("legs", [True, False])
def test_a_unit_that_is_off_by_tens_is_put_right(standing: Take, tmp_path: Path, unit: tuple[str, float], legs: bool) -> None:
    name, factor = unit
    take = standing.only([row for row, label in enumerate(standing.labels) if not legs or label in LEGS])
    metres = {"mm": 0.001, "cm": 0.01, "m": 1.0}[name]
    points = np.moveaxis(take.positions[::20] / metres * factor, 0, -1).transpose(1, 0, 2)
    read = read_c3d(write(tmp_path / "a.c3d", points, list(take.labels), {"UNITS": [name]}))
    assert [each.kind for each in read.findings] == ["file"]
    assert "is assumed" in read.findings[0].text
    np.testing.assert_allclose(read.positions, take.positions[::20], atol=1e-4)


@pytest.mark.parametrize("said", ["mm", ""])
@pytest.mark.parametrize(("meant", "metres"), [("inches", 0.0254), ("feet", 0.3048)])
def test_inches_and_feet_that_are_not_said_are_found(standing: Take, tmp_path: Path, said: str, meant: str, metres: float) -> None:
    points = np.moveaxis(standing.positions[::20] / metres, 0, -1).transpose(1, 0, 2)
    read = read_c3d(write(tmp_path / "a.c3d", points, list(standing.labels), {"UNITS": [said]}))
    assert [each.kind for each in read.findings] == ["file"]
    assert f"{meant} is assumed" in read.findings[0].text
    np.testing.assert_allclose(read.positions, standing.positions[::20], atol=1e-4)


def test_a_small_child_in_centimetres_is_not_one_in_inches(standing: Take, tmp_path: Path) -> None:
    points = np.moveaxis(standing.positions[::20] * 0.55 * 100, 0, -1).transpose(1, 0, 2)
    read = read_c3d(write(tmp_path / "a.c3d", points, list(standing.labels), {"UNITS": [""]}))
    np.testing.assert_allclose(read.positions, 0.55 * standing.positions[::20], atol=1e-4)


def test_a_mirrored_take_is_said(synthetic: SyntheticTake, marker_set: MarkerSet) -> None:
    prior = bundled()
    placement = prior.placement(marker_set, synthetic.take.labels)
    assert look_mirrored(synthetic.take, placement, prior) == ()
    mirrored = replace(synthetic.take, positions=synthetic.take.positions * [-1.0, 1.0, 1.0])
    (said,) = look_mirrored(mirrored, placement, prior)
    assert (said.kind, said.numbers["mirrored_percent"] > 90) == ("mirrored", True)
    # half the take is no mirror
    half = mirrored.positions.copy()
    half[: len(half) // 2] = synthetic.take.positions[: len(half) // 2]
    assert look_mirrored(replace(mirrored, positions=half), placement, prior) == ()


def test_the_shells_option_takes_negative_axes() -> None:
    assert with_values(["solve", "--up", "-z", "a.c3d"]) == ["solve", "--up=-z", "a.c3d"]
    assert with_values(["--up", "x", "--force"]) == ["--up", "x", "--force"]
    assert Settings(up="-x").up == "-x"


@pytest.mark.parametrize(
    ("name", "axis"), [("motive_yup_no_screen", "Y"), ("x_up", "X"), ("helen_hayes_vsac", "Z"), ("xsens_mvn_labels", "Z")]
)
def test_takes_of_other_labs(case: Callable[[str], Path], name: str, axis: Axis) -> None:
    take = read_take(case(name))
    assert take.up_axis == axis
    assert [each.kind for each in take.findings if each.kind == "axes"] == ([] if axis == "Z" else ["axes"])
