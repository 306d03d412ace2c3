# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels by what tracks are apart: markers of a limb that come back under one another's labels, or under none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.actors import prior as priors
from model.core.take import IntArray, Take
from model.labelling.rigid_matches import Stretch, matches
from model.labelling.rigid_sets import better_labels, by_rigid_sets, segments_of
from model.labelling.rigidity import astray
from model.labelling.surface import NEIGHBOURS, NEXT_BONE, SEGMENT_OF, SEGMENTS
from model.labelling.tracks import OPEN, Tracks, cut_tracks

JOINTS = priors.bundled().actor.joints
#: Four markers each of a head, a left forearm and a right forearm, the mirrored one of the left with a marker elsewhere, in m.
HEAD = np.array([[0.07, 0.15, 0.06], [0.07, 0.07, -0.06], [-0.06, 0.07, -0.06], [-0.05, 0.16, 0.07]])
LEFT = np.array([[0.04, 0.03, 0.03], [0.13, 0.04, -0.02], [0.22, 0.0, 0.04], [0.24, 0.0, -0.04]])
RIGHT = LEFT * [-1.0, 1.0, 1.0] + [[0.0, 0.0, 0.0], [-0.03, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
#: Which joint carries each of the twelve, and where the three are from each other.
CARRIERS = [JOINTS.index(name) for name in ("Head", "LeftForeArm", "RightForeArm") for _ in range(4)]
MIDDLES = np.repeat([[0.0, 1.6, 0.0], [0.5, 1.2, 0.0], [-0.5, 1.2, 0.0]], 4, axis=0)
FRAMES, GAP = 900, slice(600, 606)
ON_HEAD, ON_LEFT = ([first, first + 1, first + 2, first + 3] for first in (0, 4))


def rigid_paths(seed: int = 0) -> np.ndarray:
    """(frames, 12, 3) in metres: three rigid groups, each turning by itself, on skin that moves a little."""
    random = np.random.default_rng(seed)
    time = np.linspace(0.0, 3.0, FRAMES)[:, None]
    found = []
    for number, places in enumerate((HEAD, LEFT, RIGHT)):
        angle = 0.5 * np.sin((1.0 + 0.3 * number) * time[:, 0] + number)
        turn = np.zeros((FRAMES, 3, 3))
        turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
        turn[:, 0, 1], turn[:, 1, 0], turn[:, 2, 2] = -np.sin(angle), np.sin(angle), 1.0
        found.append(np.einsum("fab,mb->fma", turn, places))
    return np.concatenate(found, axis=1) + MIDDLES + 0.001 * random.standard_normal((FRAMES, 12, 3))


def in_two(paths: np.ndarray) -> Tracks:
    """Two tracks a column, before and after a gap."""
    paths = paths.copy()
    paths[GAP] = np.nan
    return cut_tracks(Take("rolling", tuple("abcdefghijkl"), paths, np.zeros(paths.shape[:2]), 100.0))


def places_of(tracks: Tracks) -> np.ndarray:
    """(tracks, joints, 3) in metres: as if no bone turned."""
    middle = np.array(
        [np.nanmean(tracks.positions[s:e, c], axis=0) for s, e, c in zip(tracks.starts, tracks.ends, tracks.columns, strict=True)]
    )
    return np.repeat(middle[:, None], len(JOINTS), axis=1)


def found_for(tracks: Tracks, labels: IntArray) -> list[int]:
    return by_rigid_sets(JOINTS, CARRIERS, places_of(tracks), tracks, labels).tolist()


@pytest.fixture(scope="module")
def tracks() -> Tracks:
    return in_two(rigid_paths())


def late(tracks: Tracks, labels: list[int]) -> np.ndarray:
    return (tracks.starts > 500) & np.isin(tracks.columns, labels)


def test_right_labels_stay(tracks: Tracks) -> None:
    assert len(tracks) == 24
    assert found_for(tracks, tracks.columns) == tracks.columns.tolist()


@pytest.mark.parametrize("order", [[1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2], [0, 1, 3, 2]], ids=str)
@pytest.mark.parametrize("first", [0, 4, 8])
def test_markers_of_a_segment_that_come_back_under_one_anothers_labels(tracks: Tracks, order: list[int], first: int) -> None:
    own = list(range(first, first + 4))
    wrong = tracks.columns.copy()
    rows = late(tracks, own)
    wrong[rows] = [own[order[own.index(label)]] for label in tracks.columns[rows].tolist()]
    assert found_for(tracks, wrong) == tracks.columns.tolist()


def test_a_limb_that_comes_back_without_any_label(tracks: Tracks) -> None:
    """And not as the other arm, whose markers are nearly as far apart, and which has its labels."""
    open_ = np.where(late(tracks, ON_LEFT), OPEN, tracks.columns)
    assert found_for(tracks, open_) == tracks.columns.tolist()


def test_ghosts_beside_a_limb_get_no_label(tracks: Tracks) -> None:
    random = np.random.default_rng(1)
    ghosts = rigid_paths()[:, ON_LEFT] + 0.1 * random.standard_normal((4, 3))
    ghosts[: GAP.stop] = np.nan
    paths = np.concatenate([tracks.positions, ghosts], axis=1)
    more = cut_tracks(Take("rolling", tuple("abcdefghijklmnop"), paths, np.zeros(paths.shape[:2]), 100.0))
    with_ghosts = np.where(more.columns < 12, more.columns, OPEN)
    hidden = np.where(late(more, ON_LEFT), OPEN, with_ghosts)
    assert found_for(more, hidden) == with_ghosts.tolist()


def test_a_marker_that_is_called_like_one_of_the_next_segment(tracks: Tracks) -> None:
    """All four of the forearm are known by their distances; one of them was labelled as on the upper arm, and the others not at all."""
    carriers = [*CARRIERS, JOINTS.index("LeftArm")]
    rows = late(tracks, ON_LEFT)
    wrong = np.where(rows, np.where(tracks.columns == 4, 12, OPEN), tracks.columns)
    assert by_rigid_sets(JOINTS, carriers, places_of(tracks), tracks, wrong).tolist() == tracks.columns.tolist()


def test_too_few_markers_are_left_as_they_are(tracks: Tracks) -> None:
    two = np.where(np.isin(tracks.columns, [4, 5]), tracks.columns, OPEN)
    assert found_for(tracks, two) == two.tolist()
    assert found_for(tracks, np.full(24, OPEN)) == [OPEN] * 24


def test_matches_go_by_the_distances_of_all() -> None:
    apart = np.linalg.norm(HEAD[:, None] - HEAD, axis=-1)
    order = [2, 0, 3, 1]
    shuffled = apart[np.ix_(order, order)]
    stretch = Stretch(np.arange(4), np.ones(4, dtype=bool), shuffled, np.zeros((4, 4)), 100)
    rows, off = matches(stretch, apart)[0]
    assert (rows >= 0).all()
    assert [order[row] for row in rows] == [0, 1, 2, 3]
    assert off == pytest.approx(0.0, abs=1e-12)
    # a distance that nobody knows speaks for nothing and against nothing
    unknown = apart.copy()
    unknown[0, 1] = unknown[1, 0] = np.nan
    rows, _ = matches(stretch, unknown)[0]
    assert (rows >= 0).all()
    assert [order[row] for row in rows] == [0, 1, 2, 3]
    # three that are no segment's own are too few
    assert not matches(replace(stretch, own=np.zeros(4, dtype=bool)).only(np.arange(4) < 3), apart)


def test_where_everything_fits_everything_nothing_is_said() -> None:
    """Twenty points as far from one another as twenty others: nobody could look at all ways."""
    apart = 0.1 * (1 - np.eye(20))
    assert matches(Stretch(np.arange(20), np.ones(20, dtype=bool), apart, np.zeros((20, 20)), 100), apart) == []


def test_how_much_is_astray(tracks: Tracks) -> None:
    segments = segments_of(JOINTS, CARRIERS)
    right = astray(segments, tracks, tracks.columns)
    assert right.elsewhere == 0.0
    assert right.part == 0.0
    turned = np.where(late(tracks, ON_HEAD), (tracks.columns + 1) % 4, tracks.columns)
    wrong = astray(segments, tracks, turned)
    # a third of the take, of a third of the markers
    assert 0.05 < wrong.elsewhere < 0.12
    left = astray(segments, tracks, np.where(late(tracks, ON_HEAD), OPEN, tracks.columns))
    assert left.elsewhere == 0.0
    assert left.part == pytest.approx(1 / 9, abs=0.01)


def test_labels_are_better_where_less_is_astray(tracks: Tracks) -> None:
    turned = np.where(late(tracks, ON_HEAD), (tracks.columns + 1) % 4, tracks.columns)
    segments = segments_of(JOINTS, CARRIERS)
    better = better_labels(JOINTS, CARRIERS, places_of(tracks), tracks, turned, astray(segments, tracks, turned))
    assert better is not None
    assert better.tolist() == tracks.columns.tolist()
    right = astray(segments, tracks, tracks.columns)
    assert better_labels(JOINTS, CARRIERS, places_of(tracks), tracks, tracks.columns, right) is None


def test_every_segment_hangs_on_another() -> None:
    assert set(NEXT_BONE) == set(SEGMENTS)
    assert all(SEGMENT_OF[bone] != segment for segment, bone in NEXT_BONE.items())
    assert (NEIGHBOURS == NEIGHBOURS.T).all()
    assert not NEIGHBOURS.diagonal().any()
