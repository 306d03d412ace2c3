# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model train-prior`: trains the network that proposes, from one TOML file."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from ..actors import prior as priors
from ..core.errors import BonesetterError
from ..shell.terminal import progress_bar
from .curve import RUNS, Epoch, draw_curve, write_log

#: The run of the bundled weights.
BUNDLED_RUN = Path(__file__).parent / "proposer.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "run_file", nargs="?", type=Path, default=BUNDLED_RUN, metavar="FILE", help="the run's TOML file (default: the bundled weights')"
    )
    parser.add_argument("--out", type=Path, default=RUNS, metavar="FOLDER", help="where runs are kept (default: runs/)")
    parser.add_argument("--restart", action="store_true", help="begin again instead of going on from the last checkpoint")
    parser.add_argument("--threads", type=int, help="processor cores to use (default: all)")


def run(arguments: argparse.Namespace) -> int:
    """Train a run to its end and write its log and curve."""
    if not arguments.run_file.is_file():
        raise BonesetterError(f"There is no run {arguments.run_file}: give a run's TOML file.")
    import torch  # not above: neither `--help` nor a wrong name shall wait for it

    from .proposer_trainer import ProposerTrainer, read_run

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = read_run(arguments.run_file)
    folder = arguments.out / settings.name
    if arguments.restart:
        shutil.rmtree(folder, ignore_errors=True)
    trainer = ProposerTrainer(settings, folder, priors.bundled())

    def told(epoch: Epoch) -> None:
        write_log(trainer.history, folder / "log.csv")
        print(epoch.line(settings.name, settings.pools), flush=True)

    with progress_bar(settings.name) as progress:
        trainer.train(told, progress)
    draw_curve(trainer.history, settings.name, folder / "curve.png")
    print(f"{settings.name} ended: {os.path.relpath(folder / 'weights.safetensors')}")
    return 0
