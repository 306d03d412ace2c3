# SPDX-License-Identifier: GPL-3.0-or-later
"""How far work has come: parts of it, attempts of which nobody knows how many there will be, and what labelling tells."""

from __future__ import annotations

import pytest

from model.core.progress import each_of, part_of, shares
from model.labelling.label import label_take
from model.marker_sets.marker_set import load_marker_set
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import strip_labels


def test_parts_lie_one_behind_the_other() -> None:
    told: list[float] = []
    for part in each_of(part_of(told.append, 0.2, 0.6), 2):
        assert part is not None
        part(0.0)
        part(1.0)
    assert told == pytest.approx([0.2, 0.4, 0.4, 0.6])


def test_each_attempt_leaves_something_for_another() -> None:
    told: list[float] = []
    parts = shares(told.append)
    for _ in range(20):
        part = next(parts)
        assert part is not None
        part(1.0)
    assert told == sorted(told)
    assert told[0] == pytest.approx(0.7)
    assert told[-1] <= 1.0


def test_nothing_is_told_to_nobody() -> None:
    assert part_of(None, 0.0, 0.5) is None
    assert next(shares(None)) is None
    assert list(each_of(None, 2)) == [None, None]


@pytest.mark.parametrize("unknown_set", [False, True])
def test_labelling_tells_how_far_it_is_all_along(unknown_set: bool) -> None:
    """Looking for somebody takes as long as all that follows, and far longer where nobody is found."""
    quiet = Noise(jitter=5e-4, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)
    take = synthesise(4.0, 60.0, seed=2, noise=quiet).take
    take = take.only([take.labels.index(label) for label in load_marker_set().labels])
    told: list[tuple[str, float]] = []
    label_take(strip_labels(take, 1, hard=False).take, progress=lambda stage, part: told.append((stage, part)), unknown_set=unknown_set)
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[0] == 0.0
    assert parts[-1] <= 1.0
    assert sum(stage == "look" for stage, _ in told) >= 4
    assert [stage for stage, _ in told][-1] == "compare"
