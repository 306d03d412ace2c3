# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model train`: trains runs, each described by one TOML file. Under torchrun it trains on several processes."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ..actors import prior as priors
from ..core.errors import BonesetterError
from ..shell.terminal import progress_bar
from ..training.curve import RUNS, Epoch, draw_curve, read_log, write_log

if TYPE_CHECKING:
    from .run_file import Run

#: The files of the study's runs.
STUDY = Path(__file__).parent / "runs"
#: A run still improved if its last tenth took this part off the validation's loss.
STILL_FALLS = 0.01


def still_improved(history: list[Epoch]) -> bool:
    """Whether validation still fell when the run ended."""
    tenth = max(1, len(history) // 10)
    if len(history) <= tenth:
        return True
    earlier = min(epoch.validation_loss for epoch in history[:-tenth])
    return min(epoch.validation_loss for epoch in history[-tenth:]) < earlier - STILL_FALLS * abs(earlier)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("runs", nargs="+", metavar="FILE", help="a run's TOML file, or the name of one of the study's (study/runs/*.toml)")
    parser.add_argument("--out", type=Path, default=RUNS, metavar="FOLDER", help="where runs are kept (default: runs/)")
    parser.add_argument("--restart", action="store_true", help="begin again instead of going on from the last checkpoint")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="processor cores to use (default: all)")


def find_run(name: str) -> Path:
    """A run's file by its path, or one of the study's by its name.

    Raises:
        BonesetterError: There is neither.
    """
    for path in (Path(name), STUDY / f"{name}.toml"):
        if path.is_file():
            return path
    raise BonesetterError(f"There is no run {name}: give a TOML file, or one of {', '.join(sorted(p.stem for p in STUDY.glob('*.toml')))}.")


def run(arguments: argparse.Namespace) -> int:
    """Train one after the other; a run that is finished is left alone."""
    paths = [find_run(name) for name in arguments.runs]
    import torch  # not above: neither `--help` nor a wrong name shall wait for it

    from .run_file import read_run
    from .trainer import processes

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    files = [read_run(path) for path in paths]
    with processes() as rank:
        for settings in files:
            train_run(settings, arguments.out / settings.name, arguments.device, restart=arguments.restart, speaks=rank == 0)
    return 0


def train_run(run: Run, folder: Path, device: str, *, restart: bool, speaks: bool) -> None:
    """Train a run to its end and write its log and curve.

    Args:
        run: Its settings.
        folder: To keep it in.
        device: Name of the torch device.
        restart: Whether what the folder holds is thrown away.
        speaks: Whether this process shows progress and writes the log; under torchrun only one does.
    """
    from torch import distributed

    from ..engine.pipeline import find_device
    from .trainer import Trainer

    trainer = Trainer(run, folder, priors.bundled(), find_device(device))
    # not before the run has been looked at: a slip of the pen must not cost the old weights
    if restart and speaks:
        shutil.rmtree(folder, ignore_errors=True)
    if distributed.is_initialized():
        distributed.barrier()  # nobody may read what is being thrown away

    log = folder / "log.csv"

    def told(epoch: Epoch) -> None:
        if speaks:
            write_log(trainer.history, log)
            draw_curve(trainer.history, run.name, folder / "curve.png")
            print(epoch.line(run.name, run.training.epochs), flush=True)

    with progress_bar(run.name) as progress:
        early = trainer.train(told, progress if speaks else None)
    if speaks:
        # a run that was killed between its last checkpoint and its log is told of no more epoch
        if not (log.exists() and len(read_log(log)) == len(trainer.history)):
            write_log(trainer.history, log)
            draw_curve(trainer.history, run.name, folder / "curve.png")
        ending = "ended early" if early else "ended, and still improved" if still_improved(trainer.history) else "ended"
        print(f"{run.name} {ending}; best epoch {trainer.best().epoch}: {os.path.relpath(folder / 'weights.safetensors')}")
