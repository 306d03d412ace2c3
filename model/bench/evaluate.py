# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model evaluate`: solves the labs' takes and compares with the labs' skeletons."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from ..actors import prior as priors
from ..core.errors import BonesetterError
from ..core.metrics import PoseError, jitter, pose_error
from ..core.motion import forward
from ..core.rotations import unitquat_to_rotmat
from ..core.settings import Settings
from ..core.take import Take
from ..datasets.lab_takes import LabTake, data_folder, find_c3d, read_lab_take
from ..files.c3d import read_c3d
from ..marker_sets.marker_set import load_marker_set
from ..markers.matching import match
from ..result.report import marker_residuals_mm
from ..shell.terminal import progress_bar
from ..synthetic.corruptions import Recipe, corrupt

#: Takes with a lab's skeleton; cmu_01_01 is for tuning, the others' subjects are unknown to the prior.
SCORED = ("cmu_01_01", "cmu_02_05", "hdm05_dg")
#: Takes without one.
FOLLOWED = ("cmu_85_02", "hdm05_mm")
#: A fifth of the samples is removed; a quarter of the rest, another fifth, is moved by 10 cm.
CORRUPTED: Recipe = {"occlusion": {"part": 0.2}, "shifts": {"part": 0.25, "distance": 0.1}}


@dataclass(frozen=True)
class Score:
    """One line of the table."""

    take: str
    input: str
    error: PoseError | None
    residual_mm: float
    jitter_ratio: float
    frames_per_second: float

    def row(self) -> str:
        """The figures in columns."""
        if self.error is None:
            accuracy = " " * 35
        else:
            e = self.error
            accuracy = f"{e.position_mm.mean():8.1f}{e.rotation_deg.mean():8.2f}{e.motion_mm.mean():11.2f}{e.motion_deg.mean():8.2f}"
        return f"{self.take:<12}{self.input:<11}{accuracy}{self.residual_mm:10.2f}{self.jitter_ratio:9.2f}{self.frames_per_second:9.0f}"


HEADER = f"{'take':<12}{'input':<11}{'raw mm':>8}{'deg':>8}{'motion mm':>11}{'deg':>8}{'residual':>10}{'jitter':>9}{'frames/s':>9}"


def score(name: str, take: Take, lab: LabTake | None, settings: Settings, recipe: Recipe) -> Score:
    """Solve a take, corrupted by a recipe, and compare; one that gave marker offsets to the prior is solved without its own."""
    from ..engine.pipeline import solve_take  # not above: `--help` shall not wait for torch

    shown = corrupt(take, recipe, settings.seed)
    with progress_bar(name) as progress:
        solution = solve_take(shown, settings, None, progress, priors.bundled(without=(name,)))
    error = None
    if lab is not None:
        positions, global_rotations = forward(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0])
        error = pose_error(positions, global_rotations, *lab.motion.forward())
    # a moved sample is nobody's marker: residual and jitter are those of the samples as the lab has them
    real = match(take, load_marker_set())
    markers = solution.markers_model[:, [solution.actor.labels.index(label) for label in real.labels]]
    whole = real.present.all(axis=0)
    return Score(
        name,
        "corrupted" if recipe else "as is",
        error,
        float(np.nanmean(marker_residuals_mm(real.positions, markers))),
        jitter(markers[:, whole], take.rate_hz) / jitter(real.positions[:, whole], take.rate_hz),
        take.frames / sum(solution.seconds.values()),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("takes", nargs="*", metavar="TAKE", help=f"folders of the data's takes (default: {' '.join(SCORED + FOLLOWED)})")
    parser.add_argument("--corrupt", action="store_true", help="also with 20 %% of the samples removed and another 20 %% moved by 10 cm")
    parser.add_argument("--joints", action="store_true", help="also the motion errors of each joint")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per take; the exit code is 1 where a take could not be solved."""
    settings = Settings(seed=arguments.seed)
    failed = 0
    print(HEADER)
    for name in arguments.takes or (*SCORED, *FOLLOWED):
        folder = data_folder() / "takes" / name
        try:
            lab = read_lab_take(folder) if any(folder.glob("*.asf")) else None
            take = lab.take if lab else read_c3d(find_c3d(folder))
            for recipe in ({}, CORRUPTED) if arguments.corrupt else ({},):
                scored = score(name, take, lab, settings, recipe)
                print(scored.row())
                if arguments.joints and lab and scored.error:
                    print(joint_rows(scored.error, lab))
        except BonesetterError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def joint_rows(error: PoseError, lab: LabTake) -> str:
    """One line per joint: motion error in mm and degrees."""
    rows = zip(lab.motion.skeleton.joints, error.motion_mm.mean(axis=0), error.motion_deg.mean(axis=0), strict=True)
    return "\n".join(f"  {joint:<16}{mm:8.1f} mm{degrees:8.2f} deg" for joint, mm, degrees in rows)
