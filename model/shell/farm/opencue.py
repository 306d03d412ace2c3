# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCue: an outline, the Python script that its `pycuerun` reads, of a layer for each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..cli import UsageError
from .shoot import TAKES, Shoot, commands, places_of, quoted

#: A machine runs as many frames as it has the cores for that they ask for.
WHOLE_MACHINE = False
#: What the number of a frame, here of a part, is called in a command.
FRAME = "%{FRAME}"
#: How words begin that an outline replaces.
REFERENCE = "%{"

HEAD = """# SPDX-License-Identifier: GPL-3.0-or-later
# An outline of OpenCue, made by Bonesetter: pycuerun, with the name of this file, launches it.
from outline.modules.shell import Shell
"""


def documents(shoot: Shoot, template: Path) -> dict[Path, str]:
    """The outline; see `Farm`.

    Raises:
        UsageError: A name has what the outline would replace.
    """
    called = commands(shoot, places_of(shoot), FRAME)
    own = commands(shoot, places_of(shoot), "")
    for word in (*shoot.engine, *(word for step in own.values() for word in step)):
        if REFERENCE in word:
            raise UsageError(f"{word} has {REFERENCE} in it, which an outline replaces: rename it.")
    layers: list[str] = []
    before: dict[str, Any] = {}
    for name, arguments in called.items():
        frames = f"1-{shoot.parts}" if name == TAKES else "1-1"
        words = [*shoot.engine, *arguments]
        described = {"command": words, "range": frames, "chunk": 1, "cores": max(1, shoot.cores), **before}
        lines = [f"    {key}={value!a},\n" for key, value in described.items()]
        layers.append(f"Shell(\n    {name!r},\n{''.join(lines)})\n")
        before = {"require": [f"{name}:all"]}
    return {template: "\n".join([HEAD, *layers])}


def told(_shoot: Shoot, template: Path) -> str:
    """See `Farm`."""
    return f"pycuerun {quoted(template)}"
