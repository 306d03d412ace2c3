# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a newcomer without a window: a zip, Install Solver, a take, in a Blender whose user folder is new.

    .venv/bpy-5.2/bin/python tests/blender/install_zip.py ZIP TAKE.c3d [--wheels FOLDER] [--base PYTHON] [--offline]

A full zip brings the solver and skips the second step. Prints what each step took, and exits 1 where one fails. `make install-test` runs
it in every wheel; `unshare -rn` takes the network from it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def main() -> int:
    """Install, import, solve; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None, allow_abbrev=False)
    parser.add_argument("zip", type=Path)
    parser.add_argument("take", type=Path)
    parser.add_argument("--wheels", type=Path, help="a folder of wheels that are not downloaded")
    parser.add_argument("--base", default="", help="the Python to build the solver on, where it is not Blender's own")
    parser.add_argument("--offline", action="store_true", help="leave Blender's online access off")
    wanted = parser.parse_args()
    os.environ.pop("BONESETTER_ENGINE_PYTHON", None)
    with tempfile.TemporaryDirectory(prefix="new ü ") as folder:
        # before the first `import bpy`
        os.environ["BLENDER_USER_RESOURCES"] = folder
        return newcomer(wanted)


def newcomer(wanted: argparse.Namespace) -> int:
    """In a new user folder."""
    import bpy  # puts addon_utils on the path

    # isort: split
    import addon_utils

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    print(f"Blender {bpy.app.version_string}, Python {sys.version.split()[0]}")
    addon_utils.enable("bl_pkg")
    cli = importlib.import_module("bl_pkg.bl_extension_cli")
    with clocked("install the zip"):
        if cli.cli_extension_handler(["install-file", "--repo", "user_default", "--enable", str(wanted.zip.resolve())]):
            return 1
    package = "bl_ext.user_default.bonesetter"
    bpy.context.preferences.system.use_online_access = not wanted.offline
    importlib.import_module(f"{package}.operators.preferences").own().python_path = wanted.base
    if importlib.import_module(f"{package}.operators.solver_python").blender_has_torch():
        print("the zip brings the solver")
    else:
        with clocked("Install Solver"):
            bpy.ops.bonesetter.install_solver(directory=str(wanted.wheels.resolve()) if wanted.wheels else "")
    bpy.ops.bonesetter.import_c3d(filepath=str(wanted.take.resolve()))
    for name in ("the first solve", "the second solve"):
        with clocked(name):
            bpy.ops.bonesetter.solve_markers()
    result = bpy.context.scene.bonesetter.take.bonesetter
    session = importlib.import_module(f"{package}.operators.session").session
    print(f"{result.frames} frames, markers {result.residual_mean:.2f} mm off, by {session.engine.python}")
    code = 0 if result.solved else 1
    # Blender 4.5's wheel hangs at exit while a Python class is registered.
    addon_utils.disable(package)
    return code


@contextmanager
def clocked(name: str) -> Iterator[None]:
    """Print how long a block took."""
    began = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
