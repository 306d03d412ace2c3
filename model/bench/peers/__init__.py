# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs that solve markers to a skeleton, all asked in one way. To import a module is to import its program."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast, runtime_checkable

from ...actors.actor import Actor
from ...core.motion import Motion
from ...core.take import FloatArray, Take

#: {module: name of the program}.
PEERS = {
    "opensim_ik": "OpenSim IK",
    "mink_ik": "mink (MuJoCo)",
    "biorbd_ik": "biorbd",
    "momentum_track": "Momentum",
    "nimble_fit": "nimblephysics",
}
#: {module: its environment of `tools/environment`} of those that do not run in the others' one, `bench`.
ENVIRONMENTS = {"momentum_track": "bench-momentum"}


@dataclass(frozen=True, eq=False)
class Solved:
    """What a peer makes of a take.

    Attributes:
        motion: Of the actor's hierarchy, on the take's axes.
        markers: (frames, labels, 3) in metres, the peer's own, in the order of the take's labels; None where it has none.
    """

    motion: Motion
    markers: FloatArray | None


class Peer(Protocol):
    """What each module offers.

    Attributes:
        SLOW: True where only an excerpt of some 300 frames of one take for each condition is reasonable.
    """

    SLOW: bool

    def version(self) -> str:
        """The version that is installed."""
        ...

    def solve(self, actor: Actor, take: Take) -> Solved:
        """Solve a take with a given actor."""
        ...


@runtime_checkable
class Calibrating(Protocol):
    """What a module offers besides that has a calibration of its own: where the actor is unknown, it is asked first."""

    def calibrate(self, actor: Actor, clean: Take) -> Actor:
        """The actor that it makes of a given one and of a clean take of the same person."""
        ...


def load(module: str) -> Peer:
    """The peer of that module of `PEERS`.

    Raises:
        ImportError: It is not installed in this environment.
    """
    return cast(Peer, import_module(f".{module}", __name__))
