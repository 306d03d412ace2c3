# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people in one file whose points have no names, told apart by motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.actors import prior as priors
from model.core.rotations import rotvec_to_rotmat
from model.core.settings import Settings
from model.core.take import FloatArray, Take
from model.engine.pipeline import solve_people, solve_take
from model.files.c3d_writer import write_c3d
from model.files.readers import read_take
from model.labelling.labelled import Labelled
from model.labelling.people import Part, affinities, best_cut, divided, label_people, united
from model.labelling.tracks import Tracks, cut_tracks
from model.shell.cli import main
from model.synthetic.bodies import draw_bodies
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import Stripped, owners, strip_labels

APART_M = 0.6


def person(seed: int) -> Take:
    """A synthetic person of a build of his own, for six seconds, without mistakes in labels."""
    prior = priors.bundled()
    drawn = draw_bodies(prior.actor, 1, np.random.default_rng(seed))
    own = replace(prior.actor, bone_mean=drawn.bones[0], offset_mean=drawn.offsets[0])
    noise = Noise(jitter=5e-4, gaps=0.01, long_gaps=2, spikes=0.0, swaps=0)
    return synthesise(6.0, 60.0, seed=seed, noise=noise, prior=replace(prior, actor=own)).take


@pytest.fixture(scope="module")
def pair() -> tuple[Take, Take]:
    """Two people who move 0.6 m from each other, the second backwards in time."""
    first, other = person(3), person(4)
    second = replace(other, positions=other.positions[::-1], residuals=other.residuals[::-1])
    middle = np.nanmean(first.positions, axis=(0, 1)) - np.nanmean(second.positions, axis=(0, 1))
    return first, replace(second, positions=second.positions + middle + np.array([APART_M, 0.0, 0.0]))


@pytest.fixture(scope="module")
def stripped(pair: tuple[Take, Take]) -> Stripped:
    """Both in one take, tracks cut and shuffled over columns, markers away at times, and ghosts."""
    takes = [one.only(range(len(one.labels)), tuple(f"{'AB'[row]}_{label}" for label in one.labels)) for row, one in enumerate(pair)]
    return strip_labels(replace(takes[0].beside(takes[1]), name="duet", origins=()), seed=3, hard=True)


@pytest.fixture(scope="module")
def found(stripped: Stripped) -> tuple[Labelled, ...]:
    return label_people(stripped.take)


def right_and_wrong(stripped: Stripped, people: tuple[Labelled, ...]) -> tuple[float, float]:
    """Parts of the samples, each of the found people counted as the one whose labels it has most of."""
    real, right, wrong = stripped.truth >= 0, 0, 0
    true = np.where(real, np.array(stripped.names)[np.maximum(stripped.truth, 0)], "")
    for person in people:
        labels = np.array([*(label if label[0] != "*" else "" for label in person.take.labels), ""])
        said = labels[owners(stripped.take, person.take.positions)]
        given = real & (said != "")
        same = max(int((given & (true == np.char.add(who, said))).sum()) for who in ("A_", "B_"))
        right, wrong = right + same, wrong + int(given.sum()) - same
    return right / real.sum(), wrong / real.sum()


def with_stick(takes: tuple[Take, ...]) -> Take:
    """Takes in one, with a stick of four markers that swings by itself a metre from the first."""
    whole = takes[0] if len(takes) == 1 else takes[0].beside(takes[1])
    time = np.arange(whole.frames)[:, None] / whole.rate_hz
    turns = rotvec_to_rotmat(np.sin(0.7 * time) * np.array([1.1, 0.4, -0.8]))
    stick = np.array([[-0.3, 0.0, 0.01], [0.1, 0.02, -0.01], [0.45, -0.03, 0.0], [0.2, 0.09, 0.05]])
    away = np.nanmean(takes[0].positions, axis=(0, 1)) - (1.0, 0.0, 0.0) + 0.2 * np.sin(time * (1.0, 0.5, 0.8))
    samples = np.einsum("fab,mb->fma", turns, stick) + away[:, None]
    prop = replace(takes[0], labels=("S1", "S2", "S3", "S4"), positions=samples, residuals=np.zeros(samples.shape[:2]))
    both = whole.beside(replace(prop, origins=(), findings=()))
    return replace(both, labels=tuple(f"*{row}" for row in range(len(both.labels))), origins=(), findings=())


@pytest.mark.parametrize("people", [1, 2])
def test_a_prop_is_no_person(pair: tuple[Take, Take], people: int) -> None:
    whole = with_stick(pair[:people])
    tracks = cut_tracks(whole)
    parts = divided(tracks)
    assert len(parts) == people
    count = len(pair[0].labels)
    if people == 2:
        for part in parts:
            columns = tracks.columns[part.body]
            assert len({column // count for column in columns.tolist()}) == 1


def test_a_limb_that_is_cut_off_goes_with_its_body() -> None:
    """Six points of a shin that swings fall off with a prop that goes with them: they are still looked at with the body above them."""
    random, time = np.random.default_rng(0), np.arange(240)[:, None, None] / 60.0
    # nobody stands as still as a reflection does
    sway = 0.01 * np.concatenate([np.cos(2 * time), np.sin(3 * time), np.zeros_like(time)], axis=2)
    body = random.uniform(-0.3, 0.3, (1, 20, 3)) + sway
    swing = 0.3 * np.concatenate([np.sin(5 * time), np.cos(4 * time), np.zeros_like(time)], axis=2)
    shin = random.uniform(-0.1, 0.1, (1, 6, 3)) + swing - (0.0, 0.0, 0.7)
    prop = random.uniform(-0.1, 0.1, (1, 4, 3)) + swing - (-0.2, 0.0, 0.8)
    positions = np.concatenate([body + np.array([3.0, 0.0, 0.0]), body, shin, prop], axis=1)
    take = Take("kick", tuple(f"*{row}" for row in range(50)), positions, np.zeros(positions.shape[:2]), 60.0)
    other, near = sorted(divided(cut_tracks(take)), key=lambda part: int(part.all.min()))
    assert other.all.tolist() == list(range(20))
    assert near.body.tolist() == list(range(20, 40))
    assert set(range(20, 46)) <= set(near.all.tolist())


def crowd(people: int, seconds: float = 110.0, rate_hz: float = 20.0) -> Take:
    """People of 20 points each who walk about, 1.2 m from each other; every point is away for half a second some 25 times."""
    random, frames = np.random.default_rng(1), round(seconds * rate_hz)
    time = np.arange(frames)[:, None, None] / rate_hz
    walk = np.concatenate([np.sin(0.3 * time), np.cos(0.2 * time), np.zeros_like(time)], axis=2)
    points = np.concatenate(
        [random.uniform(-0.3, 0.3, (1, 20, 3)) + walk + np.array([1.2 * row, 0.0, 1.0]) for row in range(people)], axis=1
    )
    points += 0.02 * np.sin(time * random.uniform(1.0, 3.0, (1, points.shape[1], 3)))
    for column in range(points.shape[1]):
        for start in random.integers(0, frames, 25):
            points[start : start + round(rate_hz / 2), column] = np.nan
    return Take("crowd", tuple(f"*{row}" for row in range(points.shape[1])), points, np.zeros(points.shape[:2]), rate_hz)


def test_one_person_s_broken_tracks_are_one_person_however_long_the_take_is() -> None:
    """A cut in time costs next to nothing where every track lasts some seconds: it parted the first half of a take from the second."""
    tracks = cut_tracks(crowd(1))
    (part,) = divided(tracks)
    assert len(part.body) > 0.9 * len(tracks)


def test_two_people_stay_themselves_through_a_longer_take() -> None:
    """The second one leaves for a while."""
    whole = crowd(2)
    positions = whole.positions.copy()
    positions[900:1300, 20:] = np.nan
    tracks = cut_tracks(replace(whole, positions=positions))
    parts = divided(tracks)
    assert len(parts) == 2
    # what is given to the wrong one here, some tracks at the ends of stretches, people compete for later
    share = [np.bincount(tracks.columns[part.body] // 20, minlength=2) / len(part.body) for part in parts]
    assert sorted(int(each.argmax()) for each in share) == [0, 1]
    assert min(each.max() for each in share) > 0.85


def without(take: Take, frames: slice) -> Take:
    """Nobody is seen in some frames, and all tracks go on in other columns."""
    positions = take.positions.copy()
    positions[frames] = np.nan
    behind = np.random.default_rng(0).permutation(len(take.labels))
    positions[frames.stop :] = positions[frames.stop :, behind]
    return replace(take, positions=positions)


@pytest.mark.parametrize("away", [slice(150, 151), slice(150, 210)])
def test_a_person_who_is_lost_for_a_moment_stays_one(pair: tuple[Take, Take], away: slice) -> None:
    (part,) = divided(cut_tracks(without(pair[0], away)))
    assert len(part.body) > 70


def test_a_person_who_is_moved_at_once_stays_one(pair: tuple[Take, Take]) -> None:
    positions = pair[0].positions.copy()
    positions[200:] += [0.3, 0.0, 0.0]
    assert len(divided(cut_tracks(replace(pair[0], positions=positions)))) == 1


def test_two_people_who_are_there_together_for_a_moment_are_two(pair: tuple[Take, Take]) -> None:
    """Apart from each other, that is: tracks of one who was lost end and begin one by one at one place."""
    frames = np.arange(1000)
    one, other = (np.zeros((1000, 20, 3)) for _ in range(2))
    for path, there in ((one, frames < 505), (other, frames >= 500)):
        path[:] = np.random.default_rng(0).uniform(0.0, 0.5, (1, 20, 3)) + 0.001 * frames[:, None, None]
        path[~there] = np.nan
    for apart_m, people in ((0.05, 1), (2.0, 2)):
        whole = np.concatenate([one, other + np.array([apart_m, 0.0, 0.0])], axis=1)
        labels = tuple(f"*{row}" for row in range(40))
        tracks = cut_tracks(Take("walk", labels, whole, np.zeros(whole.shape[:2]), 100.0))
        parts = [Part(np.flatnonzero(side), np.zeros(0, dtype=int)) for side in (tracks.columns < 20, tracks.columns >= 20)]
        assert len(united(parts, tracks)) == people


def test_two_people_who_are_lost_for_a_moment_stay_themselves(pair: tuple[Take, Take]) -> None:
    whole = replace(pair[0].beside(pair[1]), origins=())
    positions, count = whole.positions.copy(), len(pair[0].labels)
    positions[180:190] = np.nan
    tracks = cut_tracks(replace(whole, positions=positions))
    parts = divided(tracks)
    assert len(parts) == 2
    for part in parts:
        first = tracks.columns[part.all] < count
        assert first.all() or not first.any()
        assert (tracks.starts[part.all] < 180).any()
        assert (tracks.starts[part.all] >= 180).any()


def test_people_are_labelled(stripped: Stripped, found: tuple[Labelled, ...]) -> None:
    assert [person.take.name for person in found] == ["duet.1", "duet.2"]
    right, wrong = right_and_wrong(stripped, found)
    assert right > 0.98
    assert wrong < 0.005
    for person in found:
        assert person.marker_set is not None
        assert any(finding.text == "2 people were found by motion, a take each." for finding in person.findings)


def test_nobody_has_the_others_samples(stripped: Stripped, found: tuple[Labelled, ...]) -> None:
    given = [owners(stripped.take, person.take.positions[:, [label[0] != "*" for label in person.take.labels]]) >= 0 for person in found]
    assert not (given[0] & given[1]).any()


def test_one_person_is_not_divided(pair: tuple[Take, Take]) -> None:
    alone = strip_labels(pair[0], seed=1, hard=True).take
    tracks = cut_tracks(alone)
    (part,) = divided(tracks)
    assert len(part.body)
    assert label_people(alone) == ()


def test_a_cut_goes_through_the_weakest_place() -> None:
    affinity = np.zeros((7, 7))
    for group in (range(3), range(3, 7)):
        affinity[np.ix_(group, group)] = 1.0
    affinity[2, 3] = affinity[3, 2] = 0.1
    np.fill_diagonal(affinity, 0.0)
    cost, first = best_cut(affinity)
    assert set(map(tuple, (np.flatnonzero(first).tolist(), np.flatnonzero(~first).tolist()))) == {(0, 1, 2), (3, 4, 5, 6)}
    assert cost == pytest.approx(0.1 / 6.1 + 0.1 / 12.1, rel=1e-6)


def test_tracks_that_are_never_together_have_no_affinity() -> None:
    points: FloatArray = np.zeros((20, 3, 3))
    points[10:, 1], points[:10, 2] = np.nan, np.nan
    found = affinities(points)
    assert found[0, 1] == found[0, 2] == 10.0
    assert found[1, 2] == 0.0


def test_people_are_solved_as_each_alone(pair: tuple[Take, Take], stripped: Stripped, tmp_path: Path) -> None:
    del stripped
    takes = [one.only(range(len(one.labels)), tuple(f"{'AB'[row]}_{label}" for label in one.labels)) for row, one in enumerate(pair)]
    plain = strip_labels(replace(takes[0].beside(takes[1]), name="duet", origins=()), seed=5).take
    parts: list[float] = []
    people = solve_people(plain, Settings(), progress=lambda _stage, part: parts.append(part))
    assert parts == sorted(parts)
    assert [solution.clean.take.name for solution in people] == ["duet.1", "duet.2"]
    alone = [solve_take(replace(one, findings=()), Settings()) for one in pair]
    for one in alone:
        apart = min(float(np.linalg.norm(one.positions - other.positions, axis=-1).mean()) for other in people)
        assert apart < 5e-4
    write_c3d(plain, tmp_path / "duet.c3d")
    assert main(["label", str(tmp_path / "duet.c3d"), "--out", str(tmp_path / "out")]) == 0
    names = ["duet.1.c3d", "duet.1.labels.csv", "duet.2.c3d", "duet.2.labels.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    assert {"LFHD", "RTOE"} <= set(read_take(tmp_path / "out" / "duet.2.c3d").labels)


def test_somebody_of_whom_a_foot_alone_goes_on_where_frames_are_lost_is_one_person() -> None:
    """All other tracks end and begin anew: the foot's go with the first body, and are there beside the second."""
    frames, foot, others = 200, 8, 30
    spans = [(0, frames)] * foot + [(0, 100)] * others + [(100, frames)] * others
    starts, ends = np.array(spans).T
    tracks = Tracks(np.zeros((frames, len(spans), 3)), np.arange(len(spans)), starts, ends, 100.0)
    nobody = np.zeros(0, dtype=int)
    parts = [Part(np.arange(foot + others), nobody), Part(np.arange(foot + others, len(spans)), nobody)]
    assert [part.body.tolist() for part in united(parts, tracks)] == [list(range(len(spans)))]
