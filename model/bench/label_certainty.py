# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the label of a track is right, beside the confidence with which it was given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..actors import prior as priors
from ..core.take import FloatArray
from ..labelling.label import label_take
from ..labelling.labelled import Labelled
from ..synthetic.unlabelled import Stripped, strip_labels
from .certainty import Probabilities
from .labels import labelled_take


def labelled_tracks(names: Sequence[str], seeds: Sequence[int]) -> dict[str, Probabilities]:
    """The confidences of all tracks of takes whose labels were removed, plain for the first seed and hard for all; by kind."""
    found: dict[str, list[FloatArray]] = {}
    for name in names:
        take, _ = labelled_take(name)
        prior = priors.bundled(without=(name,))
        for hard, seed in [(False, seeds[0]), *((True, seed) for seed in seeds)]:
            stripped = strip_labels(take, seed, hard=hard)
            rows = np.array(list(_judged(stripped, label_take(stripped.take, prior=prior))))
            for what, own in (("tracks with a label", rows[rows[:, 3] > 0]), ("tracks left open", rows[rows[:, 3] == 0])):
                found.setdefault(what, []).append(own[:, :3])
    return {what: Probabilities(*np.concatenate(rows).T) for what, rows in found.items()}


def _judged(stripped: Stripped, found: Labelled) -> Iterator[tuple[float, float, float, float]]:
    """Of each track: its confidence, whether it is right about most of its samples, how many these are, and whether it has a label."""
    columns = {label: column for column, label in enumerate(stripped.take.labels)}
    for track in found.tracks:
        truth = stripped.truth[track.first : track.last + 1, columns[track.column]]
        values, counts = np.unique(truth[truth >= -1], return_counts=True)
        most = int(values[counts.argmax()])
        true = stripped.names[most] if most >= 0 else ""
        yield track.confidence, float(track.label == true), float(counts.sum()), float(track.label != "")
