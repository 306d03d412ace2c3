# SPDX-License-Identifier: GPL-3.0-or-later
"""Gauss-Newton's matrix of marker errors without their Jacobian, by composite inertias (Featherstone 2008, Rigid Body Dynamics
Algorithms, sec. 6.2): a marker with a weight is a point with a mass.

A coordinate c moves every point y that hangs below its joint by the twist (omega, v): by omega x y + v, with y counted from the
root's place. With F_c = I_c (omega_c, v_c), where I_c is the inertia of all points below c, the matrix has

    H_cd = omega_d . F_c's angular part + v_d . F_c's linear part,   d a coordinate of c's joint or of one above it,

and none for coordinates of two limbs. That is some 20 times less work than the product of Jacobians, which for the most part multiplies
zeros. Frames come last inside, so that numbers that are treated alike lie side by side.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .kinematics import Pose, Posed, cross, marker_jacobian, rows_of
from .topology import ROOT_DOF, Topology

#: Frames whose matrices are made at once: those of a whole window do not lie in a processor's cache, and of two threads that write them to
#: memory each waits for the other.
IN_CACHE_FRAMES = 128


def twists(topology: Topology, posed: Posed, pose: Pose) -> Tensor:
    """(6 + coordinates, 6, frames): each coordinate's angular velocity, then the velocity that it gives the root's place."""
    axes, positions = posed.axes.permute(1, 2, 0), posed.positions.permute(1, 2, 0)
    all_twists = axes.new_zeros(ROOT_DOF + topology.coordinates, 6, pose.frames)
    for axis in range(3):
        all_twists[axis, 3 + axis] = 1.0
        all_twists[3 + axis, axis] = 1.0
    all_twists[ROOT_DOF:, :3] = axes
    all_twists[ROOT_DOF:, 3:] = cross(rows_of(positions, topology.coordinate_joints) - pose.root.T, axes)
    return all_twists


def marker_gradient(topology: Topology, posed: Posed, pose: Pose, by: Tensor, forces: Tensor) -> Tensor:
    """J' f, (frames, 6 + coordinates), of forces (labels, 3, frames) on the markers, by the coordinates' twists."""
    arms = posed.attached.permute(1, 2, 0) - pose.root.T
    own = rows_of(forces, topology.attached_markers) * topology.attached_weights[:, None, None]
    wrenches = torch.cat([cross(arms, own), own], 1)
    gathered = topology.below_attachments @ wrenches.flatten(1)
    return (by * rows_of(gathered.view(-1, 6, pose.frames), topology.all_joints)).sum(1).T


def write_upper(
    topology: Topology, posed: Posed, pose: Pose, by: Tensor, weights: Tensor, plus: tuple[Tensor, Tensor], upper: Tensor
) -> None:
    """Write the upper triangle of J' W J of the markers, and zeros below it, by the coordinates' twists.

    Args:
        topology: Of the body.
        posed, pose: Where it is.
        by: See `twists`.
        weights: (frames, labels) of the squared residuals.
        plus: What is added: each frame's factor (frames, 1), and the matrix (n, n), n = 6 + coordinates, that it multiplies, of which the
            upper triangle alone is not 0.
        upper: (frames, n, n) to write to, of any strides.
    """
    momenta = _momenta(rows_of(_composites(topology, posed, pose, weights), topology.all_joints), by)
    left, right = (each.permute(2, 0, 1).contiguous() for each in (by, momenta))
    factors, matrix = plus
    # of a coordinate that stands behind some that hang below it, the product is in the other triangle
    rows, columns = topology.behind
    parts = (each.split(IN_CACHE_FRAMES) for each in (left, right, factors, upper))
    for some_left, some_right, some_factors, some_upper in zip(*parts, strict=True):
        product = some_left @ some_right.transpose(1, 2)
        torch.addcmul(some_factors[..., None] * matrix, product, topology.above_first, out=some_upper)
        some_upper[:, rows, columns] += product[:, columns, rows]
    if topology.spread is not None:
        rows = topology.spread_markers
        posed = replace(posed, markers=posed.markers[:, rows], attached=posed.attached[:, topology.spread_attachments])
        jacobian = marker_jacobian(topology.spread, pose, posed)
        weighted = jacobian * weights[:, rows, None, None]
        upper += torch.triu(weighted.flatten(1, 2).transpose(1, 2) @ jacobian.flatten(1, 2))


def _composites(topology: Topology, posed: Posed, pose: Pose, weights: Tensor) -> Tensor:
    """(joints, 10, frames): of all that hangs below a joint mass, first moment (3) and second moments xx yy zz xy yz zx about the root.

    Markers that several joints share are left out.
    """
    arms = posed.markers.permute(1, 2, 0) - pose.root.T
    masses = weights.T[:, None]
    first = masses * arms
    points = torch.cat([masses, first, first * arms, first * arms.roll(-1, 1)], 1)
    return (topology.below_markers @ points.flatten(1)).view(-1, 10, pose.frames)


def _momenta(inertias: Tensor, by: Tensor) -> Tensor:
    """(n, 6, frames): inertias (n, 10, frames) times twists (n, 6, frames)."""
    mass, first, squares, products = inertias.split((1, 3, 3, 3), 1)
    turn, move = by[:, :3], by[:, 3:]
    # rows of the second moments times the angular velocity, axis by axis: xx x + xy y + zx z, and so on round
    dragged = squares * turn + products * turn.roll(-1, 1) + (products * turn).roll(1, 1)
    angular = squares.sum(1, keepdim=True) * turn - dragged + cross(first, move)
    return torch.cat([angular, mass * move - cross(first, turn)], 1)
