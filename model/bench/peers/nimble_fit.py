# SPDX-License-Identifier: GPL-3.0-or-later
"""nimblephysics' MarkerFitter, the engine of AddBiomechanics, which sees the whole take at once."""

from __future__ import annotations

import tempfile
from importlib.metadata import version as installed
from pathlib import Path

import nimblephysics as nimble  # pyright: ignore[reportMissingImports]
import numpy as np

from ...actors.actor import Actor
from ...core.errors import BonesetterError
from ...core.motion import Motion
from ...core.rigid import local_rotations
from ...core.take import FloatArray, Take
from . import Solved
from .articulation import Articulation, articulate

SLOW = True

#: From how many poses at most each block of the take is begun.
BEGINNINGS = 20
#: A tetrahedron of 1 cm: the fitter takes the body's height from meshes, so one sits at the end of each bone.
MESH = "v 0 0 0\nv 0.01 0 0\nv 0 0.01 0\nv 0 0 0.01\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"

Observations = list[dict[str, FloatArray]]


def version() -> str:
    """nimblephysics'."""
    return installed("nimblephysics")


def solve(actor: Actor, take: Take) -> Solved:
    """Fit a take, as AddBiomechanics does: repaired first, a missing marker left out of its frame.

    The sizes are the actor's, as for the other peers: left to fit its own, the fitter takes four times as long to poses that are
    worse. It takes y for up, so it gets the markers as if the body began on the zero pose's axes. Nothing draws its angles to a
    mean pose, so those that the markers do not tell are locked.

    Raises:
        BonesetterError: The fitter gives up.
    """
    body = articulate(actor, take, determined=True)
    skeleton, nodes = skeleton_of(body)
    fitter = fitter_of(body, skeleton, nodes)
    seen = repaired(fitter, observations(body, take), take.rate_hz)
    given = nimble.biomechanics.InitialMarkerFitParams().setDontRescaleBodies(True).setGroupScales(skeleton.getGroupScales())
    found = fitter.runPrescaledPipeline(seen, given)
    if found.error:
        raise BonesetterError(f"nimblephysics {version()} gave up: {found.errorMsg}")
    return moved(body, skeleton, nodes, found.poses, take)


def fitter_of(
    body: Articulation, skeleton: nimble.dynamics.Skeleton, nodes: list[nimble.dynamics.BodyNode]
) -> nimble.biomechanics.MarkerFitter:
    """The fitter with the settings of AddBiomechanics."""
    actor = body.actor
    places = zip(actor.labels, actor.marker_joints, actor.marker_offsets, strict=True)
    fitter = nimble.biomechanics.MarkerFitter(skeleton, {label: (nodes[joint], offset) for label, joint, offset in places})
    fitter.setInitialIKSatisfactoryLoss(1e-5)
    fitter.setInitialIKMaxRestarts(BEGINNINGS)
    fitter.setIgnoreJointLimits(True)
    fitter.setMinSphereFitScore(0.01)
    fitter.setMinAxisFitScore(0.001)
    fitter.setMaxJointWeight(1.0)
    # without a height it takes the body for 9 % taller
    fitter.setExplicitHeightPrior(skeleton.getHeight(np.zeros(skeleton.getNumDofs())), 0.1)
    return fitter


def observations(body: Articulation, take: Take) -> Observations:
    """The markers of each frame that has them, as if the body began at the origin on the zero pose's axes."""
    global_rotations = (take.positions - body.start) @ body.rest[0]
    return [
        {label: point for label, point, there in zip(take.labels, points, present, strict=True) if there}
        for points, present in zip(global_rotations, take.present, strict=True)
    ]


def repaired(fitter: nimble.biomechanics.MarkerFitter, seen: Observations, rate_hz: float) -> Observations:
    """What the fitter's own search for faults makes of markers that jump or change places."""
    # its own default of 1e5 steps is not the whole number that it asks for
    report = fitter.generateDataErrorsReport(seen, 1.0 / rate_hz, rippleReduceSolverIterations=100_000)
    return [
        {label: report.getMarkerPositionOnTimestep(frame, label) for label in report.getMarkerNamesOnTimestep(frame)}
        for frame in range(report.getNumTimesteps())
    ]


def moved(
    body: Articulation, skeleton: nimble.dynamics.Skeleton, nodes: list[nimble.dynamics.BodyNode], poses: FloatArray, take: Take
) -> Solved:
    """The fitted poses (coordinates, frames), on the take's axes."""
    hierarchy, turn = body.actor.skeleton, body.rest[0]
    global_rotations = np.empty((take.frames, len(nodes), 3, 3))
    root = np.empty((take.frames, 3))
    for frame, pose in enumerate(poses.T):
        skeleton.setPositions(pose)
        transforms = [node.getWorldTransform() for node in nodes]
        global_rotations[frame] = [transform.rotation() for transform in transforms]
        root[frame] = transforms[0].translation()
    motion = Motion(hierarchy, local_rotations(turn @ global_rotations, hierarchy.parents), root @ turn.T + body.start, take.rate_hz)
    return Solved(motion, body.actor.markers(motion))


def skeleton_of(body: Articulation) -> tuple[nimble.dynamics.Skeleton, list[nimble.dynamics.BodyNode]]:
    """The body as a skeleton that begins at the origin, and its nodes, one a joint."""
    skeleton = nimble.dynamics.Skeleton()
    nodes: list[nimble.dynamics.BodyNode] = []
    with tempfile.TemporaryDirectory() as folder:
        mesh = Path(folder) / "mesh.obj"
        mesh.write_text(MESH, encoding="ascii")
        for joint, parent in enumerate(body.actor.skeleton.parents):
            node = node_of(body, joint, skeleton, None if parent < 0 else nodes[parent])
            shape = node.createShapeNode(nimble.dynamics.MeshShape(np.ones(3), str(mesh)))
            shape.setRelativeTranslation(body.actor.skeleton.bones[joint])
            shape.createVisualAspect()
            nodes.append(node)
    return skeleton, nodes


def node_of(
    body: Articulation, joint: int, skeleton: nimble.dynamics.Skeleton, above: nimble.dynamics.BodyNode | None
) -> nimble.dynamics.BodyNode:
    """A node below another: free, or on a weld, a revolute, a universal or an Euler joint."""
    axes, count = body.axes[joint], body.angles[joint]
    if above is None:
        made, node = skeleton.createFreeJointAndBodyNodePair()
        turn = axes
    else:
        make = ("Weld", "Revolute", "Universal", "Euler")[count]
        made, node = getattr(skeleton, f"create{make}JointAndBodyNodePair")(above)
        turn = body.rest[joint] @ axes
    made.setTransformFromParentBodyNode(nimble.math.Isometry3(turn, body.actor.skeleton.offsets[joint]))
    made.setTransformFromChildBodyNode(nimble.math.Isometry3(axes, np.zeros(3)))
    if count == 1:
        made.setAxis(np.array([1.0, 0.0, 0.0]))
    elif count == 2:
        made.setAxis1(np.array([1.0, 0.0, 0.0]))
        made.setAxis2(np.array([0.0, 1.0, 0.0]))
    made.setName(f"{body.actor.skeleton.joints[joint]}_joint")
    node.setName(body.actor.skeleton.joints[joint])
    return node
