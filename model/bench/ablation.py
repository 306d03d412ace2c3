# SPDX-License-Identifier: GPL-3.0-or-later
"""What each half of the solver and each of its terms is worth, and docs/ablation.md.

A variant differs from the solver as it is in one thing, by the options or the settings of its solves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.rotations import unitquat_to_rotmat
from ..core.scores import Figures, score
from ..core.settings import Settings
from ..engine.pipeline import solve_take
from ..solver.options import EVERYTHING, KernelScales, SolverOptions
from .cases import CONDITIONS, Case
from .results import mean_by_frames

#: Clean takes of whole clips with harder poses than the tests have: of subjects that train, though not of clips that do.
VALIDATION = "validation clips"

HEAD = """# What each part is worth

Made by `python -m model ablate`; do not edit. The takes are those of `docs/benchmark.md` ({frames:,} frames, subjects 02, 07, 11 and
hdm05_dg, which train nothing), seed {seed}, actor unknown. Motion error in mm / degrees, and before it how many times the whole
solver's in mm it is. In the mean of a condition every take counts by its frames, as there. The validation clips are clean takes with
harder poses; their subjects' other clips train prior and network, which are therefore better there than on strangers. Frames a second
are those of one run, so compare them only here.
"""


@dataclass(frozen=True)
class Variant:
    """One thing that is otherwise.

    Attributes:
        name: What is missing.
        meaning: What is there instead.
        options: Of the solver.
        settings: Of the solve.
    """

    name: str
    meaning: str
    options: SolverOptions = EVERYTHING
    settings: Settings = field(default_factory=Settings)


#: Reliabilities count while the kernel is wide, which without one is always.
LEAST_SQUARES = SolverOptions(scales=KernelScales().least_squares(), reliabilities=False)
NOT_GRADUATED = KernelScales().not_graduated()
UNCLEANED = Settings(max_speed=np.inf, rigid_tolerance=np.inf, max_residual=np.inf, max_gap=0.0)

WHOLE = Variant("-", "the solver as it is")
VARIANTS = (
    WHOLE,
    Variant("network", "all begins from the mean person in the mean pose, unadvised", SolverOptions(network=False)),
    Variant("fit of poses", "the network's poses, straight in between", SolverOptions(fit=False)),
    Variant("calibration", "the mean person, markers where they usually are", SolverOptions(calibrate=False)),
    Variant("offsets of their own", "marker offsets as fitted with the bones", SolverOptions(own_offsets=False)),
    Variant("robust kernel", "least squares", LEAST_SQUARES),
    Variant("graduation", "the kernel's last scale in every step, too narrow for reliabilities", SolverOptions(scales=NOT_GRADUATED)),
    Variant("network, graduation", "both", SolverOptions(scales=NOT_GRADUATED, network=False)),
    Variant("reliabilities", "every sample counts alike while the kernel is wide", SolverOptions(reliabilities=False)),
    Variant("pull to the network", "hidden limbs by prior and neighbours alone", SolverOptions(advice=False)),
    Variant("joint limits", "none", SolverOptions(limits=False)),
    Variant("pose prior", "no pose is likelier than another", SolverOptions(pose_prior=False)),
    Variant("coupling in time", "every frame by itself", SolverOptions(coupling=False)),
    Variant("closeness by the take", "12 mm for all takes", SolverOptions(noise_of_take=False)),
    Variant("cleaning", "samples as they are, no gap filled", settings=UNCLEANED),
    Variant("cleaning, robust kernel", "both", LEAST_SQUARES, UNCLEANED),
    Variant("relabelling", "labels as they are", SolverOptions(relabel=False)),
    Variant("feet held", "feet as they are solved", SolverOptions(hold_feet=False)),
    Variant("smoothing", "every wiggle of the poses", settings=Settings(smooth=0.0)),
)


@dataclass(frozen=True)
class Row:
    """A variant's figures: {condition: mean over its takes by `mean_by_frames`}, and the frames a second of all."""

    variant: Variant
    millimetres: dict[str, float]
    degrees: dict[str, float]
    frames_per_second: float


def solved(case: Case, settings: Settings, options: SolverOptions = EVERYTHING) -> tuple[Figures | None, float]:
    """The figures of a take, None where the solve failed, and the seconds that it took."""
    begin = time.perf_counter()
    try:
        solution = solve_take(case.take, settings, options=options)
    except (BonesetterError, np.linalg.LinAlgError):
        return None, time.perf_counter() - begin
    seconds = time.perf_counter() - begin
    motion = Motion(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0], case.take.rate_hz)
    return score(motion, case.truth), seconds


def measure(variant: Variant, cases: Sequence[Case], done: Callable[[], None]) -> Row:
    """Solve all cases in a variant; a condition one of whose takes fails has NaN."""
    figures: dict[str, list[Figures | None]] = {}
    frames: dict[str, list[int]] = {}
    seconds = 0.0
    for case in cases:
        one, took = solved(case, variant.settings, variant.options)
        figures.setdefault(case.condition, []).append(one)
        frames.setdefault(case.condition, []).append(case.take.frames)
        seconds += took
        done()

    def means(name: str) -> dict[str, float]:
        return {
            condition: np.nan if None in every else mean_by_frames([getattr(one, name) for one in every], frames[condition])
            for condition, every in figures.items()
        }

    total = sum(case.take.frames for case in cases)
    return Row(variant, means("motion_jpe_mm"), means("motion_joe_global_deg"), total / seconds)


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
