# SPDX-License-Identifier: GPL-3.0-or-later
"""The corruptions by name, and takes corrupted by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from math import isfinite
from zlib import crc32

import numpy as np

from ...core.errors import BonesetterError
from ...core.take import Take

Corruption = Callable[..., Take]
#: {corruption: {parameter: value}}, in the order in which they are applied.
Recipe = Mapping[str, Mapping[str, float | int]]

CORRUPTIONS: dict[str, Corruption] = {}
#: Parameters that are the two ends of a range, wherever a corruption has both.
RANGES = (("shortest", "longest"), ("nearest", "farthest"), ("least", "most"))


def corruption(name: str) -> Callable[[Corruption], Corruption]:
    """Make a function known under a name."""

    def register(function: Corruption) -> Corruption:
        if name in CORRUPTIONS:
            raise ValueError(f"Two corruptions are called {name}.")
        CORRUPTIONS[name] = function
        return function

    return register


def corrupt(take: Take, recipe: Recipe, seed: int | Sequence[int]) -> Take:
    """A take after every corruption of a recipe, one after the other.

    What happens to markers comes first in a sensible recipe (drift, jitter), then what happens to labels (swaps, ghosts), and what
    is missing last.

    Args:
        take: Stays as it is.
        recipe: Which corruptions, and their parameters; what is not said is the default.
        seed: Each corruption draws from its own stream of it, so that one more in the recipe changes nothing that the others draw.

    Raises:
        BonesetterError: The recipe names what is not known, or a value makes no sense.
    """
    for name, parameters in recipe.items():
        _check(name, parameters)
    for name, parameters in recipe.items():
        random = np.random.default_rng([*np.ravel(seed).tolist(), crc32(name.encode())])
        take = CORRUPTIONS[name](take, random, **parameters)
    return take


def _check(name: str, parameters: Mapping[str, float | int]) -> None:
    if name not in CORRUPTIONS:
        raise BonesetterError(f'There is no corruption "{name}": choose from {", ".join(sorted(CORRUPTIONS))}.')
    defaults = {key: each.default for key, each in signature(CORRUPTIONS[name]).parameters.items() if each.kind is each.KEYWORD_ONLY}
    for key, value in parameters.items():
        if key not in defaults:
            raise BonesetterError(f'The corruption "{name}" has no parameter "{key}": choose from {", ".join(defaults)}.')
        if not isinstance(value, (int, float)) or not isfinite(value) or value < 0:
            raise BonesetterError(f'The parameter "{key}" of the corruption "{name}" must be a number of at least 0, not {value}.')
    values = {**defaults, **parameters}
    for low, high in RANGES:
        if low in values and high in values and values[low] > values[high]:
            raise BonesetterError(f'The "{low}" of the corruption "{name}" is {values[low]}, more than its "{high}", {values[high]}.')
