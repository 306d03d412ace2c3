# SPDX-License-Identifier: GPL-3.0-or-later
"""The body followed through a take by the tracks that have labels so far: at the coarse rate, every frame by itself.

What a first guess of the labels lacks in some frames must not be made up for by other frames, whose labels may be wrong. So frames know
nothing of one another here; the solve that comes after the labelling smooths.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..actors.actor import Actor
from ..core.parallel import each
from ..core.take import FloatArray, IntArray, all_finite
from ..proposer.propose import as_proposed, bundled_network, fitted_actor, propose_poses, unknown_actor
from ..proposer.starts import Initialise
from ..solver.fit import prior_terms
from ..solver.frames import Between, Window, joined, windows
from ..solver.kinematics import Body, Pose, to_array
from ..solver.observations import COARSE_HZ, SECONDS_APART, Observations
from ..solver.take_actor import fit_any_size
from .annealing import independent_step
from .template import Template
from .tracks import Tracks

#: Scales of the robust kernel, in m, from what the network proposes and from poses that were followed with nearly the same labels.
FAR_M, NEAR_M = (0.3, 0.2, 0.1, 0.06, 0.05, 0.04), (0.1, 0.06, 0.04)
#: Frames that are refined together.
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Followed:
    """A body with its poses.

    Attributes:
        body: With the labels of its template.
        at: (F,) the frames that were followed, the first and the last of the take among them.
        pose: Of these frames.
        seen: (F, labels) whether a label has a sample there.
    """

    body: Body
    at: Tensor
    pose: Pose
    seen: Tensor

    @property
    def actor(self) -> Actor:
        return self.body.actor

    def pose_at(self, frames: IntArray) -> Pose:
        """Poses at any frames, straight in between."""
        return Between(self.at, slice(0, int(self.at[-1]) + 1)).pose(self.pose)[torch.as_tensor(frames)]

    def at_frames(self, frames: IntArray) -> tuple[FloatArray, FloatArray]:
        """Positions (frames, joints, 3) and global rotations (frames, joints, 3, 3) at any frames, straight in between."""
        between = self.pose_at(frames)

        def work(window: Window) -> tuple[FloatArray, FloatArray]:
            posed = self.body.posed(between[window.frames])
            return to_array(posed.positions), to_array(posed.global_rotations)

        positions, rotations = zip(*each(work, windows(len(frames), 2048, 0)), strict=True)
        return np.concatenate(positions), np.concatenate(rotations)


def coarse_frames(tracks: Tracks) -> IntArray:
    """The frames in which a body is followed, the first and the last included."""
    stride = max(1, int(tracks.rate_hz / COARSE_HZ + 1e-6))
    return np.unique(np.append(np.arange(0, tracks.frames, stride), tracks.frames - 1))


def observed(tracks: Tracks, labels: IntArray, count: int, frames: IntArray) -> Observations:
    """The samples of labelled tracks as the solver takes them."""
    points = tracks.on_labels(labels, count, frames)
    confidence = torch.as_tensor(all_finite(points), dtype=torch.float32)
    seconds = float(np.median(np.diff(frames))) / tracks.rate_hz if len(frames) > 1 else SECONDS_APART
    return Observations(torch.as_tensor(np.nan_to_num(points), dtype=torch.float32), confidence, seconds)


def follow(
    template: Template, tracks: Tracks, labels: IntArray, before: Followed | None = None, initialise: Initialise | None = None
) -> Followed:
    """Find the poses of a take, and the actor unless it is given, by labelled tracks.

    Args:
        template: The body that is looked for.
        tracks: Of the take.
        labels: (tracks,).
        before: Found with nearly the same labels, to begin from; None to begin from what the network says.
        initialise: Where poses begin, of an actor whose joints the network does not know.
    """
    at = coarse_frames(tracks)
    few = observed(tracks, labels, len(template.labels), at)
    guess, actor = _begin(template, few, initialise) if before is None else (before.pose, before.actor)
    if not template.given:
        actor = fit_any_size(actor, template.prior, template.placement, few, guess).actor
    body = _body(actor, template)
    terms = prior_terms(template.prior.pose, SECONDS_APART, few.points)
    alone = replace(few, seconds=SECONDS_APART)

    def work(window: Window) -> Pose:
        pose, seen = guess[window.frames], alone[window.frames]
        for scale in FAR_M if before is None else NEAR_M:
            pose = independent_step(body, terms, pose, seen, scale)
        return pose

    pose = joined(list(each(work, windows(len(at), CHUNK, 0))))
    return Followed(body, torch.as_tensor(at), pose, few.confidence > 0)


def _body(actor: Actor, template: Template) -> Body:
    return Body(actor, template.prior.pose, torch.device("cpu"), torch.float32)


def _begin(template: Template, few: Observations, initialise: Initialise | None) -> tuple[Pose, Actor]:
    """Poses to begin from, and whose."""
    if initialise is not None:
        return initialise(_body(template.actor, template), few), template.actor
    network = bundled_network()
    what = fitted_actor(template.actor) if template.given else unknown_actor(template.prior, template.placement)
    pose, _, said = propose_poses(network, what, few)
    return pose, template.actor if template.given else as_proposed(network, template.prior.mean_actor(template.placement), said)
