# SPDX-License-Identifier: GPL-3.0-or-later
"""False points near the body, made of rays that meet where no marker is."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice

import numpy as np

from ...core.take import Take
from .registry import corruption
from .space import directions
from .spans import draw_spans, frames_at


@corruption("ghosts")
def ghosts(
    take: Take,
    random: np.random.Generator,
    *,
    alive: float = 0.5,
    shortest: int = 12,
    longest: int = 120,
    nearest: float = 0.03,
    farthest: float = 0.3,
    taken: float = 0.3,
    append: bool | int = True,
) -> Take:
    """Points that live for a while beside a marker, follow a part of its way, and are lost where it is: its rays make them.

    Args:
        take: Any take.
        random: Where the numbers come from.
        alive: How many there are at any moment on average.
        shortest: How long one lives, in frames at 120 Hz.
        longest: The same.
        nearest: How far from the marker one appears at least, in m.
        farthest: At most.
        taken: How often the marker's label sits on the ghost as long as it lives; the marker's own samples are lost.
        append: Whether those that take no label are added as unlabelled trajectories (*0, *1, ...); else nobody sees them.
    """
    short, long = frames_at(take, shortest), frames_at(take, longest)
    spans = draw_spans(take, random, alive * 2 / (short + long) / max(len(take.labels), 1), short, long)
    number = len(spans.marker)
    offsets = random.uniform(nearest, farthest, size=(number, 1)) * directions(random, number)
    follows = random.random(number)
    takes_label = random.random(number) < taken
    positions = take.positions.copy()
    added: list[np.ndarray] = []
    for index in range(number):
        marker, alive_in = spans.marker[index], slice(spans.start[index], spans.end[index])
        path = take.positions[alive_in, marker]
        seen = np.isfinite(path).all(axis=-1)
        if not seen.any():
            continue
        born = path[seen.argmax()]
        ghost = (born + offsets[index] + follows[index] * (path - born)).astype(positions.dtype)
        if takes_label[index]:
            positions[alive_in, marker] = ghost
        elif append:
            added.append(np.full_like(positions[:, 0], np.nan))
            added[-1][alive_in] = ghost
    return _with_points(replace(take, positions=positions), added)


def _with_points(take: Take, paths: list[np.ndarray]) -> Take:
    """A take with more trajectories, each (frames, 3), that no label names yet."""
    if not paths:
        return take
    labels = tuple(islice((label for label in (f"*{number}" for number in count()) if label not in take.labels), len(paths)))
    residuals = np.zeros((take.frames, len(paths)), take.residuals.dtype)
    return take.beside(replace(take, labels=labels, positions=np.stack(paths, axis=1), residuals=residuals, origins=()))
