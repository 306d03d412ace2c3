# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a solved take, the same from the shell and from the engine process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..actors.actor_file import write_actor
from ..result.report import build_report, write_report
from ..result.solution import Solution
from ..storage.atomic import staged
from .bvh import write_bvh
from .c3d_clean import write_clean_c3d
from .npz import write_npz
from .trc import write_trc

#: The formats that need no Blender: a new one is a module beside this and a line here.
WRITERS: dict[str, Callable[[Solution, Path], None]] = {
    "bvh": write_bvh,
    "npz": write_npz,
    "c3d": write_clean_c3d,
    "trc": write_trc,
}
#: What is written unless told otherwise.
USUAL = ("bvh", "npz")


def write_outputs(
    solution: Solution,
    exports: Mapping[str, Path],
    report: Path | None = None,
    actor: Path | None = None,
    read_seconds: float | None = None,
) -> dict[str, Any]:
    """Write a solution in the wanted formats and its report: all of these files, or none.

    Args:
        solution: Of any take.
        exports: {format of `WRITERS`: path}.
        report: Where the report goes; None writes none.
        actor: Where the actor goes; None writes none.
        read_seconds: How long reading the take took, for the report.

    Returns:
        The report.

    Raises:
        BonesetterError: A file cannot be written.
    """
    begin = time.perf_counter()
    with staged() as beside:
        for name, path in exports.items():
            WRITERS[name](solution, beside(path))
        if actor is not None:
            write_actor(solution.actor, beside(actor))
        seconds = {} if read_seconds is None else {"read": read_seconds}
        document = build_report(solution, {**seconds, **solution.seconds, "write": time.perf_counter() - begin})
        if report is not None:
            write_report(document, beside(report))
    return document
