# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .take import BonesetterError


@contextmanager
def replacing(path: Path, binary: bool = False) -> Iterator[IO[Any]]:
    """A stream whose content takes the place of `path` when the block ends; after an error nothing has changed.

    Raises:
        BonesetterError: The folder cannot be written to, or the disk is full.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "wb" if binary else "w", encoding=None if binary else "utf-8") as stream:
            yield stream
        # mkstemp lets nobody else read its file; a result is an ordinary file.
        part.chmod(0o666 & ~_umask())
        os.replace(part, path)
    except OSError as error:
        raise BonesetterError(f"{path} cannot be written ({error.strerror}): choose another folder or free some space.") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
