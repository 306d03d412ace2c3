# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python solves: the environment's, the user's, that of the installed solver, or Blender's own."""

from __future__ import annotations

import os
import platform
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .engine import ENGINE_PYTHON
from .preferences import ADDON, chosen_python, own, starts_engine
from .session import session

if TYPE_CHECKING:
    from ..installer.store import Installed

#: The folder of what is installed, within the extension's own folder for what it keeps.
STORE = "solver"


def store() -> Path:
    """The folder that the solver is installed into: it outlives upgrades of the extension."""
    if ADDON.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(ADDON)) / STORE
    return Path(bpy.utils.user_resource("DATAFILES")) / "bonesetter" / STORE


def stores() -> list[Path]:
    """The folder above, and those of the extension where this is not the installed one: batch.py from a checkout finds them too."""
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    return [store(), *sorted(extensions.glob(f".user/*/bonesetter/{STORE}"))]


def is_kept() -> bool:
    """Whether Remove Solver has something to remove: a solver, or what was downloaded for one."""
    from ..installer.store import BUSY

    folder = store()
    return folder.is_dir() and any(one.name != BUSY for one in folder.iterdir())


@lru_cache(maxsize=1)
def installed_solver() -> Installed | None:
    """The solver that is installed, if any. Remembered, since the panel asks with every draw: `forget_installed` looks again."""
    from ..installer.store import installed

    return next((found for folder in stores() if (found := installed(folder))), None)


def forget_installed() -> None:
    """Something was installed or removed."""
    installed_solver.cache_clear()
    _is_current.cache_clear()
    blender_has_torch.cache_clear()


@lru_cache(maxsize=1)
def blender_has_torch() -> bool:
    """Whether Blender's own Python can solve, as that of a full zip or of a Linux distribution can."""
    from ..model.engine.worker import missing_modules

    return not missing_modules()


def engine_python() -> str:
    """The Python that runs the engine. A path that leads nowhere is returned as it is: the engine says what is wrong with it."""
    from ..installer.errors import InstallError
    from ..installer.interpreters import resolve

    if named := os.environ.get(ENGINE_PYTHON):
        return named
    if chosen := chosen_python():
        try:
            return resolve(chosen)
        except InstallError:
            return chosen
    found = installed_solver()
    return found.python if found else sys.executable


def is_lacking() -> bool:
    """Whether nothing that could solve is here: no Python was named or chosen, nothing is installed, and Blender's own lacks torch."""
    return not (os.environ.get(ENGINE_PYTHON) or chosen_python() or installed_solver() or blender_has_torch())


def is_outdated() -> bool:
    """Whether this version of the extension would install another solver than the one that is used."""
    found = installed_solver()
    return found is not None and engine_python() == found.python and not _is_current(found)


@lru_cache(maxsize=1)
def _is_current(found: Installed) -> bool:
    """Remembered, since the panel asks with every draw and the lock file is read to know."""
    return found.current


def warm_engine() -> None:
    """Start the engine, where there is one and the user wants it to start before it is needed."""
    if starts_engine() and not bpy.app.background and not is_lacking():
        session.engine.warm(engine_python())


def device() -> str:
    """What torch is to be built for."""
    from ..installer.lock import CPU

    preferences = own()
    return preferences.device if preferences else CPU


@lru_cache(maxsize=2)
def download_size(wanted: str) -> int:
    """Bytes to download for a device on Blender's Python; 0 where that cannot be told."""
    from ..installer.errors import InstallError
    from ..installer.lock import MANAGED, read_lock, target

    machine = platform.machine()
    name = target(sys.version_info[:2], machine, wanted) or target(MANAGED, machine, wanted)
    try:
        return read_lock(name).size if name else 0
    except InstallError:
        return 0
