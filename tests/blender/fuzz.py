# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged C3D files through Blender's own import: `python tests/blender/fuzz.py [FILES]` in an environment with the bpy wheel.

Whatever fails must say so in one sentence and leave nothing in the scene; whatever does not must make a take.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections import Counter
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.model.c3d_bytes import C3D, DEC, INTEL, MIPS, figure
from tests.model.damage import damaged


def main(files: int) -> int:
    """Import so many; returns an exit code."""
    spec = importlib.util.spec_from_file_location("bonesetter", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bonesetter"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.register()
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    random = np.random.default_rng(0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(files):
                path = Path(folder) / f"{number}.c3d"
                original = C3D(figure(20), processor=int(random.choice([INTEL, DEC, MIPS])), scale=float(random.choice([-1.0, 0.1])))
                path.write_bytes(damaged(original.bytes(), random))
                outcomes[_import(path, faults)] += 1
    finally:
        module.unregister()
    print(f"Blender {bpy.app.version_string}: {files} files, {dict(outcomes)}, {len(faults)} faults")
    print("\n".join(faults[:10]))
    return 1 if faults else 0


def _import(path: Path, faults: list[str]) -> str:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    rate = bpy.context.scene.render.fps
    try:
        bpy.ops.bonesetter.import_c3d(filepath=str(path))
    except RuntimeError as error:
        said = str(error).strip()
        if "Traceback" in said or not said.startswith("Error: ") or "\n" in said:
            faults.append(f"{path.name}: {said}")
        if len(bpy.data.collections) or len(bpy.data.objects) or len(bpy.data.actions) or bpy.context.scene.render.fps != rate:
            faults.append(f"{path.name}: something was left behind")
        return "sentence"
    if bpy.context.scene.bonesetter.take is None:
        faults.append(f"{path.name}: neither a take nor a word")
    return "take"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
