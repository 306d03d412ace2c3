# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell's commands. Each is a module with `add_arguments(parser)` and `run(arguments) -> exit code`."""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Sequence

from ..core.errors import BonesetterError
from ..core.loading import uncollected
from ..core.settings import SETTINGS

#: {command: (module, what it does)}. Only the command that is called is imported: some bring torch or matplotlib.
COMMANDS = {
    "solve": ("shell.solve", "solve takes (C3D, TRC, CSV, TSV) to skeletons (BVH, npz) and cleaned markers (C3D, TRC)"),
    "report": ("shell.report", "write what came of takes, solved (.npz) or to be solved, as pages, and an index that leads to them"),
    "farm": ("shell.farm.command", "write a shoot of many takes as a job for a farm: Open Job Description, Flamenco or OpenCue"),
    "label": ("shell.label", "find the labels of takes that have none, and write them as C3D with a table of how sure they are"),
    "evaluate": ("bench.evaluate", "compare solves of the lab's takes with the lab's own skeletons"),
    "learn": ("training.learn", "learn the bundled prior from skeleton motion"),
    "train": ("study.train", "train a network that turns markers into joints, from a TOML file"),
    "train-prior": ("training.train_proposer", "train the network that proposes poses, sizes and reliabilities to the solver"),
    "bench": ("bench.bench", "compare our solver, the study's networks and other programs, and write docs/benchmark.md and docs/study.md"),
    "bench-labels": ("bench.bench_labels", "remove the labels of real takes, find them, and compare"),
    "bench-certainty": ("bench.bench_certainty", "compare how sure the network and the labelling are with how right they are"),
    "bench-people": ("bench.bench_people", "put two real takes into one, tell the people apart, and compare"),
    "ends": ("bench.ends", "measure the ends of takes that are cut in mid-motion"),
    "ablate": ("bench.ablate", "solve without each part of the solver in turn, and write docs/ablation.md"),
    "time-start": ("bench.start", "time the engine's start beside importing torch, numpy and ezc3d alone"),
    "synthesise": ("synthetic.synthesis", "write a take of a synthetic person, with noise and gaps"),
    "settings": ("shell.settings", "print the manual's page of all settings"),
    "picture": ("shell.picture", "draw a solved take: the skeleton inside the markers"),
}

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


class UsageError(Exception):
    """The arguments do not go together; its text says why."""


def with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments with values such as -z bound to their options, `--up=-z`: argparse would take them for options."""
    signed = {
        f"--{name}": [choice for choice, _, _ in setting.choices if choice.startswith("-")]
        for name, setting in SETTINGS.items()
        if setting.choices
    }
    bound: list[str] = []
    for argument in arguments:
        if bound and argument in signed.get(bound[-1], ()):
            bound[-1] += f"={argument}"
        else:
            bound.append(argument)
    return bound


def main(arguments: Sequence[str]) -> int:
    """Run a command.

    Returns:
        The exit code: 0 when all went well, 1 when something failed, 2 for wrong usage.
    """
    prog = "bonesetter" if __name__.startswith("bonesetter.") else "python -m model"
    parser = argparse.ArgumentParser(prog=prog, description="Bonesetter: optical mocap markers to a skeleton.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    called = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".", allow_abbrev=False)
        if name == called:
            with uncollected():
                implementation = importlib.import_module(f"..{module}", __package__)
            implementation.add_arguments(command)
            command.set_defaults(run=implementation.run, command_parser=command)
    parsed = parser.parse_args(with_values(arguments))
    parsed.typed = list(arguments)
    try:
        with warnings.catch_warnings():
            # numpy's are no sentence for a user; whoever wants them says -W
            if not sys.warnoptions:
                warnings.simplefilter("ignore", RuntimeWarning)
            return parsed.run(parsed)
    except UsageError as error:
        parsed.command_parser.print_usage(sys.stderr)
        print(error, file=sys.stderr)
        return WRONG_USAGE
    except BonesetterError as error:
        print(error, file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"{error.filename}: {error.strerror}: choose another file or folder.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
