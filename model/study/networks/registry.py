# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks there are.

A network is a torch module made by `cls(shape, **options)`. It takes features (batch, frames, markers, channels) and returns
numbers (batch, frames, outputs).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from ...core.errors import BonesetterError


@dataclass(frozen=True)
class Shape:
    """What a network takes and returns, for each frame.

    Attributes:
        markers: How many there are.
        channels: Numbers of each: x, y, z and whether it is visible.
        outputs: Numbers to return.
    """

    markers: int
    channels: int
    outputs: int

    @property
    def inputs(self) -> int:
        return self.markers * self.channels


NETWORKS: dict[str, type[nn.Module]] = {}
Network = TypeVar("Network", bound=type[nn.Module])


def network(name: str) -> Callable[[Network], Network]:
    """Enter a network under the name that runs call it by."""

    def enter(cls: Network) -> Network:
        if name in NETWORKS:
            raise ValueError(f"Two networks are called {name}.")
        NETWORKS[name] = cls
        return cls

    return enter


def build(name: str, shape: Shape, options: Mapping[str, int | float]) -> nn.Module:
    """Make a network.

    Args:
        name: As entered.
        shape: What it takes and returns.
        options: Its own, by name.

    Raises:
        BonesetterError: There is no such network, or it has no such option.
    """
    if name not in NETWORKS:
        raise BonesetterError(f"There is no network {name!r}: choose one of {', '.join(sorted(NETWORKS))}.")
    cls = NETWORKS[name]
    known = [option for option in inspect.signature(cls).parameters if option != "shape"]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise BonesetterError(f"The network {name} has no option {unknown[0]!r}: it has {', '.join(known)}.")
    try:
        return cls(shape, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise BonesetterError(f"The network {name} cannot be made with {dict(options)} ({error}): choose other options.") from error
