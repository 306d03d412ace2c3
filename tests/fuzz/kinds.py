# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of files beside takes that are opened, a sound one of each, and who reads it: for `make fuzz` and, in part, `make test`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.model.damage import damaged

#: Bytes at a file's begin, where its structure is.
BEGIN = 4096


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        suffix: How its name ends.
        write: Writes a sound one.
        read: Reads one; raises a `BonesetterError` where it cannot.
    """

    suffix: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]


def _write_actor(path: Path) -> None:
    from model.actors.actor_file import write_actor
    from model.actors.prior import bundled

    write_actor(bundled().mean_actor(), path)


def _read_actor(path: Path) -> Any:
    from model.actors.actor_file import read_actor

    return read_actor(path)


def _write_layout(path: Path) -> None:
    from model.marker_sets.marker_set import FOLDER

    path.write_bytes((FOLDER / "cmu41.json").read_bytes())


def _read_layout(path: Path) -> Any:
    from model.marker_sets.marker_set import load_marker_set

    return load_marker_set(path)


def _write_bone_map(path: Path) -> None:
    from model.rigs.bone_map_file import write_bone_map
    from model.rigs.rig import BoneMap, Switch

    bones = {"hips": ("Hips",), "thigh.L": ("LeftUpLeg",), "thigh.R": ("RightUpLeg",)}
    write_bone_map(BoneMap("Ours", bones, {"thigh.L": ("Twist",)}, "Root", (Switch("IK", "on", 0.0),)), path)


def _read_bone_map(path: Path) -> Any:
    from model.rigs.bone_map_file import read_bone_map

    return read_bone_map(path)


def _write_prior(path: Path) -> None:
    from model.actors import prior

    path.write_bytes(prior.BUNDLED.read_bytes())


def _read_prior(path: Path) -> Any:
    from model.actors import prior

    return prior.read(path)


def _write_proposer(path: Path) -> None:
    from model.proposer import propose

    path.write_bytes(propose.BUNDLED.read_bytes())


def _read_proposer(path: Path) -> Any:
    from model.actors.prior import bundled
    from model.proposer.network import read_proposer

    return read_proposer(path, bundled())


def _take() -> Any:
    from model.synthetic.synthesis import synthesise

    return synthesise(0.1).take


def _write_take(path: Path) -> None:
    from model.files.exchange import save_take

    save_take(_take(), path)


def _read_take(path: Path) -> Any:
    from model.files.exchange import load_take

    return load_take(path)


def _write_solved(path: Path) -> None:
    from model.files.npz import ARRAYS

    lengths = {"F": 5, "J": 4, "L": 3}
    content = {"U": "a", "f": 0.5, "b": True, "i": 0}
    arrays: dict[str, Any] = {
        name: np.full(
            [lengths[length] if isinstance(length, str) else length for length in shape],
            content[next(kind for kind in "Ufbi" if kind in kinds)],
        )
        for name, (kinds, shape) in ARRAYS.items()
    }
    arrays["parents"] = np.array([-1, 0, 1, 2])
    np.savez(path, **arrays)


def _read_solved(path: Path) -> Any:
    from model.files.npz import read_npz

    return read_npz(path)


def _read_report(path: Path) -> Any:
    from model.shell.resume import is_fresh
    from model.shell.runs import TakeJob

    job = TakeJob(path.with_suffix(".c3d"), {}, path, None)
    return is_fresh(job, "0")


def _write_report(path: Path) -> None:
    path.write_text('{"frames": 3, "made_from": {"digest": "0", "people": ["Ann", "Bob"]}}')


def _write_preset(path: Path) -> None:
    head = '# A comment\n"""What it is for."""\n\nimport bpy\n\nsettings = bpy.context.scene.bonesetter\n'
    path.write_text(head + "settings.max_speed = 3.0\nsettings.rigid_tolerance = 40.0\n")


def _read_preset(path: Path) -> Any:
    from model.storage.presets import read_preset

    return read_preset(path, {"max_speed": 5.0, "rigid_tolerance": 20.0})


def _write_import_preset(path: Path) -> None:
    head = "import bpy\nop = bpy.context.active_operator\n\n"
    options = "op.keys = 'SAMPLES'\nop.gaps = 'SHRINK'\nop.rate = 'AUTO'\nop.start = 'ONE'\nop.set_range = True\nop.up = 'auto'\n"
    path.write_text(head + options)


def _read_import_preset(path: Path) -> Any:
    from model.storage.presets import read_preset

    choices = {"keys": ("KEYS", "SAMPLES"), "gaps": ("SHRINK", "HOLD"), "rate": ("AUTO", "KEEP"), "start": ("ONE", "FILE")}
    return read_preset(path, {**choices, "up": ("auto", "y"), "set_range": True}, "op")


KINDS = {
    "actor": Kind(".json", _write_actor, _read_actor),
    "marker set": Kind(".json", _write_layout, _read_layout),
    "bone map": Kind(".json", _write_bone_map, _read_bone_map),
    "preset": Kind(".py", _write_preset, _read_preset),
    "import's preset": Kind(".py", _write_import_preset, _read_import_preset),
    "report": Kind(".json", _write_report, _read_report),
    "prior's weights": Kind(".safetensors", _write_prior, _read_prior),
    "proposer's weights": Kind(".safetensors", _write_proposer, _read_proposer),
    "exchanged take": Kind(".npz", _write_take, _read_take),
    "solved take": Kind(".npz", _write_solved, _read_solved),
}


@cache
def sound(name: str) -> bytes:
    """The content of a sound file."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sound{kind.suffix}"
        kind.write(path)
        return path.read_bytes()


def mutants(name: str, seed: int, count: int) -> Iterator[bytes]:
    """So many damaged files of a kind: half of them damaged where their structure is."""
    random, content = np.random.default_rng(seed), sound(name)
    # what decides how C3D files are damaged is the size of their parameters; others get one of their own
    padded = content if len(content) > 514 else content + b" " * (515 - len(content))
    for number in range(count):
        if number % 2:
            yield damaged(padded, random)
        else:
            yield damaged(padded[:BEGIN].ljust(515, b" "), random) + padded[BEGIN:]
