# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model bench-people`: put two real takes into one, tell the people apart, and compare with each alone."""

from __future__ import annotations

import argparse

from .bench_labels import TAKES

HEADER = "| takes | apart | names | people | right % | wrong % | motion apart mm | CPU s |\n|---|---|---|---|---|---|---|---|"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("takes", nargs="*", default=["cmu_02_05", "cmu_85_02"], metavar="TAKE", help=f"two of {' '.join(TAKES)}")
    parser.add_argument("--apart", type=float, nargs="+", default=[0.6, 1.2], metavar="M", help="from middle to middle (%(default)s)")
    parser.add_argument(
        "--names", nargs="+", choices=("prefixes", "twice", "plain", "hard"), default=["prefixes", "twice", "plain", "hard"]
    )
    parser.add_argument("--prop", action="store_true", help="a stick with four markers is swung between them")
    parser.add_argument("--seed", type=int, default=3, help="of what is removed (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print a table."""
    from .people import measured  # not above: it brings torch

    print("\n".join(line + end for line, end in zip(HEADER.splitlines(), (" prop |", "---|"), strict=True)) if arguments.prop else HEADER)
    for apart in arguments.apart:
        for kind in arguments.names:
            print(measured(arguments.takes[0], arguments.takes[1], apart, kind, arguments.seed, prop=arguments.prop), flush=True)
    return 0
