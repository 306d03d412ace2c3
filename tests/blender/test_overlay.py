# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overlay draws, onto a viewport that keeps it: the background has none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest


class Batch:
    """Draws nothing."""

    def draw(self, _shader: Any) -> None:
        pass


class Screen:
    """Stands for a viewport, and keeps what is drawn.

    Attributes:
        texts: In their order.
        shapes: (kind, corners, colours or None) of each batch.
    """

    def __init__(self, scene: Any) -> None:
        self.texts: list[str] = []
        self.shapes: list[tuple[str, np.ndarray, Any]] = []
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
        )

    def batch(self, _shader: Any, kind: str, content: dict[str, Any]) -> Batch:
        self.shapes.append((kind, content["pos"], content.get("color")))
        return Batch()


@pytest.fixture
def screen(ext, scene, monkeypatch):
    """A viewport that draws on itself; `draw` draws everything once."""

    def make():
        made = Screen(scene)
        nothing: Any = lambda *_arguments, **_options: None  # noqa: E731
        shader = SimpleNamespace(bind=nothing, uniform_float=nothing)
        state = SimpleNamespace(blend_set=nothing, point_size_set=nothing, viewport_get=lambda: (0, 0, 1200, 800))
        gpu = SimpleNamespace(state=state, shader=SimpleNamespace(from_builtin=lambda _name: shader))
        blf = SimpleNamespace(
            SHADOW=0,
            size=nothing,
            color=nothing,
            position=nothing,
            enable=nothing,
            disable=nothing,
            shadow=nothing,
            dimensions=lambda _font, text: (6 * len(text), 10),
            draw=lambda _font, text: made.texts.append(text),
        )
        modules = [ext(f"ui.overlay.{name}") for name in ("points", "names", "strip")]
        for module in modules:
            monkeypatch.setattr(module, "bpy", SimpleNamespace(context=made.context, types=bpy.types))
            for name, value in (("gpu", gpu), ("blf", blf), ("batch_for_shader", made.batch)):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)
        modules[2].forget()
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
        assert len(shown.shapes) > 5
        assert ext("operators.takes").active_take(shown.context) == take
    # names of rows and runs of states are as many
    assert counted[1] < 1.3 * counted[0]


def test_takes_that_are_shown_together_have_colours_and_names_of_their_own(scene, make_take, load, screen):
    for name in ("Anna", "Bob"):
        load(make_take(name=name))
    scene.bonesetter.others = "SHOW"
    scene.frame_set(5)
    shown = screen()
    shown.draw()
    assert [text for text in shown.texts if text in ("Anna", "Bob")] == ["Anna", "Bob"]
    points = [colours for kind, _, colours in shown.shapes if kind == "POINTS"]
    assert len({tuple(colours[0]) for colours in points}) == 2
    scene.bonesetter.others = "HIDE"
    alone = screen()
    alone.draw()
    assert "Anna" not in alone.texts
    assert "Bob" not in alone.texts


def test_markers_tell_their_names_where_they_are_selected_or_under_the_mouse(ext, scene, make_take, load, screen):
    take = load(make_take())
    scene.frame_set(5)
    # its rows have names, too
    scene.bonesetter.show_strip = False
    markers = ext("operators.takes").markers(take)
    ext("operators.view").select(bpy.context, [markers["RFHD"]])
    shown = screen()
    shown.draw()
    assert [text for text in shown.texts if text in markers] == ["RFHD"]
    session = ext("operators.session").session
    session.hover = (take.session_uid, list(markers).index("LANK"))
    again = screen()
    again.draw()
    assert [text for text in again.texts if text in markers] == ["LANK", "RFHD"]
    scene.bonesetter.show_names = False
    silent = screen()
    silent.draw()
    assert not [text for text in silent.texts if text in markers]
