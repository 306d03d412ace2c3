# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model bench-certainty`: whether what the network and the labelling say of their own sureness is so."""

from __future__ import annotations

import argparse
from pathlib import Path

from .bench_labels import TAKES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--split", choices=("test", "validation"), default="test", help="whose motion; validation has no real takes (%(default)s)"
    )
    parser.add_argument("--draws", type=int, default=3, metavar="N", help="of the synthetic takes (%(default)s)")
    parser.add_argument("--labels", nargs="*", default=list(TAKES), metavar="TAKE", help="takes whose labels are removed; none for nothing")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="SEED", help="of what is removed (%(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the curves, too")


def run(arguments: argparse.Namespace) -> int:
    """Print tables."""
    from . import certainty  # not above: it brings torch
    from .label_certainty import labelled_tracks

    stated, reliabilities = certainty.of_network(arguments.split, arguments.draws)
    print(certainty.table(stated), certainty.binned(stated), sep="\n\n", flush=True)
    print("\n" + certainty.probability_table(reliabilities), flush=True)
    tracks = labelled_tracks(arguments.labels, arguments.seeds)
    if tracks:
        print("\n" + certainty.probability_table(tracks), flush=True)
    if arguments.picture:
        from .plots import certainty_curves, save_picture

        save_picture(certainty_curves(stated, {**reliabilities, **tracks}), arguments.picture)
    return 0
