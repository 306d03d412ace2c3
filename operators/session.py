# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of this Blender session: what outlives an operator and belongs in no .blend file, where it would be saved and undone.

Only Blender's main thread may read or change it: operators, handlers and panels do. The thread that reads the engine's answers knows
nothing but its own queue.
"""

from __future__ import annotations

import atexit
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .engine import Engine, Job

if TYPE_CHECKING:
    from .installation import Installation
    from .review import Review

#: The engine's stages, for people.
STAGES = {
    "match": "Matching labels",
    "labels": "Finding labels by motion",
    "clean": "Filtering noise",
    "propose": "Proposing poses",
    "calibrate": "Fitting the actor",
    "find": "Finding poses",
    "relabel": "Checking labels",
    "pose": "Solving poses",
    "smooth": "Smoothing",
    "feet": "Holding feet",
    "results": "Gathering results",
}
#: The key of an error that belongs to no take.
IMPORT = 0
#: A digest that took longer than this, in s, is not made again within so many times what it took: whoever drags a key is not to wait.
QUICK_SECONDS, REST = 0.02, 20


class Solve(NamedTuple):
    """A solve under way. Holds no reference into Blender's data: the user may delete or undo anything meanwhile.

    Attributes:
        take: The collection's session_uid.
        name: The take's, for messages.
        job: The engine's.
        result: Where the engine writes the pose.
        began: time.perf_counter() at the press of the button.
        first: Whether the take had no armature yet.
        span: First and last sample of a range that is solved again; None for the whole take.
        actor: Where the engine writes the actor.
        number, count: Which of how many takes that are solved in one go.
        unheld: Where the engine writes the take before its feet were held.
        given: Feet whose contacts are the user's.
        basis: What was solved: see `freshness.basis_of`.
    """

    take: int
    name: str
    job: Job
    result: Path
    began: float
    first: bool
    span: tuple[int, int] | None = None
    actor: Path | None = None
    number: int = 1
    count: int = 1
    unheld: Path | None = None
    given: tuple[str, ...] = ()
    basis: tuple[str, str] = ("", "")

    @property
    def stage(self) -> str:
        return STAGES.get(self.job.stage, self.job.stage)

    @property
    def title(self) -> str:
        return f"Solving {self.name}" + (f" ({self.number} of {self.count})" if self.count > 1 else "")


class Digest:
    """Of a take's markers: when it was made, how long that took, in s, and whether anything has changed since."""

    def __init__(self, text: str, made: float, seconds: float) -> None:
        self.text, self.made, self.seconds = text, made, seconds
        self.changed = False

    @property
    def holds(self) -> bool:
        """Nothing has changed, or it is too early to look again."""
        return not self.changed or (self.seconds > QUICK_SECONDS and time.monotonic() < self.made + REST * self.seconds)


class Session:
    """What there is one of in a running Blender.

    Attributes:
        engine: The engine's process, or none yet.
        solve: The solve that the panel shows, if any.
        installation: The installation of the solver that is under way, if any.
        install_error: Why the last one did not come to its end.
        just_installed: The last one came to its end, and nothing was solved since.
        errors: Why the last solve of a take failed, by the session_uid of the take; under `IMPORT` why the last import did.
        digests: Of takes' markers, by the session_uid of a take.
        reviews: What is known of takes' markers, by the same.
        hover: The marker under the mouse: its take's session_uid and its row.
        shown: The finding that was shown last: its take's session_uid and its sentence.
        listing: The list of findings is being changed, not clicked on.
        keys: The keys that were added to Blender's keymap.
    """

    def __init__(self) -> None:
        self.engine = Engine()
        self.solve: Solve | None = None
        self.installation: Installation | None = None
        self.install_error = ""
        self.just_installed = False
        self.errors: dict[int, str] = {}
        self.digests: dict[int, Digest] = {}
        self.reviews: dict[int, Review] = {}
        self.hover: tuple[int, int] | None = None
        self.shown: tuple[int, str] | None = None
        self.listing = False
        self.keys: list[tuple[Any, Any]] = []

    def forget(self) -> None:
        """Give up the solve, if any, and what is known of takes: they belong to a file. The engine stays warm for the next."""
        if self.solve is not None:
            self.solve.job.cancel()
        self.solve = None
        self.errors.clear()
        self.digests.clear()
        self.reviews.clear()
        self.hover = self.shown = None

    def close(self) -> None:
        """Forget, and end the engine and an installation: on unregister."""
        self.forget()
        if self.installation is not None:
            self.installation.cancel()
            self.installation = None
        self.engine.close()


session = Session()
atexit.register(session.close)
