# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known before a take is seen: how people move, how they are built and where markers are put.

The bundled file is made by `python -m model learn`; its sources are in its header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ..core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from ..core.take import FloatArray, IntArray
from ..marker_sets.marker_set import MarkerSet
from ..storage.weights_file import check_shapes, header_list, reading
from .actor import Actor
from .placement import Placement

BUNDLED = Path(__file__).parents[1] / "weights" / "prior.safetensors"


@dataclass(frozen=True, eq=False)
class PosePrior:
    """A Gaussian over poses of a skeleton, without its root.

    Attributes:
        mean_rotations: (joints, 3, 3), M_j.
        axes: (coordinates, 3), unit, each in its joint's frame.
        joints_of: (coordinates,) the joint each coordinate turns.
        precision: (coordinates, coordinates), inverse covariance of q in 1/rad^2.
        speed: (coordinates,) standard deviation of dq/dt in rad/s.
        limits: (2, coordinates) in radians, the least and the greatest q of a joint that is not forced; infinite where unknown.
    """

    mean_rotations: FloatArray
    axes: FloatArray
    joints_of: IntArray
    precision: FloatArray
    speed: FloatArray
    limits: FloatArray


@dataclass(frozen=True, eq=False)
class ActorPrior:
    """Gaussians over bones and marker offsets, in metres, on the zero pose's axes.

    Attributes:
        joints, parents: The hierarchy.
        bone_mean: (joints, 3).
        bone_basis: (joints, 3, components): bones = mean + basis w, with w standard normal.
        labels: Names of the markers.
        carriers: (labels,) index of the joint whose bone each marker rides on.
        offset_mean: (labels, 3), from the joint that carries the marker.
        offset_deviation: (labels, 3) standard deviation.
        places: Of a hierarchy whose joints do not sit at the ends of their parents' bones, see `Skeleton`.
        place_basis: (joints, 3, components), the same of the places; None where joints sit at the ends of bones, or places are certain.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    bone_mean: FloatArray
    bone_basis: FloatArray
    labels: tuple[str, ...]
    carriers: tuple[int, ...]
    offset_mean: FloatArray
    offset_deviation: FloatArray
    places: FloatArray | None = None
    place_basis: FloatArray | None = None

    @property
    def placement(self) -> Placement:
        """Of all learned markers."""
        return Placement(self.labels, self.carriers, self.offset_mean, self.offset_deviation, self.carriers)

    def scale(self, skeleton: Skeleton) -> float | None:
        """How large a skeleton is: its bones' lengths, summed, by those of the mean person; None where it has other joints."""
        if skeleton.joints != self.joints:
            return None
        own, mean = (float(np.linalg.norm(bones, axis=-1).sum()) for bones in (skeleton.bones, self.bone_mean))
        return own / mean

    def of_size(self, size: float) -> ActorPrior:
        """Of people so many times as large."""
        return replace(
            self,
            bone_mean=size * self.bone_mean,
            bone_basis=size * self.bone_basis,
            offset_mean=size * self.offset_mean,
            offset_deviation=size * self.offset_deviation,
            places=None if self.places is None else size * self.places,
            place_basis=None if self.place_basis is None else size * self.place_basis,
        )

    def ends(self, joint: str) -> tuple[int, list[int]]:
        """Indices of the bone at whose end a joint sits, and of the joints that sit there."""
        bone = self.parents[self.joints.index(joint)]
        return bone, [child for child, parent in enumerate(self.parents) if parent == bone]


@dataclass(frozen=True, eq=False)
class Prior:
    """Both priors of one file."""

    pose: PosePrior
    actor: ActorPrior

    def centred(self, marker_set: MarkerSet) -> Prior:
        """The prior of those whose joint centres lie where the set has them: other bones, and learned markers where they were."""
        known = self.actor
        mean, offsets, freedom = known.bone_mean.copy(), known.offset_mean.copy(), []
        for centre in marker_set.centres:
            bone, joints = known.ends(centre.joint)
            move = np.zeros_like(mean)
            move[bone], move[joints] = 1.0, -1.0
            mean += move * centre.offset_mm * 1e-3
            offsets[np.isin(known.carriers, joints)] -= np.array(centre.offset_mm) * 1e-3
            freedom.append(move[..., None] * np.diag(centre.spread_mm) * 1e-3)
        basis = np.concatenate([known.bone_basis, *freedom], axis=-1)
        return replace(self, actor=replace(known, bone_mean=mean, bone_basis=basis, offset_mean=offsets))

    def placement(self, marker_set: MarkerSet, labels: tuple[str, ...]) -> Placement:
        """Where markers of a set usually sit: as learned where the set says that one sits like a learned one, else as the set says."""
        known = self.actor
        starts = np.zeros_like(known.bone_mean)
        for joint, parent in enumerate(known.parents[1:], start=1):
            starts[joint] = starts[parent] + known.bone_mean[parent]
        joints, means, deviations, origins = [], [], [], []
        for label in labels:
            place = marker_set.places[marker_set.labels.index(label)]
            joint, origin = known.joints.index(place.joint), known.joints.index(place.origin or place.joint)
            if place.like is not None:
                row = known.labels.index(place.like)
                mean, deviation = known.offset_mean[row], known.offset_deviation[row]
            else:
                mean, deviation = np.array(place.offset_mm) * 1e-3 + starts[origin] - starts[joint], np.zeros(3)
            joints.append(joint)
            means.append(mean)
            deviations.append(np.array(place.spread_mm) * 1e-3 if place.spread_mm else deviation)
            origins.append(origin)
        return Placement(labels, tuple(joints), np.reshape(means, (-1, 3)), np.reshape(deviations, (-1, 3)), tuple(origins))

    def of_size(self, size: float) -> Prior:
        """Of people so many times as large."""
        return replace(self, actor=self.actor.of_size(size))

    def mean_actor(self, placement: Placement | None = None) -> Actor:
        """An actor of mean build with the given markers (default: all learned ones) where they are usually put."""
        known, placed = self.actor, placement or self.actor.placement
        return Actor(Skeleton(known.joints, known.parents, known.bone_mean, known.places), placed.labels, placed.joints, placed.offset_mean)


#: People whose bones' lengths, summed, differ by more than this part from the mean person's are few among those whom the prior knows.
UNUSUAL_SIZE = 0.1


def unusual_size(prior: Prior, actor: Actor) -> float | None:
    """How large an actor is, of the mean person; None where that is usual, or the actor has other joints."""
    size = prior.actor.scale(actor.skeleton)
    return None if size is None or abs(size - 1.0) <= UNUSUAL_SIZE else size


@lru_cache(maxsize=4)
def bundled(without: tuple[str, ...] = ()) -> Prior:
    """The prior that comes with Bonesetter; see `read`."""
    return read(BUNDLED, without)


def read(path: Path, without: tuple[str, ...] = ()) -> Prior:
    """Read a prior.

    Args:
        path: A safetensors file made by `python -m model learn`.
        without: Takes whose own marker offsets must not be used, so that they can be scored.

    Raises:
        BonesetterError: The file is missing, damaged, or of another version.
    """
    with reading(path), safe_open(path, framework="numpy") as file:
        # what is no number is refused below
        with np.errstate(invalid="ignore"):
            tensors = {name: np.asarray(file.get_tensor(name), dtype=float) for name in file.keys()}  # noqa: SIM118
        return _prior(tensors, file.metadata(), without)


def _prior(tensors: dict[str, FloatArray], header: dict[str, str], without: tuple[str, ...]) -> Prior:
    """Of a file's tensors and header; ValueError, KeyError or TypeError where they are none."""
    joints, labels = header_list(header, "joints", str), header_list(header, "labels", str)
    parents, carriers = header_list(header, "parents", int), header_list(header, "carriers", int)
    _check(tensors, joints, labels, parents, carriers)
    pose = PosePrior(
        tensors["mean_rotations"],
        tensors["axes"],
        tensors["joints_of"].astype(int),
        tensors["precision"],
        tensors["speed"],
        tensors["limits"],
    )
    names = [name for name in tensors if name.startswith("offsets.") and name.removeprefix("offsets.") not in without]
    mean, deviation = offset_statistics(np.stack([tensors[name] for name in sorted(names)]), usual_spread(labels))
    actor = ActorPrior(
        joints,
        parents,
        tensors["bone_mean"],
        tensors["bone_basis"],
        labels,
        carriers,
        mean,
        deviation,
    )
    return Prior(pose, actor)


def _check(
    tensors: dict[str, FloatArray], joints: tuple[str, ...], labels: tuple[str, ...], parents: tuple[int, ...], carriers: tuple[int, ...]
) -> None:
    """A ValueError where the tensors do not fit the header, or one another, or hold what is no number."""
    if joints != CMU_JOINTS or parents != CMU_PARENTS:
        raise ValueError("its joints are not those of this version")
    if len(carriers) != len(labels) or not all(0 <= carrier < len(joints) for carrier in carriers):
        raise ValueError("its carriers are not joints of its labels")
    count, shapes = len(tensors["axes"]), {name: tensor.shape for name, tensor in tensors.items()}
    wanted = {
        "mean_rotations": (len(joints), 3, 3),
        "axes": (count, 3),
        "joints_of": (count,),
        "precision": (count, count),
        "speed": (count,),
        "limits": (2, count),
        "bone_mean": (len(joints), 3),
        "bone_basis": (len(joints), 3, tensors["bone_basis"].shape[-1]),
        **{name: (len(labels), 3) for name in tensors if name.startswith("offsets.")},
    }
    check_shapes(shapes, wanted)
    if broken := [name for name, tensor in tensors.items() if np.isnan(tensor if name == "limits" else tensor - tensor).any()]:
        raise ValueError(f"{broken[0]} holds what is no number")
    if not np.isin(tensors["joints_of"], range(len(joints))).all():
        raise ValueError("joints_of names no joint")


#: How differently labs and hands put a marker on, as a standard deviation: one that a bony landmark holds, and one in the middle of a
#: segment (technical), which goes anywhere along it.
USUAL_SPREAD_M, TECHNICAL_SPREAD_M = 0.015, 0.03
TECHNICAL = frozenset({"RBAC", "T10", *(side + name for side in "LR" for name in ("UPA", "FRM", "THI", "SHN"))})
#: So many actors' worth is the belief in these spreads before any actor was seen.
BELIEF = 2.0


def offset_statistics(offsets: FloatArray, usual: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, both (labels, 3), that the next actor's offsets have, told from those of a few.

    A normal distribution of unknown variance with an inverse-gamma prior on it: the posterior's variance, wider by the doubt about the
    mean (Gelman et al., Bayesian Data Analysis, 3.3).

    Args:
        offsets: Of actors, (actors, labels, 3) in metres.
        usual: The spread that is expected of each marker beforehand, (labels,) in metres.
    """
    count = len(offsets)
    mean = offsets.mean(axis=0)
    variance = (BELIEF * usual[:, None] ** 2 + ((offsets - mean) ** 2).sum(axis=0)) / (BELIEF + count - 1)
    return mean, np.sqrt(variance * (1 + 1 / count))


def usual_spread(labels: Sequence[str]) -> FloatArray:
    """The spread that is expected of each marker before any actor was seen, (labels,) in metres."""
    return np.array([TECHNICAL_SPREAD_M if label in TECHNICAL else USUAL_SPREAD_M for label in labels])
