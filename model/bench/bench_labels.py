# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model bench-labels`: remove the labels of real takes or make them wrong, find them again, and compare."""

from __future__ import annotations

import argparse

#: {folder of the data: its take}.
TAKES = {
    "cmu_01_01": "01_01.c3d",
    "cmu_02_05": "02_05.c3d",
    "cmu_85_02": "85_02.c3d",
    "hdm05_dg": "HDM_dg_06-03_03_120.c3d",
    "hdm05_mm": "HDM_mm_01-02_03_120.c3d",
    "gatech_squat": "squat.c3d",
    "pig_flatfoot": "PiG_Motion-FlatFoot-Full.c3d",
}

#: Takes that are measured only if they are named: the labels of this one are wrong in spans, and the person rolls on the floor.
OTHERS = {"mons_rolling": "03_rolling.c3d"}

HEADER = (
    "| take | known | kind | seed | right % | wrong % | open % | ghosts labelled % | clock, CPU | solve apart "
    "| on their segment, side | mistakes, % |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)

WRONG_HEADER = (
    "| take | kind | seed | named | solve apart, mean and 99 %, mm | unchecked, mm | cost | labels | right labels named |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    takes = f"folders of the data's takes, {' '.join(OTHERS)} among them (default: {' '.join(TAKES)})"
    parser.add_argument("takes", nargs="*", metavar="TAKE", help=takes)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--kind", choices=("plain", "hard", "both"), default="both", help="hard: 5 markers away, 3 ghosts (%(default)s)")
    parser.add_argument(
        "--known",
        choices=("set", "actor", "nothing"),
        default="set",
        help="actor: of the first half, for the second; nothing: the take's own set is not known either (%(default)s)",
    )
    parser.add_argument("--solve", action="store_true", help="also compare the solves of the first seed")
    parser.add_argument("--wrong", action="store_true", help="exchange labels or make them nonsense instead of removing all")
    parser.add_argument("--frames", type=int, metavar="FRAMES", help="with --wrong: of the takes' beginnings (default: all)")


def run(arguments: argparse.Namespace) -> int:
    """Print a table."""
    if arguments.wrong:
        return _run_wrong(arguments)
    from .labels import measured  # not above: it brings torch

    print(HEADER)
    kinds = {"plain": (False,), "hard": (True,), "both": (False, True)}[arguments.kind]
    for name in arguments.takes or TAKES:
        for one in measured(name, kinds, arguments.seeds, known=arguments.known, solve=arguments.solve):
            print(one.row(), flush=True)
    return 0


def _run_wrong(arguments: argparse.Namespace) -> int:
    """Print a table of takes with wrong labels."""
    from .wrong_labels import KINDS, measured  # not above: it brings torch

    print(WRONG_HEADER)
    for name in arguments.takes or TAKES:
        for one in measured(name, KINDS, arguments.seeds, arguments.frames):
            print(one.row(), flush=True)
    return 0
