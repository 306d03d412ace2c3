# SPDX-License-Identifier: GPL-3.0-or-later
"""What each half of the solver and each of its terms is worth, and docs/ablation.md.

A variant changes one thing of the solver as it is, by putting another value or another function in the place of one of a module's
names for as long as its takes are solved.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import ModuleType
from unittest.mock import patch

import numpy as np

from ..actors.actor import Actor
from ..actors.placement import Placement
from ..actors.prior import PosePrior, Prior
from ..core.metrics import Figures, score
from ..core.motion import Motion, matrices
from ..core.settings import Settings
from ..core.take import BonesetterError
from ..engine import pipeline
from ..proposer.propose import InitialGuess
from ..solver import advice, calibration, fit
from ..solver.fit import Found, Observations
from ..solver.frames import Between
from ..solver.kinematics import Body, Pose
from .cases import CONDITIONS, Case

#: Clean takes of whole clips with harder poses than the tests have: of subjects that train, though not of clips that do.
VALIDATION = "validation clips"
#: Of a robust kernel that believes everything, in metres.
WIDE_M = 1e3
#: A weight that is next to none.
NONE = 1e-6

HEAD = """# What each part is worth

Made by `python -m model ablate`; do not edit. The takes are those of `docs/benchmark.md` ({frames:,} frames, subjects 02, 07, 11 and
hdm05_dg, which train nothing), seed {seed}, actor unknown. Motion error in mm / degrees, and before it how many times the whole
solver's in mm it is. The validation clips are clean takes with harder poses; their subjects' other clips train prior and network,
which are therefore better there than on strangers. Frames a second are those of one run, so compare them only here.
"""


@dataclass(frozen=True)
class Variant:
    """One thing that is otherwise.

    Attributes:
        name: What is missing.
        meaning: What is there instead.
        instead: (module or class, name, value) of what is replaced.
        settings: Of the solve.
    """

    name: str
    meaning: str
    instead: Sequence[tuple[object, str, object]] = ()
    settings: Settings = field(default_factory=Settings)


def mean_beginning(
    actor: Actor | None, placement: Placement, prior: Prior, labels: tuple[str, ...], few: Observations, _begin: object = None
) -> InitialGuess:
    """The mean pose, laid on the trunk, of the mean person, in the place of the network's; see `pipeline.proposed`."""
    actor = actor or prior.mean_actor(placement)
    body = Body(actor, prior.pose, few.points.device, few.points.dtype)
    rows = [labels.index(label) for label in actor.labels]
    seen = Observations(few.points[:, rows], few.confidence[:, rows], few.seconds)
    return InitialGuess(fit.place_root(body, fit.prior_terms(prior.pose, few.seconds, few.points), seen), None, actor)


def network_alone(_body: Body, _prior: PosePrior, seen: Observations, begun: Pose, *_others: object) -> Found:
    """The network's poses as those that are found; see `fit.find_poses`."""
    return Found(begun, fit.coarse(seen)[0], fit.MARKER_SIGMA_M)


def in_between(_body: Body, _prior: PosePrior, seen: Observations, found: Found, _progress: object = None) -> Pose:
    """What was found, straight in between; see `fit.fit_poses`."""
    return Between(found.at, slice(0, len(seen.points))).pose(found.pose)


def mean_actor(given: Actor | None, placement: Placement, prior: Prior, *_others: object) -> Actor:
    """The mean person with the markers where they usually are; see `pipeline.calibrated`."""
    return given or prior.mean_actor(placement)


def as_labelled(take: object, *_others: object) -> tuple[object, tuple[()]]:
    """No correction; see `relabelling.relabel` and `sides.put_sides_right`."""
    return take, ()


def free_feet(pose: Pose, *_others: object, lock: bool) -> tuple[Pose, tuple[()]]:
    """Feet as the markers have them; see `legs.hold_feet`."""
    assert not lock
    return pose, ()


def unjudged(_body: Body, seen: Observations, _pose: Pose) -> Observations:
    """One deviation for all takes; see `fit.judged`."""
    return seen


def no_own_offsets(_fit: calibration.ActorFit, _pose: Pose, sizes: calibration.Sizes) -> calibration.Sizes:
    """No offsets of their own at the end; see `calibration.ActorFit.with_own_offsets`."""
    return sizes


def _in_every_step(module: ModuleType, name: str, scale_m: float) -> tuple[object, str, tuple[float, ...]]:
    """The same scale of the kernel in every step that has one by that name."""
    return module, name, (scale_m,) * len(getattr(module, name))


#: The scales of the kernel, and the last of each solve: the poses that a calibration begins with end where its sizes do.
SCALES = (
    (fit, "COARSE_SCALES_M", fit.COARSE_SCALES_M[-1]),
    (fit, "SETTLING_SCALES_M", fit.SETTLING_SCALES_M[-1]),
    (fit, "FINE_SCALES_M", fit.FINE_SCALES_M[-1]),
    (calibration, "POSE_SCALES_M", calibration.SETTLING_SCALE_M),
    (calibration, "SCALES_M", calibration.SCALES_M[-1]),
)

UNHEARD = (fit, "WIDE_SCALE_M", np.inf)
LEAST_SQUARES = [*(_in_every_step(module, name, WIDE_M) for module, name, _ in SCALES), (calibration, "SETTLING_SCALE_M", WIDE_M), UNHEARD]
UNGRADUATED = [_in_every_step(module, name, last) for module, name, last in SCALES]
UNCLEANED = Settings(max_speed=np.inf, rigid_tolerance=np.inf, max_residual=np.inf, max_gap=0.0)

WHOLE = Variant("-", "the solver as it is")
VARIANTS = (
    WHOLE,
    Variant("network", "all begins from the mean person in the mean pose, unadvised", [(pipeline, "proposed", mean_beginning)]),
    Variant(
        "fit of poses",
        "the network's poses, straight in between",
        [(pipeline, "find_poses", network_alone), (pipeline, "fit_poses", in_between)],
    ),
    Variant("calibration", "the mean person, markers where they usually are", [(pipeline, "calibrated", mean_actor)]),
    Variant(
        "offsets of their own", "marker offsets as fitted with the bones", [(calibration.ActorFit, "with_own_offsets", no_own_offsets)]
    ),
    Variant("robust kernel", "least squares", LEAST_SQUARES),
    Variant("graduation", "the kernel's last scale in every step, too narrow for reliabilities", UNGRADUATED),
    Variant("network, graduation", "both", [(pipeline, "proposed", mean_beginning), *UNGRADUATED]),
    Variant("reliabilities", "every sample counts alike while the kernel is wide", [UNHEARD]),
    Variant("pull to the network", "hidden limbs by prior and neighbours alone", [(advice, "ADVICE_WEIGHT", 0.0)]),
    Variant("joint limits", "none", [(fit, "LIMIT_SIGMA_RAD", 1e3)]),
    Variant("pose prior", "no pose is likelier than another", [(fit, "POSE_WEIGHT", 1e-3)]),
    Variant(
        "coupling in time",
        "every frame by itself",
        [(fit, "SPEED_WEIGHT", NONE), (fit, "GAP_SPEED_WEIGHT", NONE)],
    ),
    Variant("closeness by the take", "12 mm for all takes", [(fit, "judged", unjudged)]),
    Variant("cleaning", "samples as they are, no gap filled", settings=UNCLEANED),
    Variant("cleaning, robust kernel", "both", LEAST_SQUARES, UNCLEANED),
    Variant("relabelling", "labels as they are", [(pipeline, "relabel", as_labelled), (pipeline, "put_sides_right", as_labelled)]),
    Variant("feet held", "feet as they are solved", [(pipeline, "hold_feet", free_feet)]),
    Variant("smoothing", "every wiggle of the poses", settings=Settings(smooth=0.0)),
)


@dataclass(frozen=True)
class Row:
    """A variant's figures: {condition: mean over its takes}, and the frames a second of all."""

    variant: Variant
    millimetres: dict[str, float]
    degrees: dict[str, float]
    frames_per_second: float


def solved(case: Case, settings: Settings) -> tuple[Figures | None, float]:
    """The figures of a take, None where the solve failed, and the seconds that it took."""
    begin = time.perf_counter()
    try:
        solution = pipeline.solve_take(case.take, settings, None, lambda _stage, _part: None)
    except (BonesetterError, np.linalg.LinAlgError):
        return None, time.perf_counter() - begin
    seconds = time.perf_counter() - begin
    motion = Motion(solution.actor.skeleton, matrices(solution.rotations), solution.positions[:, 0], case.take.rate_hz)
    return score(motion, case.truth), seconds


def measure(variant: Variant, cases: Sequence[Case], done: Callable[[], None]) -> Row:
    """Solve all cases in a variant; a condition one of whose takes fails has NaN."""
    figures: dict[str, list[Figures | None]] = {}
    seconds = 0.0
    with ExitStack() as stack:
        for module, name, value in variant.instead:
            stack.enter_context(patch.object(module, name, value))
        for case in cases:
            one, took = solved(case, variant.settings)
            figures.setdefault(case.condition, []).append(one)
            seconds += took
            done()

    def means(name: str) -> dict[str, float]:
        return {
            condition: float(np.mean([np.nan if one is None else getattr(one, name) for one in every]))
            for condition, every in figures.items()
        }

    frames = sum(case.take.frames for case in cases)
    return Row(variant, means("motion_jpe_mm"), means("motion_joe_global_deg"), frames / seconds)


def document(rows: Sequence[Row], frames: int, seed: int) -> str:
    """docs/ablation.md."""
    conditions = [condition for condition in (*CONDITIONS, VALIDATION) if condition in rows[0].millimetres]
    lines = [HEAD.format(frames=frames, seed=seed), "| without | instead | " + " | ".join(conditions) + " | frames/s |"]
    lines.append("|---" * (len(conditions) + 3) + "|")
    whole = rows[0]
    for row in rows:
        cells = [cell(row, whole, condition) for condition in conditions]
        lines.append(f"| {row.variant.name} | {row.variant.meaning} | " + " | ".join(cells) + f" | {row.frames_per_second:.0f} |")
    return "\n".join(lines) + "\n"


def cell(row: Row, whole: Row, condition: str) -> str:
    """A condition's errors, and what they are of the whole solver's."""
    millimetres, degrees = row.millimetres[condition], row.degrees[condition]
    if not np.isfinite(millimetres):
        return "fails"
    said = f"{millimetres:.2f} / {degrees:.2f}"
    return said if row is whole else f"**{millimetres / whole.millimetres[condition]:.2f}** {said}"
