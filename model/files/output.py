# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a solved take, the same from the shell and from the engine process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..actors.actor_file import write_actor
from ..core.findings import Finding
from ..core.memory import within_memory
from ..result.report import build_report, write_report
from ..result.solution import Solution
from ..rigs.choices import SkeletonChoice
from ..storage.atomic import staged
from .formats import Format

#: {how a file's name ends: format}, of those that need no Blender. Another one is a file with a function of a solution and a path, and a
#: line here.
WRITERS: dict[str, Format] = {
    "bvh": Format("BVH", "bvh.write_bvh"),
    "npz": Format("arrays", "npz.write_npz"),
    "c3d": Format("C3D of the cleaned markers", "c3d_copy.write_cleaned_c3d"),
    "trc": Format("TRC of the cleaned markers", "trc.write_trc"),
    "html": Format("the report as a page", "page.write_page"),
}
#: What the shell writes unless told otherwise.
USUAL_FORMATS = ("bvh", "npz")


def of_person(path: Path, name: str) -> Path:
    """The path for one of several people of a take: `walk.Ann.bvh` for `walk.bvh`, `walk.Ann.labels.csv` for `walk.labels.csv`."""
    kind = "".join(path.suffixes[-2:] if path.suffixes[-2:-1] in ([".labels"], [".actor"]) else path.suffixes[-1:])
    return path.with_name(f"{path.name.removesuffix(kind)}.{name}{kind}")


def write_outputs(
    solution: Solution,
    exports: Mapping[str, Path],
    report: Path | None = None,
    actor: Path | None = None,
    read_seconds: float | None = None,
    skeleton: SkeletonChoice | None = None,
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a solution in the wanted formats and its report: all of these files, or none.

    Args:
        solution: Of any take.
        exports: {format of `WRITERS`: path}.
        report: Where the report goes; None writes none.
        actor: Where the actor goes; None writes none.
        read_seconds: How long reading the take took, for the report.
        skeleton: On which bones a BVH is; None for the actor's own. Arrays have the actor's, which figures are measured on.
        notes: Further entries of the report, as JSON.

    Returns:
        The report.

    Raises:
        BonesetterError: A file cannot be written.
    """
    begin = time.perf_counter()
    solution = _said_to_hold(solution, exports)
    with within_memory(solution.clean.take.name), staged() as beside:
        for name, path in exports.items():
            WRITERS[name].load()(solution, beside(path), *((skeleton,) if name == "bvh" else ()))
        if actor is not None:
            write_actor(solution.actor, beside(actor))
        seconds = {} if read_seconds is None else {"read": read_seconds}
        document = build_report(solution, {**seconds, **solution.seconds, "write": time.perf_counter() - begin}) | dict(notes or {})
        if report is not None:
            write_report(document, beside(report))
    return document


def _said_to_hold(solution: Solution, exports: Mapping[str, Path]) -> Solution:
    """With a finding where a format has keys that are none."""
    if "bvh" not in exports or solution.keyed is None or solution.keyed.all():
        return solution
    said = "Where no marker tells of the pose the BVH holds the last one that is known, since it has a key in every frame."
    return replace(solution, findings=(*solution.findings, Finding("held", said)))
