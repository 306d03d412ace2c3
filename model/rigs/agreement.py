# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a rig does what a performer did: directions, feet on the floor, the hips' path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core.take import FloatArray
from .figure import NEXT_PARTS, Anatomy
from .retarget import Retargeted
from .standing import FootContact

#: Parts whose directions are compared.
COMPARED = (*(f"{limb}.{side}" for limb in ("thigh", "shin", "upper_arm", "forearm") for side in "LR"), "spine", "head")

#: {part: (frames, 3)} unit vectors in the world.
Directions = Mapping[str, FloatArray]


def directions(body: Anatomy, heads: Mapping[str, FloatArray], deltas: Mapping[str, FloatArray]) -> Directions:
    """Where parts point: limbs from joint to joint; spine and head where what is up in their rest pose has gone.

    Args:
        body: At rest.
        heads: {part: (frames, 3)} in metres in the world.
        deltas: {part: (frames, 3, 3)} in the world, of the last bone of a part.
    """
    found: dict[str, FloatArray] = {}
    for part in COMPARED:
        limb, _, side = part.partition(".")
        following = f"{NEXT_PARTS.get(limb, '')}.{side}"
        if following in heads and part in heads:
            along = heads[following] - heads[part]
            found[part] = along / np.linalg.norm(along, axis=1, keepdims=True)
        elif limb in ("spine", "head") and part in deltas:
            found[part] = deltas[part] @ body.axes[:, 2]
    return found


def of_retargeted(moved: Retargeted) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Heads (frames, 3) and deltas (frames, 3, 3) of parts, as `directions` wants them."""
    rows = {part: moved.chain(part) for part in moved.bone_map.bones}
    heads = {part: moved.heads[:, own[0]] for part, own in rows.items()}
    return heads, {part: moved.deltas[:, own[-1]] for part, own in rows.items()}


def angles_deg(a: Directions, b: Directions) -> dict[str, FloatArray]:
    """{part: (frames,)} in degrees, of parts that both have."""
    return {
        part: np.degrees(np.arctan2(np.linalg.norm(np.cross(a[part], b[part]), axis=1), np.sum(a[part] * b[part], axis=1)))
        for part in a
        if part in b
    }


def footing_mm(soles: Mapping[str, FloatArray], contacts: Sequence[FootContact], floor: float) -> tuple[float, float]:
    """The furthest that a standing sole is from the middle of where it stands, and from the floor, in mm; of contacts on the floor.

    Args:
        soles: {side: (frames, 2, 3)} heel and ball in metres in the world.
        contacts: When each stands.
        floor: Height of the floor in metres.
    """
    slides, heights = [0.0], [0.0]
    for one in contacts:
        if one.side in soles:
            sole = soles[one.side][one.frames, ("heel", "ball").index(one.part)]
            slides.append(float(np.linalg.norm((sole - sole.mean(axis=0))[:, :2], axis=1).max()))
            heights.append(float(np.abs(sole[:, 2] - floor).max()))
    return 1e3 * max(slides), 1e3 * max(heights)
