# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shell shows people: the picture of a solved take, and progress at a terminal."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from tqdm import tqdm

from model.actors.joint_names import side_of
from model.core.errors import BonesetterError
from model.core.skeleton import CMU_HIERARCHY
from model.core.take import Axis
from model.files.npz import read_npz, write_npz
from model.result.solution import Solution
from model.rigs.body import read_body
from model.shell import terminal
from model.shell.cli import main
from model.shell.picture import SIDE_COLOURS, bodies_of, draw, figure_of
from model.shell.terminal import progress_bar


@pytest.fixture(scope="module")
def take(solved: Callable[[Axis], Solution], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("solved") / "a.npz"
    write_npz(solved("Z"), path)
    return path


def lines(figure: Figure) -> list[tuple[np.ndarray, Any]]:
    """Points (2, 3) and colour of each bone in the first drawing."""
    drawing: Any = figure.axes[0]
    return [(np.stack(line.get_data_3d(), axis=1), line.get_color()) for line in drawing.lines]


def dots(figure: Figure, which: int) -> np.ndarray:
    """(dots, 3): those of the solver's markers, 0, or of the seen ones, 1."""
    drawing: Any = figure.axes[0]
    return np.stack(drawing.collections[which]._offsets3d, axis=1)


def test_a_picture_shows_bones_in_the_colour_of_their_side_and_markers_where_they_are(take: Path) -> None:
    arrays = read_npz(take)
    arrays["markers"][7, 3] = np.nan
    figure = figure_of(arrays, [7, 90])
    assert [axes.get_title() for axes in figure.axes] == ["frame 7", "frame 90"] * 2
    (legend,) = figure.legends
    meaning: dict[str, Any] = {text.get_text(): handle for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)}
    assert same_color(meaning["bones of the left"].get_color(), SIDE_COLOURS["Left"])
    assert same_color(meaning["bones of the right"].get_color(), SIDE_COLOURS["Right"])
    assert {"markers as measured, cleaned", "where the solver puts them", "frames are counted from 0"} < set(meaning)
    joints, parents = arrays["positions"][7], arrays["parents"]
    drawn = lines(figure)
    assert len(drawn) == 30
    for (points, colour), joint in zip(drawn, range(1, 31), strict=True):
        np.testing.assert_allclose(points, joints[[parents[joint], joint]])
        asf = CMU_HIERARCHY[joint][1]
        side = {"l": "Left", "r": "Right"}.get(asf[0]) if asf not in ("lowerback", "lowerneck", "root") else None
        assert same_color(colour, SIDE_COLOURS[side]), asf
    np.testing.assert_allclose(dots(figure, 0), arrays["markers_model"][7])
    np.testing.assert_allclose(dots(figure, 1), arrays["markers"][7][np.isfinite(arrays["markers"][7]).all(axis=-1)])
    assert len(dots(figure, 1)) < len(dots(figure, 0))


def test_a_picture_of_a_take_whose_y_is_up_stands(take: Path) -> None:
    arrays = read_npz(take)
    x, y, z = np.moveaxis(arrays["positions"], -1, 0)
    y_up = arrays | {"positions": np.stack([x, z, -y], axis=-1)}
    for (points, _), (upright, _) in zip(lines(figure_of(y_up, [7], "Y")), lines(figure_of(arrays, [7])), strict=True):
        np.testing.assert_allclose(points, upright)


def test_a_body_stands_around_the_bones(take: Path) -> None:
    """Around the solver's markers, which sit on the skin, and whichever way is up."""
    arrays = read_npz(take)
    bodies = bodies_of(arrays, [40])
    assert bodies is not None
    (body,) = bodies
    markers, joints = arrays["markers_model"][40], arrays["positions"][40]
    away = np.linalg.norm(markers[:, None] - body, axis=-1).min(axis=1)
    assert np.median(away) < 0.04
    assert away.max() < 0.12
    inside = np.linalg.norm(joints[:, None] - body, axis=-1).min(axis=1)
    assert inside.max() < 0.16
    np.testing.assert_array_less(body.min(axis=0) - 0.1, markers.min(axis=0))
    np.testing.assert_array_less(markers.max(axis=0), body.max(axis=0) + 0.1)
    drawn: Any = figure_of(arrays, [40], body=True).axes[0].collections[-1]
    assert len(drawn.get_facecolor()) == len(read_body().triangles)
    strange = arrays | {"joints": np.array([f"x{joint}" for joint in range(31)]), "offsets": np.zeros((31, 3))}
    assert bodies_of(strange, [40]) is None


@pytest.mark.parametrize(
    ("joint", "side"),
    [("RThumb", "Right"), ("Root", None), ("Ribcage", None), ("LowerBack", None), ("thigh.L", "Left"), ("mixamorig:LeftUpLeg", "Left")],
)
def test_a_joint_has_the_side_that_its_name_says(joint: str, side: str | None) -> None:
    assert side_of(joint) == side


def test_the_command_draws_the_frames_that_it_is_asked_for(take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from matplotlib.image import imread

    assert main(["picture", str(take), str(tmp_path / "a.png"), "--at", "0", "30", "60"]) == 0
    assert "3 frames of a" in capsys.readouterr().out
    three = imread(tmp_path / "a.png")
    assert main(["picture", str(take), str(tmp_path / "b.png"), "--frames", "2"]) == 0
    two = imread(tmp_path / "b.png")
    assert three.shape[1] / two.shape[1] == pytest.approx(1.5, rel=0.01)
    # not an empty sheet
    assert (three[..., :3].min(axis=-1) < 0.5).sum() > 1000


def test_a_picture_of_no_kind_is_one_sentence(take: Path, tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="end its name in one of"):
        draw(read_npz(take), [0], tmp_path / "a.docx")
    assert not list(tmp_path.iterdir())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_at_a_terminal_grows_and_says_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    # each step is shown, however soon it comes after the one before
    monkeypatch.setattr(terminal, "tqdm", partial(tqdm, mininterval=0.0))
    with progress_bar("walk") as progress:
        progress("clean", 0.25)
        progress("pose", 0.5)
        progress("pose", 0.4)
        progress("pose", 1.0)
    said = [line for line in shown.getvalue().split("\r") if line.startswith("walk:")]
    parts = [int(line.split(":")[1].split("%")[0]) for line in said]
    assert parts == sorted(parts)
    assert " 25%" in said[1]
    assert "clean" in said[1]
    assert "100%" in said[-1]
    assert "pose" in said[-1]
    # what stays on the screen is what the command prints
    assert shown.getvalue().split("\r")[-1].strip() == ""


def test_progress_elsewhere_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("walk") as progress:
        progress("clean", 0.5)
    assert capsys.readouterr() == ("", "")
