# SPDX-License-Identifier: GPL-3.0-or-later
"""People who are smaller or larger than those whom the prior knows: children, and very tall people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import model.engine.subject as subject
import model.solver.take_actor as take_actor
from model.actors import prior as priors
from model.actors.actor import Actor
from model.actors.prior import Prior, unusual_size
from model.core.settings import Settings
from model.core.take import Take
from model.engine.pipeline import solve_take
from model.labelling.key_frames import choose_key_frames
from model.labelling.label import label_take
from model.labelling.labelled import Labelled
from model.labelling.layout import layout_of
from model.labelling.stature import likely_sizes, standing_m
from model.labelling.template import template_of_set
from model.labelling.tracks import cut_tracks
from model.marker_sets.marker_set import MarkerSet, load_marker_set
from model.proposer.propose import propose_poses
from model.result.solution import Solution
from model.solver.calibration import fit_actor
from model.solver.take_actor import fit_any_size
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise
from model.synthetic.unlabelled import Labelling, Stripped, score, strip_labels

QUIET = Noise(jitter=5e-4, gaps=0.02, long_gaps=2, spikes=0.0, swaps=0)


def of_size(take: Take, size: float) -> Take:
    return replace(take, positions=size * take.positions)


@pytest.fixture(scope="module")
def usual(synthetic: SyntheticTake) -> Solution:
    return solve_take(synthetic.take, Settings())


@pytest.mark.parametrize("size", [0.75, 1.25])
def test_a_child_and_a_giant_are_solved_as_somebody_of_usual_size(synthetic: SyntheticTake, usual: Solution, size: float) -> None:
    found = solve_take(of_size(synthetic.take, size), Settings())
    apart = np.linalg.norm(found.positions / size - usual.positions, axis=-1)
    assert apart.mean() < 0.005
    joints = list(found.actor.skeleton.joints)
    # the thigh's markers held the knee where an adult's is
    assert apart[:, [joints.index("LeftLeg"), joints.index("RightLeg")]].mean() < 0.010
    assert not [finding.text for finding in found.findings if finding.kind == "misplaced"]


def test_only_unusual_sizes_are_fitted_twice(synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return fit_actor(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(take_actor, "fit_actor", counted)
    solve_take(synthetic.take, Settings())
    assert count == 1
    solve_take(of_size(synthetic.take, 0.8), Settings())
    assert count == 3


@pytest.mark.parametrize(("size", "shown"), [(1.0, 1), (0.6, 2), (1.3, 2)])
def test_the_network_is_shown_people_of_unusual_size_again(
    synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch, size: float, shown: int
) -> None:
    count, begun = 0, list[Actor]()

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return propose_poses(*given)  # pyright: ignore[reportArgumentType]

    def noted(start: Actor, *given: object, **named: object) -> object:
        begun.append(start)
        return fit_any_size(start, *given, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(subject, "propose_poses", counted)
    monkeypatch.setattr(subject, "fit_any_size", noted)
    solve_take(of_size(synthetic.take, size), Settings())
    assert count == shown
    # after the first look it is 0.71 and 1.22 of the mean person
    assert priors.bundled().actor.scale(begun[0].skeleton) == pytest.approx(size, rel=0.04)


def test_priors_of_a_size_are_scaled_whole() -> None:
    prior = priors.bundled()
    small = prior.of_size(0.8)
    marker_set = load_marker_set()
    placement, of_small = (each.placement(marker_set, marker_set.labels) for each in (prior, small))
    assert np.allclose(placement.of_size(0.8).offset_mean, of_small.offset_mean)
    assert np.allclose(placement.of_size(0.8).offset_deviation, of_small.offset_deviation)
    assert unusual_size(prior, small.mean_actor()) == pytest.approx(0.8)
    assert unusual_size(prior, prior.mean_actor()) is None
    assert unusual_size(small, small.mean_actor()) is None


@pytest.fixture(scope="module")
def stripped(synthetic: SyntheticTake) -> Stripped:
    return strip_labels(synthetic.take, 2, hard=True)


def labelled(stripped: Stripped, marker_set: MarkerSet | None = None) -> tuple[Labelled, Labelling]:
    found = label_take(stripped.take, marker_set=marker_set)
    names = [label for label in found.take.labels if not label.startswith("*")]
    return found, score(stripped, found.take.positions[:, : len(names)], names)


@pytest.fixture(scope="module")
def usually_labelled(stripped: Stripped) -> tuple[Labelled, Labelling]:
    return labelled(stripped)


@pytest.mark.parametrize("size", [0.6, 0.8, 1.3])
def test_somebody_of_unusual_size_is_labelled_as_well(
    stripped: Stripped, usually_labelled: tuple[Labelled, Labelling], size: float
) -> None:
    usual, of_usual = usually_labelled
    assert of_usual.right > 0.99
    found, result = labelled(replace(stripped, take=of_size(stripped.take, size)))
    assert result.right >= of_usual.right - 0.001
    assert result.wrong <= of_usual.wrong + 0.001
    # what is handed on is of the person's own size
    assert np.nanmax(found.take.positions) == pytest.approx(size * np.nanmax(stripped.take.positions))
    tall, usually_tall = (np.linalg.norm(one.actor.skeleton.bones, axis=-1).sum() for one in (found, usual))
    assert tall == pytest.approx(size * usually_tall, rel=0.01)


def test_a_size_is_tried_that_the_points_stand_in(synthetic: SyntheticTake) -> None:
    keys = choose_key_frames(cut_tracks(strip_labels(synthetic.take, 2).take), 4)
    usual = standing_m(template_of_set(load_marker_set(), priors.bundled()).actor)
    assert 1.4 < usual < 2.0
    assert likely_sizes(keys, "Z", usual) == (1.0,)
    assert likely_sizes(keys.shrunk(2.0), "Z", usual) == (1.0, pytest.approx(0.5, abs=0.08))
    # who lies, and nobody of whom there are only the feet, is not as small
    assert likely_sizes(keys.shrunk(5.0), "Z", usual) == (1.0,)
    assert likely_sizes(keys.shrunk(0.4), "Z", usual) == (1.0,)


def test_who_lies_is_no_child(synthetic: SyntheticTake) -> None:
    keys = choose_key_frames(cut_tracks(strip_labels(synthetic.take, 2).take), 4)
    usual = standing_m(template_of_set(load_marker_set(), priors.bundled()).actor)
    # a child who stands is told by another axis than the one that lies along the body
    assert len(likely_sizes(keys.shrunk(1.6), "Z", usual)) == 2
    assert likely_sizes(replace(keys, points=keys.points[..., [2, 1, 0]]), "Z", usual) == (1.0,)


def test_the_set_of_a_child_finds_its_labels_in_another_take(prior: Prior) -> None:
    """Places of a set are those of a person of usual size, who is fitted to a child with all of them shrunk."""
    first, second = (synthesise(6.0, 60.0, seed=seed, noise=QUIET, prior=prior.of_size(0.6)).take for seed in (3, 4))
    layout = layout_of(label_take(strip_labels(first, 9).take))
    _, result = labelled(strip_labels(second, 5, hard=True), layout)
    assert result.right > 0.98


def test_an_actor_of_a_size_is_scaled_whole(usual: Solution) -> None:
    actor = usual.actor
    small = actor.of_size(0.5)
    assert np.allclose(small.skeleton.offsets, 0.5 * actor.skeleton.offsets)
    assert np.allclose(small.marker_offsets, 0.5 * actor.marker_offsets)
    assert actor.bone_sigma is not None
    assert small.bone_sigma is not None
    assert np.allclose(small.bone_sigma, 0.5 * actor.bone_sigma, equal_nan=True)
