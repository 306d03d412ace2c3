# SPDX-License-Identifier: GPL-3.0-or-later
"""The network. Its labels have no names: a marker is where it was seen and what is known of its place on the body.

In each round queries of its own attend to the markers of a frame, what they found is mixed with the frame's estimate so far and
with the frames around it, and the estimate takes a step; the next round also sees how far each marker then is from where the
estimate puts it, in the axes of the bone that carries it. After the last round those distances say which samples to believe
and, over the take, where markers sit and how the bones are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from ..actors.prior import Prior
from ..solver.rotations import rotvec_to_rotmat
from ..storage.atomic import replacing
from ..storage.weights_file import check_shapes, reading
from .features import FEATURES, LARGEST, RESIDUAL_M, Figure, Framed, Known, markers_of, picked, token_features

#: A root's usual distance from the body frame, in m and rad: the units of its numbers.
ROOT_M, ROOT_RAD = 0.03, 0.2
#: Bounds of a logarithm of a standard deviation, in units of the prior's own.
LEAST_LOG, MOST_LOG = -4.0, 1.5
#: Numbers that say how a marker lies to the estimate: residual in the bone's and in the body's axes, its length, root of it.
LYING = 8
#: A known actor's spread is no number to divide by.
LEAST_SPREAD = 1e-4


@dataclass(frozen=True)
class Size:
    """How large a network is: numbers of a marker, of a frame, queries, heads, rounds."""

    marker: int = 48
    frame: int = 256
    queries: int = 32
    heads: int = 4
    rounds: int = 3

    def __post_init__(self) -> None:
        """Every head looks at as many numbers of a marker."""
        if self.heads < 1 or self.marker % self.heads:
            raise ValueError(f"{self.marker} numbers of a marker cannot be shared by {self.heads} heads")


@dataclass(frozen=True, eq=False)
class Estimate:
    """What is said of frames; units of the prior's deviations, `ROOT_M` and `ROOT_RAD`.

    Attributes:
        pose: (B, T, 6 + C): the root's place and rotation vector in the body frame, then q.
        log_sigma: The same shape.
    """

    pose: Tensor
    log_sigma: Tensor


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What is said of windows.

    Attributes:
        estimates: One for each round; the last is the best.
        reliability: (B, T, K) logits.
        evidence: (B, K, marker) and (B, frame), sums over frames, and their weights (B, K) and (B,): see `Proposer.sizes`.
    """

    estimates: list[Estimate]
    reliability: Tensor
    evidence: MarkerSums


@dataclass(frozen=True, eq=False)
class MarkerSums:
    """Sums over frames of what tells about the actor: of markers (B, K, ...), their weights (B, K), of frames (B, ...), how many (B,)."""

    markers: Tensor
    marker_weight: Tensor
    frames: Tensor
    frame_count: Tensor

    def __add__(self, other: MarkerSums) -> MarkerSums:
        return MarkerSums(
            self.markers + other.markers,
            self.marker_weight + other.marker_weight,
            self.frames + other.frames,
            self.frame_count + other.frame_count,
        )

    def gathered(self, together: int) -> MarkerSums:
        """Every `together` windows that follow on one another are one actor's."""
        return MarkerSums(
            *(part.unflatten(0, (-1, together)).sum(1) for part in (self.markers, self.marker_weight, self.frames, self.frame_count))
        )


@dataclass(frozen=True, eq=False)
class SizeCorrections:
    """Corrections of what is known of actors, in units of its spread, each with the logarithm of what spread remains.

    Attributes:
        offsets, offset_log: (A, K, 3).
        bones, bone_log: (A, components).
    """

    offsets: Tensor
    offset_log: Tensor
    bones: Tensor
    bone_log: Tensor


class Round(nn.Module):
    """One look at the markers."""

    def __init__(self, size: Size, numbers: int) -> None:
        super().__init__()
        d = size.marker
        self.heads = size.heads
        self.lying = nn.Linear(LYING, d)
        self.inner = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.queries = nn.Parameter(torch.randn(size.queries, d) / d**0.5)
        self.nothing = nn.Parameter(torch.zeros(1, d))
        self.both = nn.Linear(d, 2 * d)
        self.found = nn.Linear(size.queries * d, size.frame)
        self.so_far = nn.Linear(2 * numbers, size.frame)
        self.norm = nn.LayerNorm(size.frame)
        self.inner_frame = nn.Sequential(nn.Linear(size.frame, size.frame), nn.GELU(), nn.Linear(size.frame, size.frame))
        self.around = nn.ModuleList(nn.Conv1d(size.frame, size.frame, 3, padding=step, dilation=step) for step in (1, 2))
        self.after = nn.Sequential(nn.LayerNorm(size.frame), nn.Linear(size.frame, size.frame), nn.GELU())
        self.step = nn.Linear(size.frame, 2 * numbers)
        nn.init.zeros_(self.step.weight)
        nn.init.zeros_(self.step.bias)

    def forward(
        self, markers: Tensor, residual_features: Tensor, seen: Tensor, state: Tensor, estimate: Estimate
    ) -> tuple[Tensor, Tensor, Estimate]:
        """Markers (B, T, K, d), how they lie (B, T, K, LYING), which are seen (B, T, K), state (B, T, frame)."""
        markers = markers + self.lying(residual_features)
        markers = markers + self.inner(markers)
        found = self._attend(markers, seen)
        state = state + self.found(found) + self.so_far(torch.cat([estimate.pose, estimate.log_sigma], -1))
        state = state + self.inner_frame(gelu(self.norm(state)))
        along = state.transpose(1, 2)
        for convolution in self.around:
            along = along + convolution(gelu(along))
        state = along.transpose(1, 2)
        pose, log_sigma = self.step(self.after(state)).chunk(2, -1)
        return markers, state, Estimate(estimate.pose + pose, bounded(estimate.log_sigma + log_sigma))

    def _attend(self, markers: Tensor, seen: Tensor) -> Tensor:
        """What each query finds, (B, T, queries * d)."""
        rows, frames, places, d = markers.shape
        tokens = torch.cat([markers, self.nothing.expand(rows, frames, 1, d)], 2).flatten(0, 1)
        mask = torch.cat([seen, torch.ones_like(seen[..., :1])], 2).flatten(0, 1)[:, None, None]
        keys, values = self.both(tokens).view(rows * frames, places + 1, 2, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        queries = self.queries.view(-1, self.heads, d // self.heads).transpose(0, 1).expand(rows * frames, -1, -1, -1)
        found = scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return found.transpose(1, 2).reshape(rows, frames, -1)


class Proposer(nn.Module):
    """See the module.

    Args:
        prior: Whose hierarchy and coordinates it answers in.
        size: How large.
    """

    def __init__(self, prior: Prior, size: Size) -> None:
        super().__init__()
        self.size = size
        self.figure = Figure(prior)
        self.components = prior.actor.bone_basis.shape[-1]
        numbers = 6 + self.figure.coordinates
        d = size.marker
        self.carrier = nn.Embedding(self.figure.joints, d)
        self.token = nn.Linear(FEATURES, d)
        self.actor = nn.Sequential(nn.Linear(3 * self.figure.joints + 1, size.frame), nn.GELU(), nn.Linear(size.frame, size.frame))
        self.rounds = nn.ModuleList(Round(size, numbers) for _ in range(size.rounds))
        self.judge_lying = nn.Linear(LYING, d)
        self.judge_frame = nn.Linear(size.frame, d)
        self.judge = nn.Sequential(nn.GELU(), nn.Linear(d, d), nn.GELU(), nn.Linear(d, 1 + d))
        self.offset_head = nn.Sequential(nn.Linear(2 * d + 4, 2 * d), nn.GELU(), nn.Linear(2 * d, 6))
        self.frame_tell = nn.Sequential(nn.GELU(), nn.Linear(size.frame, size.frame), nn.GELU())
        self.bone_head = nn.Sequential(nn.Linear(size.frame + d + 1, size.frame), nn.GELU(), nn.Linear(size.frame, 2 * self.components))

    def forward(self, known: Known, framed: Framed) -> NetworkOutput:
        """Poses, reliabilities and evidence of windows."""
        seen = framed.confidence > 0
        figure = self.figure
        markers = gelu(self.token(token_features(figure, known, framed)) + self.carrier(known.carriers)[:, None])
        bones = torch.cat([((known.bones - figure.bone_mean) / 0.03).flatten(1), known.bone_spread[:, None]], 1)
        state = self.actor(bones)[:, None].expand(-1, framed.points.shape[1], -1)
        estimate = Estimate(
            state.new_zeros(*state.shape[:2], 6 + figure.coordinates), state.new_zeros(*state.shape[:2], 6 + figure.coordinates)
        )
        estimates = []
        for step in self.rounds:
            residual_features, _ = self._residual_features(known, framed, estimate)
            markers, state, estimate = step(markers, residual_features, seen, state, estimate)
            estimates.append(estimate)
        residual_features, residual = self._residual_features(known, framed, estimate)
        judged = self.judge(markers + self.judge_lying(residual_features) + self.judge_frame(state)[:, :, None])
        reliability, tells = judged[..., 0], judged[..., 1:]
        weight = torch.sigmoid(reliability) * seen
        evidence = torch.cat([tells, residual], -1)
        gathered = MarkerSums(
            (evidence * weight[..., None]).sum(1),
            weight.sum(1),
            self.frame_tell(state).sum(1),
            weight.new_full((len(weight),), state.shape[1]),
        )
        return NetworkOutput(estimates, reliability, gathered)

    @torch.no_grad()
    def _residual_features(self, known: Known, framed: Framed, estimate: Estimate) -> tuple[Tensor, Tensor]:
        """How the markers lie to the estimate: (B, T, K, LYING), and the residual in the carriers' axes (B, T, K, 3) in `RESIDUAL_M`."""
        rows, frames, places, _ = framed.points.shape
        each = torch.arange(rows).repeat_interleave(frames)
        root, turn, q = self.decoded(estimate)
        where, global_rotations = self.figure(q.flatten(0, 1), known.bones[each])
        global_rotations = turn.flatten(0, 1)[:, None] @ global_rotations
        where = (turn.flatten(0, 1)[:, None] @ where[..., None])[..., 0] + root.flatten(0, 1)[:, None]
        carriers = known.carriers[each]
        away = framed.points.flatten(0, 1) - markers_of(where, global_rotations, carriers, known.offsets[each])
        away = (away / RESIDUAL_M * (framed.confidence.flatten(0, 1) > 0)[..., None]).clamp(-LARGEST, LARGEST)
        own = (picked(global_rotations, carriers).transpose(-1, -2) @ away[..., None])[..., 0]
        length = away.norm(dim=-1, keepdim=True)
        residual_features = torch.cat([own, away, length, length.sqrt()], -1)
        return residual_features.view(rows, frames, places, LYING), own.view(rows, frames, places, 3)

    def decoded(self, estimate: Estimate) -> tuple[Tensor, Tensor, Tensor]:
        """The root's place (B, T, 3) in metres and rotation (B, T, 3, 3) in the body frame, and q (B, T, C) in radians."""
        pose = estimate.pose
        return pose[..., :3] * ROOT_M, rotvec_to_rotmat(pose[..., 3:6] * ROOT_RAD), pose[..., 6:] * self.figure.deviation

    def sizes(self, known: Known, evidence: MarkerSums) -> SizeCorrections:
        """What the evidence of some frames says of A actors."""
        share = evidence.markers / evidence.marker_weight[..., None].clamp_min(1.0)
        much = torch.log1p(evidence.marker_weight)[..., None]
        frames = evidence.frames / evidence.frame_count[:, None]
        everywhere = (share[..., : self.size.marker] * evidence.marker_weight[..., None]).sum(1)
        everywhere = everywhere / evidence.marker_weight.sum(1, keepdim=True).clamp_min(1.0)
        about = torch.cat([self.carrier(known.carriers), share, much / 4], -1)
        offsets, offset_log = self.offset_head(about).chunk(2, -1)
        of_frames = torch.cat([frames, everywhere, torch.log(evidence.frame_count)[:, None] / 4], -1)
        bones, bone_log = self.bone_head(of_frames).chunk(2, -1)
        return SizeCorrections(offsets, bounded(offset_log), bones, bounded(bone_log))


def bounded(log_sigma: Tensor) -> Tensor:
    """Logarithms of deviations within sensible bounds."""
    return torch.clamp(log_sigma, LEAST_LOG, MOST_LOG)


def write_proposer(network: Proposer, path: Path, facts: dict[str, object]) -> None:
    """Write the weights, in half precision, with the network's size and some facts in the header."""
    tensors = {name: value.detach().half().cpu().contiguous() for name, value in network.state_dict().items()}
    header = {"size": json.dumps(asdict(network.size)), "facts": json.dumps(facts)}
    with replacing(path, binary=True) as stream:
        stream.write(save(tensors, header))


def read_proposer(path: Path, prior: Prior) -> Proposer:
    """Read what `write_proposer` wrote.

    Raises:
        BonesetterError: The file is missing, damaged, or not of this prior or this version.
    """
    with reading(path), safe_open(path, framework="pt") as file:
        size = Size(**json.loads(file.metadata()["size"]))
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        # before a network of whatever size is made
        check_shapes(shapes, {f"rounds.{size.rounds - 1}.queries": (size.queries, size.marker), "actor.2.bias": (size.frame,)})
        network = Proposer(prior, size)
        check_shapes(shapes, {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
        tensors = {name: file.get_tensor(name).float() for name in shapes}
        if broken := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
            raise ValueError(f"{broken[0]} holds what is no number")
        network.load_state_dict(tensors)
    return network.eval()
