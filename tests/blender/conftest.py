# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the repository as the true extension `bl_ext.dev.bonesetter` into the bpy wheel that runs pytest.

With `BONESETTER_ZIP`, a built zip is installed in its place, by Blender's own `install-file`, and tested: `bl_ext.user_default.bonesetter`.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: The zip that is tested in place of the checkout.
ZIP = os.environ.get("BONESETTER_ZIP")
PACKAGE = "bl_ext.user_default.bonesetter" if ZIP else "bl_ext.dev.bonesetter"
DATA = Path(os.environ.get("BONESETTER_DATA") or ROOT.parent / "shared" / "data")

_resources = tempfile.mkdtemp(prefix="bonesetter-tests-")
# Before the first `import bpy`: Blender must neither read nor change the user's own preferences.
os.environ["BLENDER_USER_RESOURCES"] = _resources


def pytest_sessionstart() -> None:
    import bpy  # puts addon_utils on the path

    # isort: split
    import addon_utils

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    if ZIP:
        install(ZIP)
    else:
        repository = Path(_resources) / "repository"
        repository.mkdir()
        (repository / "bonesetter").symlink_to(ROOT, target_is_directory=True)
        bpy.context.preferences.extensions.repos.new(name="dev", module="dev", custom_directory=str(repository))
        addon_utils.enable(PACKAGE, default_set=True)
    if not addon_utils.check(PACKAGE)[1]:
        pytest.exit(f"{PACKAGE} could not be enabled", returncode=3)


def install(archive: str) -> None:
    """As `blender --command extension install-file --repo user_default --enable ZIP`."""
    import addon_utils

    addon_utils.enable("bl_pkg")
    cli = importlib.import_module("bl_pkg.bl_extension_cli")
    if cli.cli_extension_handler(["install-file", "--repo", "user_default", "--enable", str(Path(archive).resolve())]):
        pytest.exit(f"{archive} could not be installed", returncode=3)


def pytest_sessionfinish() -> None:
    import addon_utils

    # Blender 4.5's wheel hangs at exit while a Python class is registered.
    addon_utils.disable(PACKAGE)
    shutil.rmtree(_resources, ignore_errors=True)


@pytest.fixture
def ext() -> Callable[[str], ModuleType]:
    """Import a module of the extension by its name in it."""
    return lambda name: importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(scope="session")
def package() -> str:
    """The extension's name among Python's modules."""
    return PACKAGE


@pytest.fixture(scope="session")
def extension_folder() -> Path:
    """Where the extension that is tested lies: the checkout, or what was installed from the zip."""
    return Path(str(importlib.import_module(PACKAGE).__file__)).parent


@pytest.fixture(autouse=True)
def scene(ext: Callable[[str], ModuleType]) -> Any:
    """An empty file."""
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.preferences.edit.use_global_undo = True
    return bpy.context.scene


@pytest.fixture
def make_take(ext: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """A small take of points on a slow walk, with what a test asks for."""

    def make(frames: int = 20, labels: tuple[str, ...] = ("LFHD", "RFHD", "LANK"), **fields: Any) -> Any:
        time = np.arange(frames) / 100.0
        index = np.arange(len(labels))
        positions = np.empty((frames, len(labels), 3))
        positions[..., 0] = 0.1 * index + time[:, None]
        positions[..., 1] = 0.3 * np.sin(3 * time[:, None] + index)
        # of the size of a person, from head to foot
        positions[..., 2] = 1.6 - 0.7 * np.minimum(index, 2) + 0.01 * np.cos(5 * time[:, None])
        defaults = {"name": "walk", "residuals": np.zeros(positions.shape[:2]), "rate_hz": 100.0}
        return ext("model.core.take").Take(labels=labels, positions=positions, **{**defaults, **fields})

    return make


@pytest.fixture(scope="session")
def engine_python() -> str:
    """The interpreter that runs the engine: Blender's own wheel has no torch."""
    python = os.environ.get("BONESETTER_ENGINE_PYTHON")
    if not python:
        pytest.fail("set BONESETTER_ENGINE_PYTHON to a Python with torch, as tools/test does")
    return python


#: Run in the engine before it serves: told of a stage whose name stands in the file, it goes on only when that no longer does.
HOLDING = """
import pathlib, time
import model.engine.worker as worker
usual, stages = worker._telling, pathlib.Path({stages!r})
def telling(answer, cancelled):
    progress = usual(answer, cancelled)
    def hold(stage, fraction):
        progress(stage, fraction)
        while stage in stages.read_text().split():
            time.sleep(0.01)
            progress(stage, fraction)
    return hold
worker._telling = telling
"""


class HoldingPython:
    """An interpreter whose engine holds at stages of a solve: what a test does meanwhile must not race with the solver.

    Attributes:
        path: What is run in place of the engine's Python.
    """

    def __init__(self, begin_with: Callable[[str], Path], folder: Path) -> None:
        self._stages = folder / "stages.txt"
        self.at()
        self.path = str(begin_with(HOLDING.format(stages=str(self._stages))))

    def at(self, *stages: str) -> None:
        """Hold at these stages from now on; at none, what is held goes on."""
        whole = self._stages.with_suffix(".new")
        whole.write_text(" ".join(stages))
        whole.replace(self._stages)


@pytest.fixture
def begin_with(engine_python: str, tmp_path: Path) -> Callable[[str], Path]:
    """Makes an interpreter for the engine that runs some code first, in which `model` can be imported."""
    if os.name == "nt":
        pytest.skip("the engine's code is put behind other code by a shell script")

    def make(code: str) -> Path:
        first, python = tmp_path / "first.py", tmp_path / "python"
        first.write_text(code)
        # the engine's command is `python -E -P -c CODE ROOT ...`
        before = f"import sys; sys.path[:0] = sys.argv[1:2]; exec(open({str(first)!r}).read()); del sys.path[0]; "
        python.write_text(f'#!/bin/sh\ncode="$4"\nshift 4\nexec "{engine_python}" -B -E -P -c "{before}$code" "$@"\n')
        python.chmod(0o700)
        return python

    return make


@pytest.fixture
def holding_python(begin_with: Callable[[str], Path], tmp_path: Path) -> HoldingPython:
    return HoldingPython(begin_with, tmp_path)


@pytest.fixture(scope="session")
def synthetic_c3d(engine_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk of some seconds with noise and gaps."""
    path = tmp_path_factory.mktemp("synthetic") / "walk.c3d"
    subprocess.run([engine_python, "-m", "model", "synthesise", str(path), "--seconds", "3"], cwd=ROOT, check=True)
    return path


@pytest.fixture
def synthetic_take(ext: Callable[[str], ModuleType], synthetic_c3d: Path) -> Any:
    return ext("model.files.c3d").read_c3d(synthetic_c3d)


@pytest.fixture
def write(ext: Callable[[str], ModuleType], tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a take as a C3D of its name."""

    def write(take: Any) -> Path:
        path = tmp_path / f"{take.name}.c3d"
        ext("model.files.c3d_writer").write_c3d(take, path)
        return path

    return write


@pytest.fixture
def load(scene: Any, write: Callable[[Any], Path]) -> Callable[..., Any]:
    """Write a take as a C3D, import that by the operator, and return its collection."""
    import bpy

    def load(take: Any, **options: Any) -> Any:
        assert bpy.ops.bonesetter.import_c3d(filepath=str(write(take)), **options) == {"FINISHED"}
        return scene.bonesetter.take

    return load


@pytest.fixture
def with_gaps(make_take: Callable[..., Any]) -> Any:
    """A take with a gap within, and a marker that begins late and ends early."""
    take = make_take(frames=30)
    take.positions[5:9, 0] = np.nan
    take.positions[:4, 1] = np.nan
    take.positions[25:, 1] = np.nan
    return take
