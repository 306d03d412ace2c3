# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model ablate`: the solver without each of its parts in turn, and docs/ablation.md."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..actors import prior as priors
from ..core.settings import Settings
from ..datasets.lab_takes import PROJECT
from ..shell.terminal import progress_bar
from ..storage.atomic import replacing
from .cases import all_cases, synthetic_cases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--out", type=Path, default=PROJECT / "docs" / "ablation.md", metavar="FILE.md")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Measure all variants and write the table."""
    from .ablation import VALIDATION, VARIANTS, document, measure, solved  # not above: `--help` shall not wait for torch

    prior = priors.bundled()
    cases = all_cases(prior, arguments.seed)
    cases += [replace(case, condition=VALIDATION) for case in synthetic_cases(prior, arguments.seed, "validation", ["clean"])]
    solved(cases[0], Settings())  # what is loaded once must not count for the first row
    total, count = len(VARIANTS) * len(cases), iter(range(1, len(VARIANTS) * len(cases) + 1))
    with progress_bar("ablate") as progress:
        rows = [measure(variant, cases, lambda: progress("ablate", next(count) / total)) for variant in VARIANTS]
    with replacing(arguments.out) as stream:
        stream.write(document(rows, sum(case.take.frames for case in cases), arguments.seed))
    print(arguments.out)
    return 0
