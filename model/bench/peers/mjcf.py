# SPDX-License-Identifier: GPL-3.0-or-later
"""An articulated actor as MuJoCo reads it. It needs no MuJoCo."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as Xml

import numpy as np
from scipy.spatial.transform import Rotation

from ...core.take import FloatArray
from .articulation import Articulation


def mjcf(body: Articulation) -> str:
    """The model: a body a joint, a ball, two hinges, one or none, and a site a marker."""
    actor, skeleton = body.actor, body.actor.skeleton
    root = Xml.Element("mujoco")
    elements: list[Xml.Element] = []
    world = Xml.SubElement(root, "worldbody")
    for joint, parent in enumerate(skeleton.parents):
        above = world if parent < 0 else elements[parent]
        place = body.start if parent < 0 else skeleton.offsets[joint]
        element = Xml.SubElement(above, "body", name=skeleton.joints[joint], pos=written(place), quat=written(quaternion(body.rest[joint])))
        Xml.SubElement(element, "inertial", pos="0 0 0", mass="1", diaginertia="1 1 1")
        if parent < 0:
            Xml.SubElement(element, "freejoint")
        elif body.angles[joint] == 3:
            Xml.SubElement(element, "joint", type="ball")
        else:
            for axis in range(body.angles[joint]):
                Xml.SubElement(element, "joint", type="hinge", axis=written(body.axes[joint][:, axis]))
        elements.append(element)
    for label, joint, offset in zip(actor.labels, actor.marker_joints, actor.marker_offsets, strict=True):
        Xml.SubElement(elements[joint], "site", name=label, pos=written(offset))
    return Xml.tostring(root, encoding="unicode")


def quaternion(rotation: FloatArray) -> FloatArray:
    """w x y z of a matrix (3, 3)."""
    return np.roll(Rotation.from_matrix(rotation).as_quat(), 1)


def written(values: Iterable[float]) -> str:
    """Numbers as MuJoCo reads them."""
    return " ".join(f"{value:.12g}" for value in values)
