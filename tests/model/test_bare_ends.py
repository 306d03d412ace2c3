# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes without labels of people whose hands, or whose leg from the knee down, carry no markers."""

from __future__ import annotations

import pytest

from model.core.take import Take
from model.labelling.label import label_take
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import score, strip_labels

HANDS = tuple(side + label for side in "LR" for label in ("WRA", "WRB", "FIN"))
SHANK = ("LSHN", "LANK", "LHEE", "LTOE", "LMT5")
ARM = ("RUPA", "RELB", "RFRM", "RWRA", "RWRB", "RFIN")


def without(labels: tuple[str, ...], seed: int) -> Take:
    take = synthesise(8.0, 60.0, seed=seed, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    return take.only([row for row, label in enumerate(take.labels) if label not in labels])


@pytest.mark.parametrize("seed", [4, 5])
@pytest.mark.parametrize("bare", [HANDS, SHANK, ARM])
def test_the_markers_that_are_left_keep_their_own_labels(bare: tuple[str, ...], seed: int) -> None:
    stripped = strip_labels(without(bare, seed), 2)
    found = label_take(stripped.take)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    result = score(stripped, found.take.positions[:, : len(labels)], labels)
    assert result.wrong < 0.001
    assert result.right > 0.99
