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
    rest = without_samples(take, labelled.positions)
    left = np.flatnonzero(rest.present.any(axis=0)).tolist()
    own: list[str] = []
    for column in left:
        name = take.labels[column]
        while name in names or name in own:
            name += "*"
        own.append(name)
    rest = replace(rest, pinned=None, origins=()).only(left, tuple(own))
    found = replace(labelled, labels=names, name=take.name, findings=take.findings, pinned=None, origins=(), tracks_from={})
    return replace(found.beside(rest), origins=(), source=None)


def without_samples(take: Take, used: FloatArray) -> Take:
    """A take without the samples that are among (frames, labels, 3) in the same frame."""
    positions, residuals = take.positions.copy(), take.residuals.copy()
    positions[same_samples(positions, used)] = np.nan
    residuals[~all_finite(positions)] = 0.0
    return replace(take, positions=positions, residuals=residuals)


def same_samples(positions: FloatArray, used: FloatArray) -> BoolArray:
    """(frames, columns): which samples are among those that are used in the same frame, (frames, labels, 3)."""
    # two numbers of three at once: no two points of a frame share both
    ours, theirs = positions[..., 0] + 1j * positions[..., 1], used[..., 0] + 1j * used[..., 1]
    found = np.zeros(ours.shape, dtype=bool)
    for column in range(ours.shape[1]):
        found[:, column] = (theirs == ours[:, column, None]).any(axis=1)
    return found
