# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of takes that are read. Another one is a file with a function from path to `Take`, and a line here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.axes import pointing_up
from ..core.errors import BonesetterError
from ..core.memory import within_memory
from .formats import Format

if TYPE_CHECKING:
    from ..core.take import Take

#: {how a file's name ends, in small letters: format}.
READERS: dict[str, Format] = {
    ".c3d": Format("C3D", "c3d.read_c3d"),
    ".trc": Format("TRC", "trc.read_trc"),
    ".csv": Format("CSV of Motive", "motive_csv.read_csv"),
    ".tsv": Format("TSV of QTM", "qualisys_tsv.read_tsv"),
}


def read_take(path: Path, up: str = "auto") -> Take:
    """Read the markers of a take, in any format of `READERS`, told by how the file's name ends.

    Args:
        path: The file.
        up: The axis that points up, as `Settings.up` has it.

    Returns:
        Positions and residuals in metres on the file's own axes; the take knows the file as its source.

    Raises:
        BonesetterError: No reader knows such files, or the file cannot be read, is damaged, or holds no markers.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        *some, last = READERS
        raise BonesetterError(f"{path.name} is in no format that is read: choose a {', '.join(some)} or {last} file.")
    with within_memory(path.name):
        return pointing_up(replace(reader.load()(path).kept(), source=path), up)
