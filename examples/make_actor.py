# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit an actor to one take and solve another with it: python examples/make_actor.py [RANGE_OF_MOTION TAKE] [ACTOR.json]."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# installed by pip, the package is called bonesetter
from model import Settings, read_actor, read_take, solve_take, write_actor
from model.synthetic.synthesis import synthesise


def main(arguments: list[str]) -> int:
    """Fit, save, read and use an actor."""
    if len(arguments) >= 2:
        first, second = (read_take(Path(name)) for name in arguments[:2])
    else:
        first, second = synthesise(seconds=3.0, seed=1).take, synthesise(seconds=2.0, seed=2).take
    path = Path(arguments[2] if len(arguments) > 2 else "out/actor.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_actor(solve_take(first, Settings()).actor, path)
    solution = solve_take(second, Settings(), read_actor(path))
    thigh = solution.actor.skeleton.joints.index("LeftUpLeg")
    print(f"{path}: {len(solution.actor.labels)} markers, left thigh {abs(solution.actor.skeleton.bones[thigh]).max():.3f} m")
    print(f"{second.name}: solved {solution.clean.take.frames} frames with it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
