# SPDX-License-Identifier: GPL-3.0-or-later
"""What a viewport shows after somebody went somewhere: the background has none, so one is made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.view3d_utils import location_3d_to_region_2d, region_2d_to_location_3d
from mathutils import Matrix, Quaternion, Vector

WIDTH, HEIGHT, SIDEBAR, HEADER = 1200, 800, 300, 52


class View:
    """A perspective view, as far as Blender's own functions look at one."""

    is_perspective = True

    def __init__(self, perspective: str = "PERSP") -> None:
        self.view_perspective = perspective
        self.view_location = Vector((0.0, 0.0, 1.0))
        self.view_rotation = Quaternion((0.8, 0.6, 0.0, 0.0))
        self.view_distance = 5.0
        self.update()

    def update(self) -> None:
        camera = Matrix.Translation(self.view_location) @ self.view_rotation.to_matrix().to_4x4() @ Matrix.Translation((0, 0, 5.0))
        self.view_matrix = camera.inverted()
        near, far = 0.01, 1000.0
        rows = (
            (1.5, 0, 0, 0),
            (0, 1.5 * WIDTH / HEIGHT, 0, 0),
            (0, 0, (far + near) / (near - far), 2 * far * near / (near - far)),
            (0, 0, -1, 0),
        )
        self.window_matrix = Matrix(rows)
        self.perspective_matrix = self.window_matrix @ self.view_matrix


def at_the_window(scene, overlap=True) -> Any:
    """The context of a window; Blender's own has an interface of no size in the background."""
    real = bpy.context
    system = SimpleNamespace(ui_scale=1.0, use_region_overlap=overlap)
    return SimpleNamespace(scene=scene, collection=real.collection, object=real.object, preferences=SimpleNamespace(system=system))


def assert_in_sight(region, view, place, strip=0.0):
    """Left of the sidebar, below the header, and above a strip so high."""
    at = location_3d_to_region_2d(region, view, Vector(place))
    assert 0 < at.x < WIDTH - SIDEBAR
    assert strip < at.y < HEIGHT - HEADER


@pytest.fixture
def viewport(ext, monkeypatch):
    """A viewport with a header above, a sidebar on its right and a strip below."""

    def make(view: View, views: tuple[Any, ...] = ()) -> Any:
        region = SimpleNamespace(width=WIDTH, height=HEIGHT, type="WINDOW", alignment="NONE")
        sidebar = SimpleNamespace(width=SIDEBAR, height=HEIGHT, type="UI", alignment="RIGHT")
        header = SimpleNamespace(width=WIDTH, height=HEADER, type="HEADER", alignment="TOP")
        spaces = SimpleNamespace(active=SimpleNamespace(region_3d=view, region_quadviews=views))
        area = SimpleNamespace(spaces=spaces, regions=[region, header, sidebar], tag_redraw=lambda: None)
        monkeypatch.setattr(ext("operators.view"), "_regions", lambda _context, _kind: [(area, region)])
        return region

    return make


def places_now(ext, scene, take):
    review = ext("operators.review").review_of(scene, take)
    return review.world[review.sample(scene.frame_current)]


def away(make_take, frames=40):
    """A take that is out of every sight in its second half."""
    made = make_take(frames=frames)
    made.positions[frames // 2 :] += (40.0, 0.0, 0.0)
    return made


def test_what_is_gone_to_comes_into_sight_and_what_is_seen_moves_nothing(ext, scene, make_take, load, viewport):
    take = load(away(make_take))
    view = View()
    region = viewport(view)
    before = view.view_location.copy()
    labels = list(ext("operators.takes").markers(take))
    keep = ext("operators.view").keep_in_sight
    scene.frame_set(5)
    view.view_location = Vector(places_now(ext, scene, take).mean(axis=0).tolist())
    view.update()
    # the middle of the viewport is above the strip and beside the sidebar
    before = view.view_location.copy()
    context = at_the_window(scene)
    keep(context, take, labels[:1])
    assert view.view_location == before
    scene.frame_set(35)
    keep(context, take, labels)
    at = location_3d_to_region_2d(region, view, Vector(places_now(ext, scene, take).mean(axis=0).tolist()))
    assert at.x == pytest.approx((WIDTH - SIDEBAR) / 2, abs=1)
    rows = ext("operators.review").review_of(scene, take).rows
    size = ext("model.review.strip_size")
    strip = size.strip_height(len(rows) + 2, curves=True) + 2 * size.MARGIN
    assert at.y == pytest.approx((strip + HEIGHT - HEADER) / 2, abs=1)
    assert view.view_distance == 5.0


@pytest.mark.parametrize("gone", [(0.0, -40.0, 0.0), (22.0, 40.0, 0.0), (0.0, -4.0, 2.0), (30.0, 0.0, 10.0)])
def test_whoever_is_behind_the_eye_or_far_off_comes_as_near_as_the_others_were(ext, scene, make_take, load, viewport, gone):
    made = make_take(frames=40)
    made.positions[20:] += gone
    take = load(made)
    view = View()
    region = viewport(view)
    scene.frame_set(35)
    ext("operators.view").keep_in_sight(bpy.context, take, made.labels)
    middle = Vector(places_now(ext, scene, take).mean(axis=0).tolist())
    assert_in_sight(region, view, middle)
    assert (view.view_matrix.inverted().translation - middle).length < 2 * view.view_distance


def test_markers_that_are_missing_are_looked_for_where_the_body_is(ext, scene, make_take, load, viewport):
    made = away(make_take)
    made.positions[30:, 1] = np.nan
    take = load(made)
    view = View()
    region = viewport(view)
    scene.frame_set(38)
    ext("operators.view").keep_in_sight(bpy.context, take, [made.labels[1]])
    middle = np.nanmean(places_now(ext, scene, take), axis=0)
    assert_in_sight(region, view, middle.tolist())


@pytest.mark.parametrize("view", [View("CAMERA"), View()])
def test_a_camera_and_four_views_stay_as_they_are(ext, scene, make_take, load, viewport, view):
    take = load(away(make_take))
    viewport(view, () if view.view_perspective == "CAMERA" else (view, view, view))
    before = view.view_location.copy()
    scene.frame_set(35)
    ext("operators.view").keep_in_sight(bpy.context, take, [])
    assert view.view_location == before


def test_a_problem_and_a_finding_come_into_sight(ext, scene, make_take, load, viewport):
    made = away(make_take)
    made.positions[32:34, 2] = np.nan
    take = load(made)
    view = View()
    region = viewport(view)
    scene.frame_set(25)
    assert bpy.ops.bonesetter.next_problem() == {"FINISHED"}
    middle = Vector(np.nanmean(places_now(ext, scene, take), axis=0).tolist())
    assert_in_sight(region, view, middle)
    view.view_location = Vector((0.0, 0.0, 1.0))
    view.update()
    finding = ext("model.core.findings").Finding("dropped", "Dropped.", (made.labels[0],), frames=((30, 31),))
    ext("operators.findings").keep_findings(take, [finding.document(int)])
    scene.frame_set(1)
    assert bpy.ops.bonesetter.show_finding(index=0) == {"FINISHED"}
    place = Vector(places_now(ext, scene, take)[0].tolist())
    assert_in_sight(region, view, place)


@pytest.mark.parametrize(("overlap", "moves"), [(True, True), (False, False)])
def test_a_marker_behind_the_header_comes_into_sight(ext, scene, make_take, load, viewport, overlap, moves):
    """Headers lie upon the viewport only where regions may overlap."""
    take = load(away(make_take))
    view = View()
    region = viewport(view)
    scene.frame_set(5)
    label = next(iter(ext("operators.takes").markers(take)))
    place = Vector(places_now(ext, scene, take)[0].tolist())
    middle = (0.5 * (WIDTH - SIDEBAR), HEIGHT - 0.5 * HEADER)
    view.view_location += place - region_2d_to_location_3d(region, view, middle, place)
    view.update()
    before = view.view_location.copy()
    ext("operators.view").keep_in_sight(at_the_window(scene, overlap), take, [label])
    assert (view.view_location != before) == moves
    if moves:
        assert_in_sight(region, view, place)
