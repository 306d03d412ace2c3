# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare solves of a synthetic take, whose motion is known, with and without damage: python examples/evaluate_take.py [SECONDS]."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# installed by pip, the package is called bonesetter
from model import Motion, Settings, score, solve_take
from model.core.rotations import unitquat_to_rotmat
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import synthesise


def main(arguments: list[str]) -> int:
    """Print the errors of joints and rotations."""
    made = synthesise(seconds=float(arguments[0]) if arguments else 3.0, seed=7)
    damaged = corrupt(made.take, {"occlusion": {"part": 0.2}, "shifts": {"part": 0.1, "distance": 0.1}}, seed=0)
    for name, take in (("as it is", made.take), ("damaged", damaged)):
        solution = solve_take(take, Settings())
        motion = Motion(solution.actor.skeleton, unitquat_to_rotmat(solution.rotations), solution.positions[:, 0], take.rate_hz)
        figures = score(motion, made.motion)
        print(f"{name}: {figures.motion_jpe_mm:.1f} mm, {figures.motion_joe_global_deg:.1f} deg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
