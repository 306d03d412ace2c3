# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as read with its samples under the labels that were found for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.take import BoolArray, FloatArray, Take, all_finite


def regrouped(take: Take, labelled: Take) -> Take:
    """A take with a column for each found label, and behind these what is left of its own columns, under their names.

    Args:
        take: As read.
        labelled: Of the same frames, with samples of the take under labels that were found for them.
    """
    names = labelled.file_labels
    positions, residuals = take.positions.copy(), take.residuals.copy()
    positions[same_samples(positions, labelled.positions)] = np.nan
    left = np.flatnonzero(all_finite(positions).any(axis=0)).tolist()
    own: list[str] = []
    for column in left:
        name = take.labels[column]
        while name in names or name in own:
            name += "*"
        own.append(name)
    residuals[~all_finite(positions)] = 0.0
    rest = replace(take, positions=positions, residuals=residuals, pinned=None, origins=()).only(left, tuple(own))
    found = replace(labelled, labels=names, name=take.name, findings=take.findings, pinned=None, origins=(), tracks_from={})
    return replace(found.beside(rest), origins=(), source=None)


def same_samples(positions: FloatArray, used: FloatArray) -> BoolArray:
    """(frames, columns): which samples are among those that are used in the same frame, (frames, labels, 3)."""
    # two numbers of three at once: no two points of a frame share both
    ours, theirs = positions[..., 0] + 1j * positions[..., 1], used[..., 0] + 1j * used[..., 1]
    found = np.zeros(ours.shape, dtype=bool)
    for column in range(ours.shape[1]):
        found[:, column] = (theirs == ours[:, column, None]).any(axis=1)
    return found
