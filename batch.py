# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve takes in Blender without a window, each into files of its own.

    blender --background --python batch.py -- TAKE.c3d [TAKE.c3d ...] --out DIR [--format blend bvh fbx glb usd]

or, where the bpy wheel is installed, `python batch.py TAKE.c3d ...`. Options and exit codes are those of `python -m model solve`; the
report has Blender's stages too, and blend and bvh are what is written by default. This only finds the extension, the one that is enabled or
else the one around this file; the work is done in `operators/batch.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Solve the takes of the command line; returns the exit code."""
    import bpy

    arguments = own_arguments()
    enabled = getattr(bpy.types, "BONESETTER_OT_solve_markers", None)
    if enabled is not None:
        return importlib.import_module(enabled.__module__.replace(".solve_markers", ".batch")).main(arguments)
    spec = importlib.util.spec_from_file_location("bonesetter", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bonesetter"] = extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    extension.register()
    try:
        return importlib.import_module("bonesetter.operators.batch").main(arguments)
    finally:
        # Blender 4.5's wheel hangs at exit while a Python class is registered.
        extension.unregister()


def own_arguments() -> list[str]:
    """What is ours of the command line: all of it for Python, what stands behind `--` for Blender."""
    if Path(sys.argv[0]).name == Path(__file__).name:
        return sys.argv[1:]
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    except ImportError as error:
        # Blender would report success whatever happens in a script.
        print(f"batch.py cannot run here ({error}): run it in Blender, or where the bpy wheel is installed.", file=sys.stderr)
        code = 1
    except Exception as error:
        print(f"batch.py failed unexpectedly ({type(error).__name__}: {error}): please report it.", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.exit(code)
