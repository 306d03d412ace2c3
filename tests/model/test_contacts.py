# SPDX-License-Identifier: GPL-3.0-or-later
"""When feet stand, of soles whose markers are drawn by hand."""

from dataclasses import replace

import numpy as np
import pytest

from model.actors.actor import Actor
from model.actors.prior import bundled
from model.core.skeleton import Skeleton
from model.core.take import Axis, FloatArray
from model.feet.contacts import as_given, find_contacts, find_soles, follow
from model.result.contacts import Contact, Sole

RATE = 120.0
SOLE = Sole("LeftFoot", "heel", (0,))


def path(*pieces):
    """(frames, 1, 3): from place to place, (seconds, (x, y, z)) each, at constant speed."""
    places = [np.zeros((1, 3))]
    for seconds, to in pieces:
        part = np.linspace(0, 1, round(seconds * RATE) + 1)[1:, None]
        places.append(places[-1][-1] * (1 - part) + np.array(to) * part)
    return np.concatenate(places)[1:, None]


def contacts(samples: FloatArray, solved: FloatArray | None = None, up: Axis = "Z", jitter: float = 0.0005) -> list[tuple[int, int]]:
    random = np.random.default_rng(0)
    solved = samples if solved is None else solved
    noisy = samples + jitter * random.normal(size=samples.shape)
    trusted = np.asarray(np.isfinite(samples).all(axis=-1))
    return [(each.first, each.last) for each in find_contacts(follow(SOLE, noisy, trusted, solved, RATE, up), RATE)]


STEP = ((1.0, (0, 0, 0)), (0.2, (0.3, 0, 0.15)), (0.2, (0.6, 0, 0)), (1.0, (0.6, 0, 0)))


@pytest.mark.parametrize("up", ["Y", "Z"])
def test_a_step_between_two_stances(up):
    samples = path(*STEP)
    samples = samples if up == "Z" else samples[..., [0, 2, 1]]
    found = contacts(samples, up=up)
    assert len(found) == 2
    np.testing.assert_allclose(found, [(0, 119), (168, 287)], atol=8)


def test_noise_and_a_shuffle_do_not_break_a_stance_into_pieces_but_a_shuffle_ends_it():
    found = contacts(path((1.0, (0, 0, 0)), (0.2, (0.08, 0, 0)), (1.0, (0.08, 0, 0))), jitter=0.001)
    assert len(found) == 2
    assert found[0][1] < 125
    assert found[1][0] > 138


@pytest.mark.parametrize(
    "away",
    [
        pytest.param((1.0, (0.3, 0, 0)), id="slides"),
        pytest.param((4.0, (0.3, 0, 0)), id="slides slowly"),
    ],
)
def test_a_foot_that_slides_does_not_stand(away):
    assert contacts(path(away)) == []


def test_a_heel_that_stays_up_does_not_stand():
    """On tip-toe: still, but 8 cm above where the heel stands."""
    found = contacts(path((1.0, (0, 0, 0)), (0.3, (0, 0, 0.08)), (1.0, (0, 0, 0.08)), (0.3, (0, 0, 0)), (1.0, (0, 0, 0))))
    assert len(found) == 2
    assert not [span for span in found if span[0] < 220 and span[1] > 160]


def test_where_no_marker_is_seen_the_solver_speaks():
    samples = path(*STEP)
    hidden = samples.copy()
    hidden[60:90] = np.nan
    hidden[130:150] = np.nan
    assert contacts(hidden, samples) == contacts(samples)


def test_a_marker_that_is_never_seen_and_never_slow_has_no_floor():
    samples = np.full((240, 1, 3), np.nan)
    assert not contacts(samples, path((2.0, (4.0, 0, 0))))


def test_soles_of_the_bundled_actor():
    actor = bundled().mean_actor()
    named = [(sole.foot, sole.part, [actor.labels[row] for row in sole.markers]) for sole in find_soles(actor)]
    assert named == [
        ("LeftFoot", "heel", ["LHEE"]),
        ("LeftFoot", "ball", ["LTOE", "LMT5"]),
        ("RightFoot", "heel", ["RHEE"]),
        ("RightFoot", "ball", ["RTOE", "RMT5"]),
    ]


def test_soles_of_any_hierarchy_and_of_few_markers():
    joints = ("pelvis", "thigh_l", "shin_l", "ankle_l", "thigh_r", "shin_r", "ankle_r", "chest")
    parents = (-1, 0, 1, 2, 0, 4, 5, 0)
    places = np.array([[0, 0, 0], [0.1, -0.1, 0], [0, -0.4, 0], [0, -0.4, 0], [-0.1, -0.1, 0], [0, -0.4, 0], [0, -0.4, 0], [0, 0.4, 0]])
    skeleton = Skeleton(joints, parents, np.zeros((8, 3)), places)
    actor = Actor(skeleton, ("a", "b", "c"), (3, 3, 7), np.array([[0, 0, -0.05], [0, 0, 0.02], [0, 0, 0]]))
    assert find_soles(actor) == (Sole("ankle_l", "foot", (0, 1)),)
    assert find_soles(replace(actor.only([2]))) == ()


def test_the_user_says_when_a_foot_stands():
    heel, ball = Sole("F", "heel", (0,)), Sole("F", "ball", (1,))
    found = [(Contact(heel, 10, 20),), (Contact(ball, 15, 30),)]
    stands = np.zeros(100, dtype=bool)
    stands[10:31] = True
    assert as_given((heel, ball), found, stands) == found, "as it was found"
    # shorter, longer, and once more
    stands[28:31], stands[5:10], stands[60:70] = False, True, True
    heels, balls = as_given((heel, ball), found, stands)
    assert heels == (Contact(heel, 5, 20), Contact(heel, 60, 69)), "what stands next to it goes on; far from any all soles stand"
    assert balls == (Contact(ball, 15, 27), Contact(ball, 60, 69))
    assert as_given((heel, ball), [(), ()], stands)[1][-1] == Contact(ball, 60, 69)
    assert as_given((heel, ball), found, np.zeros(100, dtype=bool)) == [(), ()]
