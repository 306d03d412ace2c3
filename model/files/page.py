# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a solution's report as a page that is read in a browser."""

from __future__ import annotations

from pathlib import Path

from ..pages.take_page import take_page
from ..result.report import build_report
from ..result.solution import Solution
from ..storage.atomic import replacing
from .npz import arrays_of


def write_page(solution: Solution, path: Path) -> None:
    """Write the page of a solved take: see `pages.take_page`."""
    page = take_page(solution.clean.take.name, arrays_of(solution), build_report(solution, solution.seconds))
    with replacing(path) as stream:
        stream.write(page)
