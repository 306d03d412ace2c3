# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network says of a take: a pose for every frame, how sure it is, which samples are true, and how the actor is built."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import Prior
from ..core.parallel import each
from ..solver.advice import Advice
from ..solver.frames import Between, Window, windows
from ..solver.kinematics import Pose
from ..solver.observations import Observations
from ..solver.topology import ROOT_DOF
from .features import Known, into_frames
from .network import LEAST_SPREAD, ROOT_M, ROOT_RAD, Estimate, MarkerSums, Proposer, read_proposer

BUNDLED = Path(__file__).parents[1] / "weights" / "proposer.safetensors"
#: Frames that are looked at together, and how many more on either side, so that every frame has a past and a future.
CHUNK, MARGIN = 512, 12
#: The network looks at every n-th frame of the coarse rate.
EVERY = 2
#: How sure a given actor's offsets are taken to be where it does not say, and its bone components in any case: a fit's own errors, and
#: none for the true actor. Offsets are taken for no surer: the network has met hardly any fitted ones that were.
FITTED_M, FITTED_COMPONENT = 0.008, 0.4


@dataclass(frozen=True, eq=False)
class Proposal:
    """What is proposed for F frames, in metres and radians.

    Attributes:
        pose: Of F frames, on the take's axes.
        sigma: (F, 6 + coordinates) standard deviations: of the root's place and rotation vector on the axes of the body frame,
            then of q.
        reliability: (F, labels) probability that a sample is its marker's; 0 where there is none.
        offsets, offset_sigma: (labels, 3) marker offsets, from the joint that carries each.
        components, component_sigma: (components,) what is to be added to the bones' components, in the prior's own units.
    """

    pose: Pose
    sigma: Tensor
    reliability: Tensor
    offsets: Tensor
    offset_sigma: Tensor
    components: Tensor
    component_sigma: Tensor


@lru_cache(maxsize=1)
def bundled_network() -> Proposer:
    """The network that comes with Bonesetter, for the hierarchy and the coordinates of the bundled prior."""
    return read_proposer(BUNDLED, priors.bundled())


def unknown_actor(prior: Prior, placement: Placement) -> Known:
    """Nothing but how people are built and where markers are usually put."""
    return _known(prior.mean_actor(placement), placement.offset_deviation, 1.0)


def fitted_actor(actor: Actor, offset_sigma_m: float = FITTED_M, component_sigma: float = FITTED_COMPONENT) -> Known:
    """An actor that was fitted before, its offsets at least so unsure; with deviations of 0 the true one, if it says of none itself."""
    said = np.nan if actor.offset_sigma is None else actor.offset_sigma
    # fmax passes over what is not said
    return _known(actor, np.fmax(np.full_like(actor.marker_offsets, offset_sigma_m), said), component_sigma)


def _known(actor: Actor, spread: np.ndarray, component_sigma: float) -> Known:
    def one(values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32)[None]

    return Known(
        one(actor.skeleton.bones),
        torch.tensor([component_sigma]),
        torch.tensor([actor.marker_joints], dtype=torch.long),
        one(actor.marker_offsets),
        one(spread),
    )


@torch.no_grad()
def propose(network: Proposer, known: Known, seen: Observations) -> Proposal:
    """Look at a take, or at frames of it that follow on one another.

    Args:
        network: Trained.
        known: What is known of the take's one actor: `unknown_actor` or `fitted_actor`.
        seen: At about the network's rate: it was trained at 15 Hz, and is given 10; any number of frames and labels.
    """
    frames = len(seen.points)

    @torch.no_grad()
    def work(window: Window) -> tuple[Estimate, Tensor, MarkerSums, Tensor, Tensor]:
        framed = into_frames(network.figure, known, seen.points[None, window.whole], seen.confidence[None, window.whole])
        answer = network(known, framed)
        latest, own = answer.estimates[-1], window.own
        estimate = Estimate(latest.pose[:, own], latest.log_sigma[:, own])
        return estimate, answer.reliability[0, own], answer.evidence, framed.turn[0, own], framed.root[0, own]

    estimates, reliability, parts, turns, roots = zip(*each(work, windows(frames, CHUNK, MARGIN)), strict=True)
    evidence = reduce(operator.add, parts)
    estimate = Estimate(torch.cat([e.pose for e in estimates], 1), torch.cat([e.log_sigma for e in estimates], 1))
    root, turn, q = (part[0] for part in network.decoded(estimate))
    frame_turn, frame_root = torch.cat(turns), torch.cat(roots)
    pose = Pose((frame_turn @ root[..., None])[..., 0] + frame_root, frame_turn @ turn, q)
    units = torch.cat([root.new_tensor([ROOT_M] * 3 + [ROOT_RAD] * 3), network.figure.deviation])
    sizes = network.sizes(known, _per_frames(evidence))
    spread = known.spread[0].clamp_min(LEAST_SPREAD)
    return Proposal(
        pose,
        torch.exp(estimate.log_sigma[0]) * units,
        torch.sigmoid(torch.cat(reliability)) * (seen.confidence > 0),
        known.offsets[0] + sizes.offsets[0] * known.spread[0],
        torch.exp(sizes.offset_log[0]) * spread,
        sizes.bones[0] * known.bone_spread[0],
        torch.exp(sizes.bone_log[0]) * known.bone_spread[0].clamp_min(LEAST_SPREAD),
    )


@dataclass(frozen=True, eq=False)
class InitialGuess:
    """Where a solve begins.

    Attributes:
        pose: Of F frames at the coarse rate.
        advice: What is said of the same frames, and of all labels, beside; None where the network does not know the joints.
        actor: Whose poses they are: the one that is given, or as the network takes an unknown one to be built and marked.
    """

    pose: Pose
    advice: Advice | None
    actor: Actor


def as_proposed(network: Proposer, actor: Actor, said: Proposal) -> Actor:
    """An actor of mean build with the sizes that are proposed."""
    bones = actor.skeleton.bones + (network.figure.bone_basis @ said.components).double().numpy()
    return replace(actor, skeleton=replace(actor.skeleton, bones=bones), marker_offsets=said.offsets.double().numpy())


def propose_poses(network: Proposer, known: Known, seen: Observations) -> tuple[Pose, Advice, Proposal]:
    """Poses of all frames, from what the network says of every second one, straight in between: as good to begin from.

    The network itself is small, and quick enough, on the CPU.

    Returns:
        The poses, the advice of the same frames, and all that was said of those that were looked at.
    """
    frames = len(seen.points)
    at = torch.unique(torch.cat([torch.arange(0, frames, EVERY), torch.tensor([frames - 1])]))
    few = seen[at.to(seen.points.device)]
    few = replace(few, points=few.points.cpu().float(), confidence=few.confidence.cpu().float(), seconds=EVERY * seen.seconds)
    said, between = propose(network, known, few), Between(at, slice(0, frames))
    pose = between.pose(said.pose)
    # missing samples count as believed, so that a frame in between goes by the neighbour that has one
    reliability = torch.where(few.confidence > 0, said.reliability, 1.0)
    advice = Advice(said.pose.q, said.sigma[:, ROOT_DOF:] ** -2, reliability).of_all(between)
    return Pose(*(part.to(seen.points) for part in (pose.root, pose.turn, pose.q))), advice.to(seen.points), said


def _per_frames(evidence: MarkerSums) -> MarkerSums:
    """As if there were as many frames as in training: more would be numbers that the network has never met."""
    most = 72.0
    part = torch.clamp(most / evidence.frame_count, max=1.0)
    return MarkerSums(evidence.markers * part, evidence.marker_weight * part, evidence.frames * part, evidence.frame_count * part)
