# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes without labels whose markers are lost three tenths of the time, each for a moment, so that no track lasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.take import Take
from model.labelling.label import label_take
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import score, strip_labels

#: For how long a marker is seen, and lost, on average, in seconds.
SEEN_SECONDS, LOST_SECONDS = 0.5, 0.2


def broken(take: Take, seed: int) -> Take:
    """The take, each marker seen and lost in turns of random lengths."""
    random, positions = np.random.default_rng(seed), take.positions.copy()
    for column in range(positions.shape[1]):
        end = 0
        while end < take.frames:
            start = end + 1 + round(random.exponential(SEEN_SECONDS) * take.rate_hz)
            end = start + 1 + round(random.exponential(LOST_SECONDS) * take.rate_hz)
            positions[start:end, column] = np.nan
    return replace(take, positions=positions)


@pytest.mark.parametrize("seed", [6, 8])
def test_a_body_is_followed_though_no_track_lasts(seed: int) -> None:
    take = synthesise(14.0, 60.0, seed=seed, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    stripped = strip_labels(broken(take, seed), 2)
    found = label_take(stripped.take)
    labels = [label for label in found.take.labels if not label.startswith("*")]
    result = score(stripped, found.take.positions[:, : len(labels)], labels)
    assert result.right > 0.97
    assert result.wrong < 0.01
