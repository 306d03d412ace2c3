# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenSim's inverse kinematics: the solver of its InverseKinematicsTool, fed from memory instead of files."""

from __future__ import annotations

from importlib.metadata import version as installed

import numpy as np
import opensim  # pyright: ignore[reportMissingImports]
from scipy.spatial.transform import Rotation

from ...actors.actor import Actor
from ...core.take import FloatArray, Take
from . import Solved
from .articulation import Articulation, articulate

SLOW = False

#: The tool's own is 1e-5, which takes twice as long to the same poses.
ACCURACY = 1e-4
#: How much an angle of 1 rad away from the mean pose weighs, against 1 m between a marker and its sample; both are squared.
POSTURE_WEIGHT = 2e-5

#: The coordinates of the root's free joint, in OpenSim's order.
ROOT_ANGLES = ("root_x", "root_y", "root_z")
ROOT_SHIFTS = ("root_tx", "root_ty", "root_tz")


def version() -> str:
    """OpenSim's."""
    return installed("opensim")


def solve(actor: Actor, take: Take) -> Solved:
    """Solve a take frame by frame; OpenSim leaves a marker out of a frame where it is NaN.

    A frame without markers, which it refuses, repeats the one before.
    """
    opensim.Logger.setLevelString("Off")
    body = articulate(actor, take)
    model = model_of(body)
    state = model.initSystem()
    names = (*ROOT_ANGLES, *body.names, *ROOT_SHIFTS)
    coordinates = [model.getCoordinateSet().get(name) for name in names]
    solver = opensim.InverseKinematicsSolver(model, observed(take), drawn(body.names), np.inf)
    solver.setAccuracy(ACCURACY)
    values = np.empty((take.frames, len(names)))
    present = take.present
    for frame in range(take.frames):
        state.setTime(frame / take.rate_hz)
        if frame == body.first:
            solver.assemble(state)
        elif frame > body.first and present[frame].any():
            solver.track(state)
        values[frame] = [coordinate.getValue(state) for coordinate in coordinates]
    angles, shifts = values[:, :-3], values[:, -3:]
    motion = body.motion(angles, body.start + shifts @ (body.rest[0] @ body.axes[0]).T, take.rate_hz)
    return Solved(motion, body.actor.markers(motion))


def model_of(body: Articulation) -> opensim.Model:
    """The body as a model."""
    actor, skeleton = body.actor, body.actor.skeleton
    model = opensim.Model()
    bodies: list[opensim.Body] = []
    for joint, parent in enumerate(skeleton.parents):
        link = opensim.Body(skeleton.joints[joint], 1.0, opensim.Vec3(0), opensim.Inertia(1, 1, 1))
        model.addBody(link)
        bodies.append(link)
        above = model.getGround() if parent < 0 else bodies[parent]
        place = body.start if parent < 0 else skeleton.offsets[joint]
        model.addJoint(joint_between(body, joint, above, place, link))
    for label, joint, offset in zip(actor.labels, actor.marker_joints, actor.marker_offsets, strict=True):
        model.addMarker(opensim.Marker(label, bodies[joint], vec3(offset)))
    model.finalizeConnections()
    return model


def joint_between(body: Articulation, joint: int, above: opensim.PhysicalFrame, place: FloatArray, link: opensim.Body) -> opensim.Joint:
    """The joint that hangs a body on the one above, at a place (3,) in metres in that one's frame.

    The root is free; the others are gimbals, universals, pins or welds, as they have three angles, two, one or none.
    """
    count, name = body.angles[joint], body.actor.skeleton.joints[joint]
    axes = body.axes[joint][:, [1, 2, 0]] if count == 1 else body.axes[joint]  # a pin turns about its z
    kind = (opensim.WeldJoint, opensim.PinJoint, opensim.UniversalJoint, opensim.GimbalJoint)[count] if joint else opensim.FreeJoint
    made = kind(f"{name}_joint", above, vec3(place), euler(body.rest[joint] @ axes), link, opensim.Vec3(0), euler(axes))
    names = [f"{name}_{axis}" for axis in "xyz"[:count]] if joint else [*ROOT_ANGLES, *ROOT_SHIFTS]
    for row, coordinate in enumerate(names):
        made.upd_coordinates(row).setName(coordinate)
    return made


def observed(take: Take) -> opensim.MarkersReference:
    """The markers to follow, all of one weight."""
    table = opensim.TimeSeriesTableVec3()
    table.setColumnLabels(list(take.labels))
    for frame, points in enumerate(take.positions):
        row = opensim.RowVectorVec3(len(points))
        for column, point in enumerate(points):
            row[column] = vec3(point)
        table.appendRow(frame / take.rate_hz, row)
    return opensim.MarkersReference(table, opensim.SetMarkerWeights())


def drawn(names: tuple[str, ...]) -> opensim.SimTKArrayCoordinateReference:
    """The angles to draw to 0, which is the mean pose."""
    references = opensim.SimTKArrayCoordinateReference()
    for name in names:
        to_zero = opensim.CoordinateReference(name, opensim.Constant(0.0))
        to_zero.setWeight(POSTURE_WEIGHT)
        references.push_back(to_zero)
    return references


def vec3(values: FloatArray) -> opensim.Vec3:
    """Three numbers."""
    return opensim.Vec3(*(float(value) for value in values))


def euler(rotation: FloatArray) -> opensim.Vec3:
    """The angles about the body's own x, y and z axes of a matrix (3, 3), in radians."""
    w, x, y, z = np.roll(Rotation.from_matrix(rotation).as_quat(), 1)
    turn = opensim.Rotation()
    turn.setRotationFromQuaternion(opensim.Quaternion(w, x, y, z))
    return turn.convertRotationToBodyFixedXYZ()
