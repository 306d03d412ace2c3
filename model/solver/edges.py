# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames beside long gaps: between a pose that markers tell and one that nobody does, no straight line leads to what is seen.

A limb that was hidden for most of a second is anywhere in the last coarse frame of its gap. Half way from there to the first one in which
it is seen its markers are decimetres off, and the last fit, whose kernel is narrow, leaves them out. So frames in which markers are seen
far from where the line has them begin from the coarse poses at both its ends, and those that fit go in between.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..actors.prior import PosePrior
from .fit import Found, pose_costs, prior_terms, visible_part
from .frames import Between
from .kinematics import Body, Pose
from .observations import Observations
from .reinstating import merged
from .rescue import begun_again, chosen, with_frames

#: A frame begins again in which a sample is farther than this from its place, in m, which is the scale of the last fit's kernel.
FAR_M = 0.03
#: A coordinate is lost, or seen again, from a coarse frame to the next where this part of its markers more, or fewer, is seen.
CHANGED_PART = 0.6


@torch.no_grad()
def with_edges(body: Body, prior: PosePrior, seen: Observations, found: Found) -> Found:
    """The poses, with those of all frames between two coarse ones in which markers are seen far from where a straight line has them.

    Args:
        body: Whose poses.
        prior: Of them.
        seen: All frames.
        found: Poses at the coarse rate.

    Returns:
        The very same where no limb is lost or seen again.
    """
    seen = replace(seen, sigma_m=found.sigma_m)
    visible = visible_part(body, seen[found.at])
    changed = ((visible[1:] - visible[:-1]).abs() >= CHANGED_PART).any(1) & (found.at.diff() > 1)
    spans = torch.nonzero(changed)[:, 0]
    if not len(spans):
        return found
    frames, left = _inside(found.at, spans)
    pose = Between(found.at, frames).pose(found.pose)
    there = seen[frames]
    wrong = torch.nonzero(_far(body, there, pose))[:, 0]
    if not len(wrong):
        return found
    terms = prior_terms(prior, seen.seconds, seen.points)
    donors = [found.pose[left[wrong] + side] for side in (0, 1)]
    tried = [pose[wrong], *begun_again(body, terms, there[wrong], donors)]
    costs = torch.stack([pose_costs(body, terms, there[wrong], each) for each in tried])
    pose = with_frames(pose, wrong, chosen(tried, costs.argmin(0)))
    touched = torch.isin(left, left[wrong])
    runs = {int(frames[left == span][0]): pose[left == span] for span in left[touched].unique().tolist()}
    return merged(found, runs)


def _inside(at: Tensor, spans: Tensor) -> tuple[Tensor, Tensor]:
    """The frames (F,) between each of some coarse frames `at` and the next, and (F,) that coarse frame."""
    inside = [torch.arange(int(at[span]) + 1, int(at[span + 1]), device=at.device) for span in spans.tolist()]
    return torch.cat(inside), torch.repeat_interleave(spans, torch.tensor([len(each) for each in inside], device=at.device))


def _far(body: Body, seen: Observations, pose: Pose) -> Tensor:
    """(frames,): whether a sample is far from its place."""
    apart = (body.posed(pose).markers - seen.points).norm(dim=-1)
    return ((apart > FAR_M) & (seen.confidence >= 1))[:, body.steady].any(1)
