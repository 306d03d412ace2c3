# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overlay draws, onto a viewport that keeps it: the background has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest


class Batch:
    """Draws nothing, and counts how often."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def draw(self, _shader: Any) -> None:
        # but for what is drawn onto a picture
        self._screen.drawn += self._screen.seen == Screen.WHOLE


class Picture:
    """Draws nothing, and leaves its own size to what is drawn next, as Blender's do."""

    texture_color = None

    def __init__(self, screen: Screen, width: int, height: int) -> None:
        self._screen, self._size = screen, (width, height)

    def bind(self) -> Any:
        self._screen.see(0, 0, *self._size)
        return nullcontext()

    def free(self) -> None:
        """Nothing is held."""


class Screen:
    """Stands for a viewport, and keeps what is drawn.

    Attributes:
        texts: In their order.
        shapes: (kind, corners, colours or None) of each batch that is made.
        drawn: How many batches are drawn, made now or before.
        seen: The part of the screen that is drawn on.
    """

    WHOLE = (0, 0, 1200, 800)

    def __init__(self, scene: Any) -> None:
        self.texts: list[str] = []
        self.shapes: list[tuple[str, np.ndarray, Any]] = []
        self.drawn = 0
        self.seen = self.WHOLE
        region = SimpleNamespace(width=1200, height=800, as_pointer=lambda: 1)
        perspective = np.diag([0.5, 0.5, 0.5, 1.0])
        real = bpy.context
        self.context = SimpleNamespace(
            scene=scene,
            view_layer=real.view_layer,
            region=region,
            region_data=SimpleNamespace(perspective_matrix=perspective),
            space_data=SimpleNamespace(type="VIEW_3D", overlay=SimpleNamespace(show_overlays=True)),
            area=SimpleNamespace(regions=[]),
            preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0, use_region_overlap=True)),
            object=real.object,
            collection=real.collection,
            window_manager=SimpleNamespace(windows=[]),
        )

    def see(self, left: int, bottom: int, width: int, height: int) -> None:
        self.seen = (left, bottom, width, height)

    def names_of(self, markers: Container[str]) -> list[str]:
        """Those of the markers that are drawn, in their order."""
        return [text for text in self.texts if text in markers]

    def batch(self, _shader: Any, kind: str, content: dict[str, Any]) -> Batch:
        for numbers in content.values():
            # what Blender reads is the memory
            assert numbers.flags.c_contiguous
            assert numbers.dtype == np.float32
        self.shapes.append((kind, content["pos"], content.get("color")))
        return Batch(self)


@pytest.fixture
def screen(ext, scene, monkeypatch):
    """A viewport that draws on itself; `draw` draws everything once."""

    def make():
        made = Screen(scene)
        nothing: Any = lambda *_arguments, **_options: None  # noqa: E731
        within: Any = lambda *_arguments: nullcontext()  # noqa: E731
        shader = SimpleNamespace(bind=nothing, uniform_float=nothing, uniform_sampler=nothing)
        state = SimpleNamespace(
            blend_set=nothing,
            point_size_set=nothing,
            viewport_get=lambda: made.seen,
            viewport_set=made.see,
            scissor_get=lambda: Screen.WHOLE,
            scissor_set=nothing,
        )
        matrix = SimpleNamespace(push_pop=within, push_pop_projection=within, load_matrix=nothing, load_projection_matrix=nothing)
        gpu = SimpleNamespace(
            state=state,
            shader=SimpleNamespace(from_builtin=lambda _name: shader),
            matrix=matrix,
            types=SimpleNamespace(GPUOffScreen=lambda width, height: Picture(made, width, height)),
        )
        blf = SimpleNamespace(
            size=lambda _font, _pixels: None,
            color=lambda _font, _red, _green, _blue, _alpha: None,
            position=lambda _font, _x, _y, _z: None,
            dimensions=lambda _font, text: (6 * len(text), 10),
            draw=lambda _font, text: made.texts.append(text),
        )
        modules = [ext(f"ui.overlay.{name}") for name in ("points", "names", "strip")]
        for module in (*modules, ext("ui.overlay.texts")):
            values = {"gpu": gpu, "blf": blf, "batch_for_shader": made.batch}
            values["bpy"] = SimpleNamespace(context=made.context, types=bpy.types, app=bpy.app)
            for name, value in values.items():
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)
        for module in modules[1:]:
            module.kept.forget()
        made.draw = lambda: [module.draw() for module in modules]
        return made

    return make


def long_take(make_take, name, frames, markers=60):
    take = make_take(name=name, frames=frames, labels=tuple(f"M{number:02}" for number in range(markers)))
    take.positions[frames // 3 : frames // 2, 7] = np.nan
    take.positions[frames // 4, 9] += 0.5
    return take


def test_a_redraw_costs_the_same_for_any_number_of_frames(ext, scene, make_take, load, screen, steps):
    """60 markers; how many ms a redraw of 10,000 frames takes, the window's scenario says."""
    counted = []
    for frames in (200, 4000):
        take = load(long_take(make_take, f"of {frames}", frames))
        scene.bonesetter.others = "HIDE"
        shown = screen()
        scene.frame_set(50)
        shown.draw()
        scene.frame_set(51)
        counted.append(steps(shown.draw))
        assert len(shown.shapes) > 4
        assert ext("operators.takes").active_take(shown.context) == take
    # names of rows and runs of states are as many
    assert counted[1] < 1.3 * counted[0]


def test_a_redraw_hands_few_batches_to_the_gpu(ext, scene, make_take, load, screen):
    """Whatever is selected: lines, points of two sizes, places of names and the playhead are made anew; the rest is a picture."""
    take = load(long_take(make_take, "long", 2000))
    markers = list(ext("operators.takes").markers(take).values())
    scene.bonesetter.trail_seconds = 2.0
    for chosen in (0, 5, 14, len(markers)):
        ext("operators.view").select(bpy.context, markers[:chosen])
        scene.frame_set(700)
        shown = screen()
        shown.draw()
        # the strip and the names are there at once, not with the next redraw
        first = shown.drawn
        shown.shapes.clear()
        shown.texts.clear()
        shown.drawn = 0
        scene.frame_set(701)
        shown.draw()
        assert first == shown.drawn
        kinds = Counter(kind for kind, _, _ in shown.shapes)
        assert kinds["LINES"] <= 1
        assert kinds["POINTS"] <= 2
        assert kinds["TRIS"] <= 2
        assert shown.drawn <= 7
        # trails are of 48 pieces at most, and of few markers
        assert sum(len(corners) for _, corners, _ in shown.shapes) < 14 * 2 * 48 + 3 * len(markers) + 6 + 6 * 14
        # a name is drawn once, and then shown
        assert not shown.texts


def test_sticks_join_what_keeps_its_distance_in_the_colour_of_the_take(ext, scene, make_take, load, screen):
    take = load(make_take())
    ext("operators.review").review_of(scene, take).sticks = np.array([[0, 1], [1, 2], [0, 2]])
    scene.bonesetter.show_strip = scene.bonesetter.show_trails = False
    scene.frame_set(5)
    shown = screen()
    shown.draw()
    ((ends, colours),) = ((ends, colours) for kind, ends, colours in shown.shapes if kind == "LINES")
    assert len(ends) == 2 * 3
    red, green, blue, _ = ext("ui.overlay.colours").TAKES[0]
    np.testing.assert_allclose(colours, [[red, green, blue, ext("ui.overlay.points").STICK_ALPHA]] * 6, rtol=1e-6)


def trail(screen: Screen) -> tuple[np.ndarray, np.ndarray]:
    """Pieces (n, 2, 3) and their colours (n, 4)."""
    ((ends, colours),) = ((ends, colours) for kind, ends, colours in screen.shapes if kind == "LINES" and ends.shape[1] == 3)
    return ends.reshape(-1, 2, 3), colours.reshape(-1, 2, 4)[:, 0]


def test_a_trail_goes_the_marker_s_way_in_the_colour_of_the_worst_state(ext, scene, make_take, load, screen):
    made = make_take(frames=400)
    made.positions[205:207, 0] += 1.0
    take = load(made)
    scene.bonesetter.show_sticks = scene.bonesetter.show_strip = False
    review = ext("operators.review").review_of(scene, take)
    ext("operators.view").select(bpy.context, [next(iter(ext("operators.takes").markers(take).values()))])
    for frame, first, last in ((200, 150, 248), (3, 0, 50), (399, 350, 399)):
        scene.frame_set(frame)
        shown = screen()
        shown.draw()
        pieces, _ = trail(shown)
        assert len(pieces) <= 48
        np.testing.assert_array_equal(pieces[1:, 0], pieces[:-1, 1])
        ends = [int(np.abs(review.world[:, 0] - place).sum(axis=1).argmin()) for place in (pieces[0, 0], pieces[-1, 1])]
        assert abs(ends[0] - first) <= 3
        assert abs(ends[1] - last) <= 3
    scene.frame_set(200)
    shown = screen()
    shown.draw()
    _, colours = trail(shown)
    state = ext("model.review.states").State.JUMP
    jump = ext("ui.overlay.colours").COLOURS[state]
    assert (review.states.codes[205:207, 0] == state).all()
    assert 1 <= np.isclose(colours, jump).all(axis=1).sum() <= 3


def test_takes_that_are_shown_together_have_colours_and_names_of_their_own(scene, make_take, load, screen):
    for name in ("Anna", "Bob"):
        load(make_take(name=name))
    scene.bonesetter.others = "SHOW"
    scene.frame_set(5)
    shown = screen()
    shown.draw()
    assert [text for text in shown.texts if text in ("Anna", "Bob")] == ["Anna", "Bob"]
    points = [colour for kind, _, colours in shown.shapes if kind == "POINTS" for colour in colours]
    assert len({tuple(colour) for colour in points}) == 2
    for how in ("DIM", "HIDE"):
        scene.bonesetter.others = how
        alone = screen()
        alone.draw()
        assert "Anna" not in alone.texts
        assert "Bob" not in alone.texts
        points = [colour for kind, _, colours in alone.shapes if kind == "POINTS" for colour in colours]
        assert len({tuple(colour) for colour in points}) == 1


def test_markers_tell_their_names_where_they_are_selected_or_under_the_mouse(ext, scene, make_take, load, screen):
    take = load(make_take())
    scene.frame_set(5)
    # its rows have names, too
    scene.bonesetter.show_strip = False
    markers = ext("operators.takes").markers(take)
    ext("operators.view").select(bpy.context, [markers["RFHD"]])
    shown = screen()
    shown.draw()
    assert shown.names_of(markers) == ["RFHD"]
    session = ext("operators.session").session
    session.hover = (take.session_uid, list(markers).index("LANK"))
    again = screen()
    again.draw()
    assert again.names_of(markers) == ["LANK", "RFHD"]
    scene.bonesetter.show_names = False
    silent = screen()
    silent.draw()
    assert not silent.names_of(markers)


def test_names_stand_apart_and_can_be_read(ext, scene, make_take, load, screen):
    names = ext("ui.overlay.names")
    corners = np.array([(100.0, 100), (101, 102), (400, 101), (99, 99), (100, 125)])
    texts = ["LANK: missing", "LTOE", "RANK", "LHEE: missing", "LKNE"]
    placed = names.apart(corners, texts, 1.0)
    assert tuple(placed[0]) == (100, 100), "the first stays"
    assert tuple(placed[2]) == (400, 101), "nobody is in its way"
    for one in range(len(texts)):
        for other in range(one):
            beside = abs(placed[one, 0] - placed[other, 0]) < 30
            assert not beside or abs(placed[one, 1] - placed[other, 1]) >= names.LINE
    np.testing.assert_array_equal(placed[:, 0], corners[:, 0])
    np.testing.assert_array_equal(names.apart(2 * corners, texts, 2.0), 2 * placed)
    assert len(names.apart(np.zeros((0, 2)), [], 1.0)) == 0


def test_names_go_without_the_subject_that_all_of_them_have(ext, scene, make_take, load, screen):
    """And without it they are told apart in the strip, which has room for few letters."""
    made = make_take()
    labels = tuple(f"Some long subject:{label}" for label in made.labels)
    take = load(replace(made, labels=labels))
    scene.frame_set(5)
    marker = ext("operators.takes").markers(take)[labels[0]]
    ext("operators.view").select(bpy.context, [marker])
    shown = screen()
    shown.draw()
    # over the viewport, and in its row of the strip
    assert shown.texts.count(made.labels[0]) == 2
    without_subject = ext("model.review.strip").without_subject
    assert without_subject(("Ann:LFHD", "Bob:LFHD")) == ("Ann:LFHD", "Bob:LFHD")
    assert without_subject(("LFHD", "RFHD")) == ("LFHD", "RFHD")
    assert without_subject(()) == ()
    # one that was cut off has no subject; and names are never made alike, or none
    assert without_subject(("Ann:LFHD", "Ann:RFHD", "*7")) == ("LFHD", "RFHD", "*7")
    assert without_subject(("Ann:LFHD", "LFHD")) == ("Ann:LFHD", "LFHD")
    assert without_subject(("Ann:", "Ann:LFHD")) == ("Ann:", "Ann:LFHD")


def test_texts_are_shown_where_they_are_wanted(ext, screen, make_take, load):
    """Two of three on a ground: the rectangles of the grounds come first."""
    load(make_take())
    shown = screen()
    texts = ext("ui.overlay.texts")
    letters = ("LFHD", "RFHD: missing", "Head")
    made = texts.Texts([texts.Text(each, (0.8, 0.6, 0.4), 11, grounded=each != "Head") for each in letters])
    assert shown.texts == list(letters)
    shown.shapes.clear()
    made.at(np.array([(100.2, 50.0), (300.0, 60.4), (7.0, 8.0)]))
    ((_, corners, _),) = shown.shapes
    boxes = corners.reshape(5, 6, 2)
    left, widths = boxes[..., 0].min(axis=1), np.ptp(boxes[..., 0], axis=1)
    np.testing.assert_array_equal(left, np.array([100, 300, 100, 300, 7]) - texts.PAD)
    np.testing.assert_array_equal(widths, np.array([24, 78, 24, 78, 24]) + 2 * texts.PAD)
    # a ground is no higher than a line of names
    assert np.ptp(boxes[:2, :, 1], axis=1).max() <= ext("ui.overlay.names").LINE


def test_pictures_are_made_once_a_viewport_and_freed_with_it(ext):
    kept = ext("ui.overlay.kept").Kept()
    freed: list[str] = []

    def context(viewport, *opened):
        regions = [SimpleNamespace(as_pointer=lambda one=one: one) for one in opened]
        screen = SimpleNamespace(areas=[SimpleNamespace(type="VIEW_3D", regions=regions)])
        manager = SimpleNamespace(windows=[SimpleNamespace(screen=screen)])
        return SimpleNamespace(region=SimpleNamespace(as_pointer=lambda: viewport), window_manager=manager)

    def picture(viewport, shows, *opened):
        return kept.get(context(viewport, *opened), shows, lambda: SimpleNamespace(free=lambda: freed.append(f"{viewport} {shows}")))

    first = picture(1, "a", 1, 2)
    assert picture(1, "a", 1, 2) is first
    second = picture(2, "a", 1, 2)
    assert second is not first
    assert not freed
    assert picture(1, "b", 1, 2) is not first
    assert freed == ["1 a"]
    # the second viewport was closed: what it showed goes with the next picture of another
    picture(1, "c", 1)
    assert sorted(freed) == ["1 a", "1 b", "2 a"]
    kept.forget()
    assert freed[3:] == ["1 c"]
