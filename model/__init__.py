# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine: from a file of markers to a solved skeleton. Never imports bpy.

In the repository this is the package `model`, which runs as `python -m model`; `pip install .` installs it as `bonesetter`, with a command
of that name. What is meant for other programs stands here:

    import bonesetter

    take = bonesetter.read_take(Path("take.c3d"))
    solution = bonesetter.solve_take(take, bonesetter.Settings())

Names are imported when they are asked for, so that those who read a take do not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actors.actor import Actor as Actor
    from .actors.actor_file import read_actor as read_actor
    from .actors.actor_file import write_actor as write_actor
    from .core.errors import BonesetterError as BonesetterError
    from .core.findings import Finding as Finding
    from .core.motion import Motion as Motion
    from .core.scores import score as score
    from .core.settings import Settings as Settings
    from .core.take import Take as Take
    from .engine.pipeline import solve_take as solve_take
    from .files.output import write_outputs as write_outputs
    from .files.readers import read_take as read_take
    from .labelling.label import label_take as label_take
    from .labelling.labelled import Labelled as Labelled
    from .marker_sets.marker_set import MarkerSet as MarkerSet
    from .marker_sets.marker_set import load_marker_set as load_marker_set
    from .result.solution import Solution as Solution

#: {name: the module that has it}.
_PUBLIC = {
    "Actor": "actors.actor",
    "BonesetterError": "core.errors",
    "Finding": "core.findings",
    "Labelled": "labelling.labelled",
    "MarkerSet": "marker_sets.marker_set",
    "Motion": "core.motion",
    "Settings": "core.settings",
    "Solution": "result.solution",
    "Take": "core.take",
    "label_take": "labelling.label",
    "load_marker_set": "marker_sets.marker_set",
    "read_actor": "actors.actor_file",
    "read_take": "files.readers",
    "score": "core.scores",
    "solve_take": "engine.pipeline",
    "write_actor": "actors.actor_file",
    "write_outputs": "files.output",
}
__all__ = sorted(_PUBLIC)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
