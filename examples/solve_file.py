# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve a file of markers and write its skeleton: python examples/solve_file.py [TAKE] [FOLDER]. Without a take, a synthetic one."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# installed by pip, the package is called bonesetter
from model import Settings, read_take, solve_take, write_outputs
from model.synthetic.synthesis import synthesise


def main(arguments: list[str]) -> int:
    """Solve, print what was found out, and write BVH, arrays and a report."""
    take = read_take(Path(arguments[0])) if arguments else synthesise(seconds=3.0).take
    folder = Path(arguments[1]) if len(arguments) > 1 else Path("out")
    folder.mkdir(parents=True, exist_ok=True)
    solution = solve_take(take, Settings(max_gap=0.5), progress=lambda stage, part: print(f"\r{stage} {part:.0%}   ", end=""))
    exports = {name: folder / f"{take.name}.{name}" for name in ("bvh", "npz")}
    report = write_outputs(solution, exports, folder / f"{take.name}.json")
    print(f"\n{take.name}: markers {report['marker_residual_mm']['mean']:.1f} mm off on average")
    for finding in solution.findings:
        print(f"- {finding.text}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
