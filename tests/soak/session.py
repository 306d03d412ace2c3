# SPDX-License-Identifier: GPL-3.0-or-later
"""Many solves in one Blender session: `python tests/soak/session.py TAKE.c3d OUT.json [SOLVES]` with the bpy wheel.

After each, the memory and the open files of Blender and of its engine are noted, with the seconds that the solve took.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.soak.processes import memory_mb, open_files


def main(take: Path, out: Path, solves: int) -> None:
    """Solve the same take so often, and write what was noted."""
    spec = importlib.util.spec_from_file_location("bonesetter", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bonesetter"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.register()
    try:
        out.write_text(json.dumps(_solves(take, solves)))
    finally:
        module.unregister()


def _solves(take: Path, count: int) -> list[dict[str, Any]]:
    from bonesetter.operators.session import session  # pyright: ignore[reportMissingImports]

    ours: Any = getattr(bpy.ops, "bonesetter")  # noqa: B009  # of the extension, which the stubs of bpy do not know
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    ours.import_c3d(filepath=str(take))
    noted: list[dict[str, Any]] = []
    for number in range(count):
        begin = time.perf_counter()
        ours.solve_markers()
        seconds = time.perf_counter() - begin
        gc.collect()
        engine = session.engine.pid
        assert engine is not None
        noted.append(
            {
                "seconds": seconds,
                "blender_mb": memory_mb(os.getpid()),
                "engine_mb": memory_mb(engine),
                "blender_files": open_files(os.getpid()),
                "engine_files": open_files(engine),
                "datablocks": sum(len(getattr(bpy.data, kind)) for kind in ("actions", "armatures", "collections", "objects")),
            }
        )
        if number % 25 == 0:
            print(number, noted[-1], flush=True)
    return noted


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 300)
