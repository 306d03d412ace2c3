# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations for torch: vectors, matrices and quaternions, batched, of one floating type throughout.

A rotation vector is an axis times an angle in radians, matrices act on columns, quaternions are w x y z. The functions bear the names
that roma gives them; roma itself imports torch's compiler, which takes as long as torch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.rigid import nearest_rotations

#: Squares of angles below this are 0 beside 1, in double precision too, once they are squared again: the first terms of a series suffice.
SMALL = 1e-8


def rotvec_to_rotmat(vectors: Tensor) -> Tensor:
    """Matrices (..., 3, 3) of rotation vectors (..., 3); their gradient is finite at 0 too.

    Source: Rodrigues' formula, R = 1 + a [u]x + b (u u' - |u|^2), with a = sin|u| / |u| and b = (1 - cos|u|) / |u|^2, the latter by half
    the angle, which cancels nothing.
    """
    angle2 = (vectors * vectors).sum(-1)[..., None, None]
    small = angle2 < SMALL
    # where() passes on the gradient of both: what is not taken must not divide by 0
    angle = angle2.masked_fill(small, 1.0).sqrt()
    once = torch.where(small, 1 - angle2 / 6, angle.sin() / angle)
    twice = torch.where(small, 0.5 - angle2 / 24, 0.5 * ((0.5 * angle).sin() / (0.5 * angle)) ** 2)
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    unit = torch.eye(3, dtype=vectors.dtype, device=vectors.device)
    return unit + once * skew + twice * (vectors[..., None] * vectors[..., None, :] - angle2 * unit)


def rotmat_to_rotvec(rotations: Tensor) -> Tensor:
    """Rotation vectors (..., 3) of at most half a turn, of matrices (..., 3, 3); at half a turn either way round.

    The gradient is finite wherever the rotation is less than half a turn.
    """
    quats = rotmat_to_unitquat(rotations)
    quats = torch.where(quats[..., :1] < 0, -quats, quats)
    real, imaginary = quats[..., :1], quats[..., 1:]
    length2 = (imaginary * imaginary).sum(-1, keepdim=True)
    small = length2 < SMALL**2
    length = length2.masked_fill(small, 1.0).sqrt()
    return imaginary * torch.where(small, 2 / real.clamp_min(0.5), 2 * torch.atan2(length, real) / length)


def rotmat_to_unitquat(rotations: Tensor) -> Tensor:
    """Unit quaternions w x y z (..., 4), of either sign, of matrices (..., 3, 3).

    Source: Markley, Unit quaternion from rotation matrix, J. Guidance, Control, and Dynamics 31(2), 2008: of the rows of 4 q q', which
    are sums of the matrix's numbers, the one with the greatest diagonal, brought to length 1.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotations.unbind(-2))
    rows = (
        (1 + a + e + i, h - f, c - g, d - b),
        (h - f, 1 + a - e - i, b + d, c + g),
        (c - g, b + d, 1 - a + e - i, f + h),
        (d - b, c + g, f + h, 1 - a - e + i),
    )
    products = torch.stack([torch.stack(row, -1) for row in rows], -2)
    best = products.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quats = products.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    return quats / quats.norm(dim=-1, keepdim=True)


def rigid_points_registration(points: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The rigid motions R, t that make the weighted sum of |R x + t - y|^2 least. They have no gradient.

    Args:
        points: (..., n, 3), x.
        targets: (..., n, 3), y.
        weights: (..., n), not negative, and some above 0.

    Returns:
        (..., 3, 3) and (..., 3), of the targets' type.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns, IEEE PAMI 13(4), 1991.
    """
    parts = (weights / weights.sum(-1, keepdim=True))[..., None]
    middle, aim = ((parts * each).sum(-2, keepdim=True) for each in (points, targets))
    moments = (parts * (targets - aim)).transpose(-1, -2) @ (points - middle)
    # in double precision: singular values that are all but equal tell the rotation of a nearly flat or thin set of points badly
    turn = torch.as_tensor(nearest_rotations(moments.detach().cpu().double().numpy())).to(targets)
    return turn, aim[..., 0, :] - (turn @ middle[..., 0, :, None])[..., 0]
