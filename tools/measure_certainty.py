#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a solve is as sure of its actor as it says, for docs/actors.md: `.venv/engine/bin/python tools/measure_certainty.py`

The benchmark's synthetic takes, of subjects that nothing was trained on, are solved without an actor. Each coordinate of a bone and of a
marker's place is compared with the true one: its error by the standard deviation that the solve states is of deviation 1 where that is
right, within 1 in 68 % and within 2 in 95 % of all cases. Joints that no marker below tells of have no deviation stated.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.actors.prior import bundled
from model.bench.cases import SYNTHETIC, synthetic_cases
from model.core.settings import Settings
from model.engine.pipeline import solve_take


def main() -> None:
    """Measure, and print a table."""
    errors: dict[tuple[str, str], list[np.ndarray]] = {}
    for case in synthetic_cases(bundled(), 0):
        fitted = solve_take(case.take, Settings()).actor
        assert fitted.bone_sigma is not None
        assert fitted.offset_sigma is not None
        rows = [case.actor.labels.index(label) for label in fitted.labels]
        offsets = fitted.marker_offsets - case.actor.marker_offsets[rows], fitted.offset_sigma
        bones = fitted.skeleton.bones - case.actor.skeleton.bones, fitted.bone_sigma
        for what, (error, sigma) in {"bones": bones, "markers": offsets}.items():
            known = np.isfinite(sigma) & (sigma > 0)
            errors.setdefault((case.condition, what), []).append(np.stack([error[known], sigma[known]]))
    print("| condition | of | error, mm | stated, mm | error by stated | within 1 | within 2 |\n|---|---|---|---|---|---|---|")
    for condition in SYNTHETIC:
        for what in ("bones", "markers"):
            error, sigma = np.concatenate(errors[condition, what], axis=1)
            apart = np.abs(error / sigma)
            means = " | ".join(f"{1000 * np.sqrt((values**2).mean()):.1f}" for values in (error, sigma))
            shares = " | ".join(f"{(apart < bound).mean():.0%}" for bound in (1, 2))
            print(f"| {condition} | {what} | {means} | {np.sqrt((apart**2).mean()):.2f} | {shares} |")


if __name__ == "__main__":
    main()
