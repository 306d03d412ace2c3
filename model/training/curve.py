# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a run as a table and as a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..datasets.lab_takes import PROJECT
from ..storage.atomic import replacing

#: Where runs are kept, one folder each.
RUNS = PROJECT / "runs"


@dataclass(frozen=True)
class Epoch:
    """One line of a run's log: losses, errors of the validation's frames, and the time since the run began, in all its sessions."""

    epoch: int
    train_loss: float
    validation_loss: float
    rotation_deg: float
    root_mm: float
    seconds: float

    def line(self, run: str, epochs: int) -> str:
        """What the shell says of it."""
        return (
            f"{run} {self.epoch}/{epochs}: loss {self.train_loss:.4g}, validation {self.validation_loss:.4g}, "
            f"{self.rotation_deg:.2f} deg, root {self.root_mm:.1f} mm, {self.seconds:.0f} s"
        )


def write_log(history: Sequence[Epoch], path: Path) -> None:
    """One line per epoch as CSV."""
    with replacing(path) as stream:
        table = csv.DictWriter(stream, [field.name for field in fields(Epoch)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(epoch) for epoch in history)


def read_log(path: Path) -> list[Epoch]:
    """What `write_log` wrote."""
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [Epoch(int(row.pop("epoch")), **{name: float(value) for name, value in row.items()}) for row in rows]


def draw_curve(history: Sequence[Epoch], title: str, path: Path) -> None:
    """Losses, and errors of validation, over the epochs."""
    from matplotlib.figure import Figure  # only pictures need it

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    for name, values in (("training", [e.train_loss for e in history]), ("validation", [e.validation_loss for e in history])):
        left.plot(epochs, values, label=name)
    if all(value > 0 and math.isfinite(value) for e in history for value in (e.train_loss, e.validation_loss)):
        left.set_yscale("log")
    left.set(xlabel="epoch", ylabel="loss", title=title)
    left.legend()
    right.plot(epochs, [e.rotation_deg for e in history], color="tab:green")
    right.set(xlabel="epoch", ylabel="local rotations, degrees", title="validation")
    other = right.twinx()
    other.plot(epochs, [e.root_mm for e in history], color="tab:red")
    other.set_ylabel("root, mm", color="tab:red")
    right.yaxis.label.set_color("tab:green")
    with replacing(path, binary=True) as stream:
        figure.savefig(stream, format="png", dpi=100)
