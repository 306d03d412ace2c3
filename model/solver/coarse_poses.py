# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses at the coarse rate: found from where the network has them, and found again where that ends in a wrong minimum."""

from __future__ import annotations

import torch
from torch import Tensor

from ..actors.prior import PosePrior
from ..core.parallel import each
from ..core.progress import Progress, part_of
from ..core.stretches import frames_from, stretches
from .advice import Advice
from .fit import Found, Terms, place_root, pose_costs, prior_terms, refined
from .frames import spans
from .kinematics import Body, Pose
from .observations import Observations, coarse
from .options import EVERYTHING, SolverOptions
from .rescue import rescued

#: Frames begin a second time, in which so many samples are farther than this from their places, in m, and those around them, in s. If
#: more than this part of the frames is wrong, and more than a swing lasts, in s, it is labels or noise, and they begin from right frames.
WRONG_MARKERS, WRONG_M, AROUND_SECONDS, MOST_WRONG, SWING_SECONDS = 2, 0.06, 0.15, 0.05, 0.5


def find_poses(
    body: Body,
    prior: PosePrior,
    seen: Observations,
    begun: Pose | None = None,
    advice: Advice | None = None,
    progress: Progress | None = None,
    options: SolverOptions = EVERYTHING,
) -> Found:
    """Poses at the coarse rate, found from `begun`, or from the mean pose; it and the advice are of the frames that `coarse` gives."""
    at, few = coarse(seen)
    terms = prior_terms(prior, few.seconds, seen.points)
    scales = options.scales
    coarse_part = len(scales.coarse) / (len(scales.coarse) + len(scales.settling))
    start = begun or place_root(body, terms, few)
    if not options.fit:
        return Found(start, at, few.sigma_m)
    pose = refined(body, terms, few, start, scales.coarse, advice, part_of(progress, 0.0, coarse_part))
    pose = found_again(body, terms, few, pose, start, advice, scales.again)
    for scale in scales.settling:
        few = judged(body, few, pose) if options.noise_of_take else few
        pose = refined(body, terms, few, pose, (scale,), advice)
    return Found(pose, at, few.sigma_m, advice)


def found_again(
    body: Body, terms: Terms, seen: Observations, pose: Pose, begun: Pose, advice: Advice | None, scales_m: tuple[float, ...]
) -> Pose:
    """The poses, those in wrong minima replaced where another try costs less.

    A forearm that is rotated by 60 degrees too much has the elbow and one side of the wrist in place, while the kernel has taken the say
    of the other side and of the hand: a few frames of the fastest swings end so. They begin again where the first try began, the
    kernel wide for longer. What is wrong still began wrongly, too: two exchanged labels of the pelvis turn what the network says of the
    whole body. Those frames begin from the nearest right ones.

    Args:
        body: Whose poses.
        terms: For frames as far apart as these.
        seen: Of F frames.
        pose: Of the same frames, found from `begun`.
        begun: Where that began.
        advice: Of the same frames.
        scales_m: Of the robust kernel.
    """
    wrong = wrong_frames(body, seen, pose)
    if not wrong.any():
        return pose
    if int(wrong.sum()) <= max(MOST_WRONG * len(wrong), SWING_SECONDS / seen.seconds):
        pose = _begun_again(body, terms, seen, pose, begun, advice, scales_m, wrong)
    return rescued(body, terms, seen, pose, pose_costs(body, terms, seen, pose))


def _begun_again(
    body: Body,
    terms: Terms,
    seen: Observations,
    pose: Pose,
    begun: Pose,
    advice: Advice | None,
    scales_m: tuple[float, ...],
    wrong: Tensor,
) -> Pose:
    """See `found_again`: the poses, those around `wrong` (F,) frames by a second try where that costs less."""
    reach = round(AROUND_SECONDS / seen.seconds)
    near = frames_from(wrong.cpu().numpy()[:, None])[:, 0] <= reach
    kept = Pose(pose.root.clone(), pose.turn.clone(), pose.q.clone())
    for start, end in stretches(near).tolist():
        part = slice(start, end)
        there = seen[part]
        again = refined(body, terms, there, begun[part], scales_m, advice[part] if advice else None)
        if pose_costs(body, terms, there, again).sum() < pose_costs(body, terms, there, pose[part]).sum():
            kept.root[part], kept.turn[part], kept.q[part] = again.root, again.turn, again.q
    return kept


def wrong_frames(body: Body, seen: Observations, pose: Pose) -> Tensor:
    """(frames,): True where several samples, filled gaps aside, are far from their places."""

    def work(here: slice) -> Tensor:
        apart = (body.posed(pose[here]).markers - seen.points[here]).norm(dim=-1)
        wrong = (apart > WRONG_M) & (seen.confidence[here] >= 1)
        return wrong[:, body.steady].sum(1)

    return torch.cat(list(each(work, spans(pose.frames)))) >= WRONG_MARKERS


def judged(body: Body, seen: Observations, pose: Pose) -> Observations:
    """The samples with the deviation from their places that shows in a solve."""
    apart = each(lambda span: body.posed(pose[span]).markers - seen.points[span], spans(pose.frames))
    return seen.judged_by(torch.cat(list(apart)), markers=body.steady)
