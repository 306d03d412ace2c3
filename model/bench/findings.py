# SPDX-License-Identifier: GPL-3.0-or-later
"""What the study found, and what the same comparison gives here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .results import Entry, mean_figures, of_condition

#: Where a finding is judged.
JUDGED_ON = ("clean", "Holden", "cmu_02_05", "hdm05_dg")
#: Differences below this part are none.
TIE = 0.02

#: What findings are judged by, and what else findings.csv says of them.
FIGURES = {
    "distance_units": "Distance",
    "smoothness_units": "Smoothness",
    "joe_local_deg": "JOE local deg",
    "motion_jpe_mm": "motion mm",
    "motion_joe_global_deg": "motion deg",
    "flips_per_1000": "flips /1000",
}


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        claim: The study's.
        better, worse: The runs that it puts in this order.
        figure: The one that decides.
        note: What else is to be known.
    """

    claim: str
    better: str
    worse: str
    figure: str
    note: str = ""


FINDINGS = (
    Finding("L1 beats MSE", "holden_l1_matrix", "holden_mse_matrix", "distance_units"),
    Finding("L1 beats MSE, after a fifth of the time", "finding_base", "finding_mse", "distance_units"),
    Finding("L1 beats L1 + 0.01 MSE", "finding_base", "finding_l1_mse", "distance_units"),
    Finding("Local coordinates beat those of the world", "finding_unscaled", "finding_world", "distance_units"),
    Finding(
        "Scaling helps (by the median of rigid distances)",
        "finding_base",
        "finding_unscaled",
        "distance_units",
        "the root's place is predicted in units of the person's size",
    ),
    Finding("Rigid distances are a sounder scale than the thigh's length", "finding_base", "finding_thigh", "distance_units"),
    Finding("Rigid distances are a sounder scale than the height", "finding_base", "finding_height", "distance_units"),
    Finding("The root learned apart beats root and joints together", "finding_base", "finding_together", "distance_units"),
    Finding("The root from six body markers beats the root from all", "finding_base", "finding_root_all", "distance_units"),
    Finding("Quaternions lower the error of the joints against matrices", "holden_l1_quaternion", "holden_l1_matrix", "joe_local_deg"),
    Finding(
        "In the world, quaternions with the formula's own sign flip more than matrices",
        "finding_world",
        "finding_world_raw_quaternion",
        "flips_per_1000",
        "a person who turns round takes the root's quaternion past the formula's change of sign",
    ),
    Finding(
        "In body coordinates, the side of the joint's usual rotation is better than the formula's own sign",
        "finding_quaternion",
        "finding_raw_quaternion",
        "joe_local_deg",
        "which is how flips are fixed: seen from the body no joint comes near the change of sign",
    ),
    Finding(
        "Six numbers a joint, which have no sign at all, are better than quaternions", "finding_6d", "finding_quaternion", "distance_units"
    ),
    Finding("Forward kinematics in the loss help (wanted by the study)", "finding_position", "finding_6d", "distance_units"),
    Finding("Inputs that are not normalised per axis are better", "finding_base", "finding_normalised", "distance_units"),
    Finding("The filter of jumps does not lower the joints' error", "finding_base", "finding_jumps", "joe_local_deg"),
    Finding("Dropping what leaves its rigid group helps (wanted by the study)", "finding_groups", "finding_base", "joe_local_deg"),
    Finding(
        "The order of the axes matters",
        "finding_axes",
        "finding_base",
        "distance_units",
        "to dense layers it cannot: the weights' columns change places, so what differs is the draw",
    ),
    Finding("VGG fails where the plain CNN learns (MSE)", "cnn_mse_matrix", "vgg_mse_matrix", "distance_units"),
    Finding(
        "Cross-entropy fails", "finding_base", "finding_cross_entropy", "distance_units", "it falls without limit while the pose gets worse"
    ),
    Finding("VGG with cross-entropy fails", "vgg_mse_matrix", "vgg_cross_entropy", "distance_units"),
)


@dataclass(frozen=True)
class Judgement:
    """What a finding came to.

    Attributes:
        finding: Which.
        verdict: "holds", "does not hold", "depends" or "no difference".
        won, lost: On how many conditions the better run is better, and worse.
        figures: {condition: (the better run's figures, the worse one's)}.
    """

    finding: Finding
    verdict: str
    won: int
    lost: int
    figures: dict[str, tuple[dict[str, float], dict[str, float]]]


def judged(finding: Finding, entries: Sequence[Entry]) -> Judgement | None:
    """What a finding comes to with the actors that ours fits; None where one of its runs is not there."""
    there = {entry.contestant: entry for entry in entries if entry.lines and entry.actors != "true"}
    if finding.better not in there or finding.worse not in there:
        return None
    pair = [there[finding.better], there[finding.worse]]
    both, won, lost = {}, 0, 0
    for condition in JUDGED_ON:
        first, second = (mean_figures(of_condition(entry, condition).lines) for entry in pair)
        if first is None or second is None:
            continue
        both[condition] = first, second
        won += first[finding.figure] < second[finding.figure] * (1 - TIE)
        lost += second[finding.figure] < first[finding.figure] * (1 - TIE)
    verdict = "holds" if won and not lost else "does not hold" if lost and not won else "no difference" if not (won or lost) else "depends"
    return Judgement(finding, verdict, won, lost, both)
