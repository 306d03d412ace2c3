# SPDX-License-Identifier: GPL-3.0-or-later
"""Deviations and probabilities that the network states, beside the errors and shares that come out.

The network sees takes of people of whom it learned nothing, as the solver shows them to it: cleaned, at its rate, of an unknown actor.
Reliabilities are judged once more on the takes as they are, since the filter has taken most of what is false out of the cleaned ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..actors.placement import Placement
from ..actors.prior import bundled
from ..core.settings import Settings
from ..core.take import BoolArray, FloatArray
from ..datasets.splits import Split
from ..engine.subject import Subject
from ..engine.trajectories import clean_markers
from ..marker_sets.marker_set import load_marker_set
from ..proposer.features import into_frames
from ..proposer.network import Proposer
from ..proposer.propose import EVERY, Proposal, bundled_network, propose, unknown_actor
from ..solver.fit import visible_part
from ..solver.kinematics import Body
from ..solver.observations import Observations, coarse
from ..solver.rotations import rotmat_to_rotvec
from ..solver.topology import ROOT_DOF
from ..training.proposer_samples import FALSE_M
from .cases import Case, real_cases, synthetic_cases

#: The parts within 1, 2 and 3 deviations of a Gaussian, in which the network's deviations were learned.
GAUSSIAN = (0.683, 0.954, 0.997)
#: Bins of a curve of deviations, each of as many numbers; and the bounds of those of probabilities.
BINS, BOUNDS = 8, (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999, 1.0)
#: A coordinate is hidden where less than this part of the markers that it moves is seen.
HIDDEN = 0.1
#: Parts of names of joints of which no marker of usual sets tells, and which files of motion have as they like.
DIGITS = ("FingerBase", "HandIndex", "Thumb", "ToeBase")
#: A bone's coordinate with less deviation than this, in m, is convention, and known.
LEAST_M = 1e-4


@dataclass(frozen=True, eq=False)
class Stated:
    """Numbers and how sure somebody was of them.

    Attributes:
        error, sigma: (numbers,) how far each is from the truth, and its stated deviation, in `unit`.
        unit: Of both.
    """

    error: FloatArray
    sigma: FloatArray
    unit: str

    @property
    def scale(self) -> float:
        """By which factor the deviations had to be larger to be right on the whole."""
        return float(np.sqrt(((self.error / self.sigma) ** 2).mean()))

    def bins(self) -> list[tuple[float, float]]:
        """(stated, true) root mean squares of as many numbers each, from the surest on."""
        parts = np.array_split(np.argsort(self.sigma), BINS)
        return [(_rms(self.sigma[part]), _rms(self.error[part])) for part in parts]


@dataclass(frozen=True, eq=False)
class Probabilities:
    """What was said to be so with some probability.

    Attributes:
        said: (cases,) the probabilities.
        so: (cases,) 1 where it was so.
        weight: (cases,) how much each counts.
    """

    said: FloatArray
    so: FloatArray
    weight: FloatArray

    def bins(self) -> list[tuple[float, float, float, float]]:
        """(number of cases, weight, mean probability, part that was so) between the bounds; the weights count in the means."""
        of = np.clip(np.searchsorted(BOUNDS, self.said, side="right"), 1, len(BOUNDS) - 1)
        rows = []
        for place in range(1, len(BOUNDS)):
            own = (of == place) & (self.weight > 0)
            if own.any():
                weight = self.weight[own]
                rows.append(
                    (float(own.sum()), float(weight.sum()), *(float(np.average(v[own], weights=weight)) for v in (self.said, self.so)))
                )
        return rows

    @property
    def calibration_error(self) -> float:
        """The expected one: how far probabilities are from what comes out, on average over the bins."""
        rows = np.array(self.bins())
        return float(np.average(np.abs(rows[:, 2] - rows[:, 3]), weights=rows[:, 1]))


def of_network(split: Split, draws: int) -> tuple[dict[str, Stated], dict[str, Probabilities]]:
    """All that the network states of a split's takes: of several draws of the synthetic ones, and one of the real ones."""
    prior, network = bundled(), bundled_network()
    cases = [case for seed in range(draws) for case in synthetic_cases(prior, seed, split)]
    cases += real_cases(0) if split == "test" else []
    stated: dict[str, list[Stated]] = {}
    said: dict[str, list[Probabilities]] = {}
    for case in cases:
        real = "lab's skeleton" if case.take.name.startswith(("cmu", "hdm")) else "synthetic"
        deviations, probabilities = of_case(network, case)
        for what, one in deviations.items():
            stated.setdefault(f"{what}, {real}", []).append(one)
        for what, one in probabilities.items():
            said.setdefault(what, []).append(one)
    return (
        {what: Stated(_joined(ones, "error"), _joined(ones, "sigma"), ones[0].unit) for what, ones in stated.items()},
        {what: Probabilities(*(_joined(ones, name) for name in ("said", "so", "weight"))) for what, ones in said.items()},
    )


def _joined(ones: Sequence[Stated] | Sequence[Probabilities], name: str) -> FloatArray:
    return np.concatenate([getattr(each, name) for each in ones])


def of_case(network: Proposer, case: Case) -> tuple[dict[str, Stated], dict[str, Probabilities]]:
    """What the network states of one take: deviations, and probabilities."""
    prior, marker_set = bundled(), load_marker_set()
    placement = prior.placement(marker_set, case.take.labels)
    cleaned = clean_markers(case.take, Subject(prior, marker_set, None), Settings(), torch.device("cpu"))
    at, few = coarse(cleaned.observations)
    at, few = at[::EVERY], replace(few[slice(None, None, EVERY)], seconds=EVERY * few.seconds)
    frames = at.numpy()
    present = case.take.present[frames]
    points = torch.as_tensor(np.nan_to_num(case.take.positions[frames])).float()
    raw = replace(few, points=points, confidence=torch.as_tensor(present).float())
    said, loosely = (propose(network, unknown_actor(prior, placement), seen) for seen in (few, raw))
    return {**_poses(network, case, placement, few, said, frames), **_sizes(network, case, said)}, {
        "reliability of samples that the filter left": _reliabilities(case, said, frames, cleaned.cleaned.trusted[frames]),
        "reliability of samples without the filter": _reliabilities(case, loosely, frames, present),
    }


def _poses(network: Proposer, case: Case, placement: Placement, few: Observations, said: Proposal, frames: np.ndarray) -> dict[str, Stated]:
    prior = bundled()
    framed = into_frames(network.figure, unknown_actor(prior, placement), few.points[None].float(), few.confidence[None])
    back = framed.turn[0].transpose(-1, -2)
    local = torch.as_tensor(case.truth.rotations[frames]).float()
    root = (back @ (said.pose.root - torch.as_tensor(case.truth.root[frames]).float())[..., None])[..., 0]
    turn = rotmat_to_rotvec(back @ said.pose.turn) - rotmat_to_rotvec(back @ local[:, 0])
    q = said.pose.q - network.figure.coordinates_of(local)
    sigma = said.sigma
    body = Body(prior.mean_actor(placement), prior.pose, torch.device("cpu"), torch.float32)
    hidden = visible_part(body, few)[:, ROOT_DOF:] < HIDDEN
    moves = (body.topology.joint_influence.sum(1) > 0)[body.topology.coordinate_joints]
    names = [prior.actor.joints[joint] for joint in prior.pose.joints_of]
    digits = torch.tensor([name.endswith(DIGITS) for name in names]).expand_as(hidden)
    kinds = {"joints": ~hidden & moves & ~digits, "hidden joints": hidden & moves & ~digits, "fingers and toes": digits}
    return {
        "root's place": _stated(root, sigma[:, :3], 1000.0, "mm"),
        "root's rotation": _stated(turn, sigma[:, 3:ROOT_DOF], float(np.degrees(1)), "deg"),
        **{what: _stated(q[own], sigma[:, ROOT_DOF:][own], float(np.degrees(1)), "deg") for what, own in kinds.items()},
    }


def _sizes(network: Proposer, case: Case, said: Proposal) -> dict[str, Stated]:
    rows = [case.actor.labels.index(label) for label in case.take.labels]
    offsets = said.offsets - torch.as_tensor(case.actor.marker_offsets[rows])
    basis = network.figure.bone_basis
    bones = network.figure.bone_mean + basis @ said.components - torch.as_tensor(case.actor.skeleton.bones)
    sigma = (basis**2 @ said.component_sigma**2).sqrt()
    known = sigma > LEAST_M
    return {
        "marker places": _stated(offsets, said.offset_sigma, 1000.0, "mm"),
        "bones": _stated(bones[known], sigma[known], 1000.0, "mm"),
    }


def _reliabilities(case: Case, said: Proposal, frames: np.ndarray, judged: BoolArray) -> Probabilities:
    true = np.linalg.norm(case.take.positions[frames] - case.markers[frames], axis=-1) < FALSE_M
    probability = said.reliability.double().numpy()[judged]
    return Probabilities(probability, true[judged].astype(float), np.ones(len(probability)))


def _stated(error: torch.Tensor, sigma: torch.Tensor, scale: float, unit: str) -> Stated:
    return Stated((scale * error.double()).numpy().ravel(), (scale * sigma.double()).numpy().ravel(), unit)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt((values**2).mean())) if len(values) else float("nan")


def table(stated: Mapping[str, Stated]) -> str:
    """A row for each kind of numbers: errors, deviations, and how many lie within 1, 2 and 3 of these."""
    lines = ["| of | numbers | error | stated | scale | within 1 | within 2 | within 3 |", "|---|---|---|---|---|---|---|---|"]
    lines.append(f"| *a Gaussian* | | | | *1* | {' | '.join(f'*{part:.1%}*' for part in GAUSSIAN)} |")
    for what, one in stated.items():
        if len(one.error):
            within = " | ".join(f"{(np.abs(one.error) <= bound * one.sigma).mean():.1%}" for bound in (1, 2, 3))
            sizes = f"{_rms(one.error):.1f} {one.unit} | {_rms(one.sigma):.1f} {one.unit}"
            lines.append(f"| {what} | {len(one.error):,} | {sizes} | {one.scale:.2f} | {within} |")
    return "\n".join(lines)


def binned(stated: Mapping[str, Stated]) -> str:
    """A row for each kind of numbers: stated and true root mean squares, from the surest part on."""
    lines = [f"| stated: true | {' | '.join(f'{place} of {BINS}' for place in range(1, BINS + 1))} |", "|---" * (BINS + 1) + "|"]
    lines += [
        f"| {what}, {one.unit} | {' | '.join(f'{said:.1f}: {true:.1f}' for said, true in one.bins())} |"
        for what, one in stated.items()
        if len(one.error) >= BINS
    ]
    return "\n".join(lines)


def probability_table(said: Mapping[str, Probabilities]) -> str:
    """A row for each bin of probabilities, and the expected calibration error."""
    lines = ["| of | said | cases | samples | mean said | came out |", "|---|---|---|---|---|---|"]
    for what, one in said.items():
        for count, weight, mean, so in one.bins():
            bound = BOUNDS[int(np.searchsorted(BOUNDS, mean, side="right")) - 1 if mean < 1 else -2]
            lines.append(f"| {what} | from {bound:g} | {count:,.0f} | {weight:,.0f} | {mean:.4f} | {so:.4f} |")
        lines.append(f"| {what} | *all; expected calibration error {one.calibration_error:.4f}* | {len(one.said):,} | | | |")
    return "\n".join(lines)
