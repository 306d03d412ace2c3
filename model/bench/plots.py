# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ..storage.atomic import replacing
from ..training.curve import read_log
from .cases import CONDITIONS
from .certainty import Probabilities, Stated
from .contestants import name_of
from .page import ACCURACY_PICTURE, SPEED_PICTURE
from .results import Entry, mean_figures, of_condition
from .study_page import CURVES_PICTURE
from .table import shown

COLOURS = {"ours": "tab:red", "peer": "tab:blue", "network": "tab:gray"}


def draw_all(entries: Sequence[Entry], runs: Path, folder: Path) -> None:
    """Draw the pictures of both pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, figure in ((ACCURACY_PICTURE, accuracy(entries)), (SPEED_PICTURE, speed(entries)), (CURVES_PICTURE, curves(runs))):
        save_picture(figure, folder / file)


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture as PNG."""
    with replacing(path, binary=True) as stream:
        figure.savefig(stream, format="png", dpi=90)


def certainty_curves(stated: Mapping[str, Stated], said: Mapping[str, Probabilities]) -> Figure:
    """True over stated deviations, and what came out over probabilities; on the dashed line they are alike."""
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, unit in zip(panels, ("mm", "deg"), strict=False):
        for what, one in stated.items():
            if one.unit == unit and len(one.error):
                panel.plot(*zip(*one.bins(), strict=True), "o-" if "lab" in what else "s:", label=what, markersize=4, linewidth=1)
        panel.axline((1, 1), slope=1, color="black", linestyle="--", linewidth=0.8)
        panel.set(xscale="log", yscale="log", xlabel=f"stated deviation, {unit}", ylabel=f"root mean square of the errors, {unit}")
    for what, one in said.items():
        rows = one.bins()
        panels[2].plot([row[2] for row in rows], [row[3] for row in rows], "o-", label=what, markersize=4, linewidth=1)
    panels[2].axline((0, 0), slope=1, color="black", linestyle="--", linewidth=0.8)
    panels[2].set(xlabel="stated probability", ylabel="part that was so", xlim=(0, 1.02), ylim=(0, 1.02))
    for panel in panels:
        panel.legend(fontsize=7)
    return figure


def accuracy(entries: Sequence[Entry]) -> Figure:
    """Bars, one panel for each condition."""
    rows = shown(entries)
    figure = Figure(figsize=(16, 1.5 + 0.22 * len(rows)), layout="constrained")
    for panel, condition in zip(figure.subplots(1, len(CONDITIONS), sharey=True), CONDITIONS, strict=True):
        values = [mean_figures(of_condition(entry, condition).lines) for entry in rows]
        panel.barh(
            [name_of(entry.contestant) for entry in rows],
            [value["motion_jpe_mm"] if value else 0.0 for value in values],
            color=[COLOURS[entry.kind] for entry in rows],
        )
        panel.set(title=condition, xlabel="motion error, mm", xscale="log", xlim=(0.5, 200))
        panel.invert_yaxis() if panel.get_subplotspec().is_first_col() else None
    return figure


def speed(entries: Sequence[Entry]) -> Figure:
    """Motion errors under Holden's corruption over frames a second, a point for each contestant."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for entry in shown(entries):
        figures = mean_figures(of_condition(entry, "Holden").lines)
        if figures:
            point = figures["frames_per_second"], figures["motion_jpe_mm"]
            axes.scatter(*point, color=COLOURS[entry.kind])
            if entry.kind != "network":  # the networks lie close together
                axes.annotate(name_of(entry.contestant), point, fontsize=8, xytext=(4, 2), textcoords="offset points")
    axes.scatter([], [], color=COLOURS["network"], label="the study's networks")
    axes.legend()
    axes.set(xscale="log", yscale="log", xlabel="frames a second, all stages", ylabel="motion error with Holden's corruption, mm")
    return figure


def curves(runs: Path) -> Figure:
    """Validation errors of the study's systems over the time they trained, from the logs in a folder."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for log in sorted(runs.glob("*/log.csv")):
        name = log.parent.name
        if name.endswith(("mse_matrix", "l1_quaternion")):
            history = read_log(log)
            style = "-" if name.endswith("l1_quaternion") else "--"
            axes.plot([e.seconds / 60 for e in history], [e.rotation_deg for e in history], style, label=name.replace("_", " "))
    axes.set(xlabel="minutes on one core", ylabel="validation, local rotations, degrees")
    axes.legend(fontsize=7, ncols=2)
    return figure
