# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes part: our solver, every network that was trained, and the peers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..datasets.lab_takes import PROJECT
from .peers import ENVIRONMENTS, PEERS

OURS = "bonesetter"
#: No contestant: what a perfect solve would have.
TRUTH = "truth"
#: Runs of the study that answer one question each begin with this; the others are its systems.
FINDING = "finding_"

Kind = Literal["ours", "network", "finding", "peer"]


@dataclass(frozen=True)
class Contestant:
    """One of them.

    Attributes:
        key: Its name for files: `bonesetter`, a run's name, or a peer's module.
        kind: Which of them it is.
        python: The interpreter that has what it needs.
    """

    key: str
    kind: Kind
    python: Path


def name_of(key: str) -> str:
    """A contestant's name, as tables and pictures have it."""
    return {OURS: "Bonesetter", **PEERS}.get(key, key.replace("_", " "))


def all_contestants(runs: Path) -> Iterator[Contestant]:
    """Our solver, the networks whose weights are in `runs`, and the peers.

    Args:
        runs: Where `python -m model train` keeps them.
    """
    here = Path(sys.executable)
    yield Contestant(OURS, "ours", here)
    for weights in sorted(runs.glob("*/weights.safetensors")):
        name = weights.parent.name
        yield Contestant(name, "finding" if name.startswith(FINDING) or name.endswith("cross_entropy") else "network", here)
    for peer in PEERS:
        yield Contestant(peer, "peer", peers_python(peer))


def peers_python(peer: str) -> Path:
    """The interpreter of the environment that has a peer; `tools/environment` makes it."""
    return PROJECT / ".venv" / ENVIRONMENTS.get(peer, "bench") / "bin" / "python"
