# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a file of weights, as one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from ..core.errors import BonesetterError

Kind = TypeVar("Kind")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within the block a file of weights is read.

    Raises:
        BonesetterError: It is missing, damaged, or not what this version reads.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or " ".join(str(error).split())
        raise BonesetterError(f"The weights {path} cannot be read ({why}): install Bonesetter anew.") from error
    except (SafetensorError, LookupError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        why = str(error).strip().splitlines()[0].rstrip(":. ") if str(error).strip() else type(error).__name__
        raise BonesetterError(f"The weights {path} are damaged or of another version ({why}): install Bonesetter anew.") from error


def check_shapes(found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Compare shapes of tensors.

    Raises:
        ValueError: One is not there, or has another shape.
    """
    for name, shape in wanted.items():
        if name not in found:
            raise ValueError(f"{name} is not there")
        if found[name] != shape:
            raise ValueError(f"{name} has the shape {found[name]}, not {shape}")


def header_list(header: Mapping[str, str], name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    """A list that the header holds as JSON.

    Raises:
        ValueError: It is none, or a member is of another kind.
        KeyError: It is not there.
    """
    values = json.loads(header[name])
    if not isinstance(values, list) or not all(type(value) is kind for value in values):
        raise ValueError(f"{name} is no list of {kind.__name__}")
    return tuple(values)
