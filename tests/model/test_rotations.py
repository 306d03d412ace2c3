# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations for torch beside roma's, and for numpy beside scipy's."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.core import rotations as numpy_own
from model.solver import rotations as own

ANGLES = (0.0, 1e-12, 1e-8, 1e-5, 9.9e-5, 1.1e-4, 1e-3, 0.5, 1.5, 3.0, np.pi - 1e-3, np.pi - 1e-6, np.pi)
#: How far results may be off, by type.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}
both_types = pytest.mark.parametrize("dtype", list(TOLERANCE))


def vectors(dtype: torch.dtype) -> Tensor:
    """(angles, axes, 3): rotation vectors of every angle about the axes of space and others."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.cat([torch.eye(3), -torch.eye(3), torch.randn(20, 3, generator=generator)]).double()
    axes = axes / axes.norm(dim=-1, keepdim=True)
    return (torch.tensor(ANGLES, dtype=torch.float64)[:, None, None] * axes).to(dtype)


def exact(u: Tensor) -> Tensor:
    """The matrices of rotation vectors by torch's general exponential, in double precision."""
    x, y, z = u.double().unbind(-1)
    zero = torch.zeros_like(x)
    return torch.linalg.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3)))


@both_types
def test_matrices_of_rotation_vectors_are_exact_at_every_angle(dtype: torch.dtype) -> None:
    u = vectors(dtype)
    matrices = own.rotvec_to_rotmat(u)
    assert matrices.dtype == dtype
    torch.testing.assert_close(matrices.double(), exact(u), atol=TOLERANCE[dtype], rtol=0)
    torch.testing.assert_close(matrices, roma.rotvec_to_rotmat(u), atol=max(1e-11, TOLERANCE[dtype]), rtol=0)


@both_types
def test_rotation_vectors_come_back_from_their_matrices(dtype: torch.dtype) -> None:
    u = vectors(dtype)
    back = own.rotmat_to_rotvec(own.rotvec_to_rotmat(u))
    assert (back.norm(dim=-1) <= np.pi + 1e-5).all()
    torch.testing.assert_close(exact(back), exact(u), atol=10 * TOLERANCE[dtype], rtol=0)
    short = u.norm(dim=-1) < 3.1
    torch.testing.assert_close(back[short], u[short], atol=10 * TOLERANCE[dtype], rtol=0)
    torch.testing.assert_close(back[short], roma.rotmat_to_rotvec(own.rotvec_to_rotmat(u))[short], atol=TOLERANCE[dtype], rtol=0)


@both_types
def test_quaternions_are_romas_with_the_real_part_first(dtype: torch.dtype) -> None:
    matrices = own.rotvec_to_rotmat(vectors(dtype))
    quats, theirs = own.rotmat_to_unitquat(matrices), roma.rotmat_to_unitquat(matrices)[..., [3, 0, 1, 2]]
    torch.testing.assert_close(quats.norm(dim=-1), torch.ones(quats.shape[:-1], dtype=dtype), atol=TOLERANCE[dtype], rtol=0)
    alike = (quats * theirs).sum(-1, keepdim=True).sign()
    torch.testing.assert_close(quats * alike, theirs, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-4, 0.3, 2.0, 3.0])
def test_gradients_are_those_of_finite_differences(angle: float) -> None:
    u = (angle * torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(own.rotvec_to_rotmat, (u,))
    assert torch.autograd.gradcheck(lambda v: own.rotmat_to_rotvec(own.rotvec_to_rotmat(v)), (u,))


@pytest.mark.parametrize("angle", ANGLES)
def test_gradients_are_finite_in_single_precision(angle: float) -> None:
    u = (angle * torch.tensor([0.48, 0.6, 0.64])).requires_grad_()
    own.rotvec_to_rotmat(u).square().sum().backward()
    assert u.grad is not None
    assert torch.isfinite(u.grad).all()


@both_types
def test_rigid_motions_are_found_again(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(4, 5, 12, 3, generator=generator, dtype=torch.float64)
    turn = own.rotvec_to_rotmat(2 * torch.randn(4, 5, 3, generator=generator, dtype=torch.float64))
    shift = torch.randn(4, 5, 3, generator=generator, dtype=torch.float64)
    targets = points @ turn.transpose(-1, -2) + shift[..., None, :]
    weights = torch.rand(4, 5, 12, generator=generator, dtype=torch.float64)
    # what does not count may be anywhere
    weights[..., 0], targets[..., 0, :] = 0.0, 1e3
    found = own.rigid_points_registration(points.to(dtype), targets.to(dtype), weights.to(dtype))
    for mine, right in zip(found, (turn, shift), strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine.double(), right, atol=20 * TOLERANCE[dtype], rtol=0)


def test_rigid_motions_of_what_does_not_fit_are_romas() -> None:
    generator = torch.Generator().manual_seed(2)
    points, targets = torch.randn(2, 200, 6, 3, generator=generator, dtype=torch.float64)
    # mirrored and flat sets have a reflection for their best orthogonal matrix
    targets[:50] = points[:50] * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    points[50:100, :, 2] = 0.0
    weights = torch.rand(200, 6, generator=generator, dtype=torch.float64)
    found, theirs = own.rigid_points_registration(points, targets, weights), roma.rigid_points_registration(points, targets, weights)
    assert (torch.linalg.det(found[0]) > 0).all()
    for mine, right in zip(found, theirs, strict=True):
        torch.testing.assert_close(mine, right, atol=1e-9, rtol=0)


@both_types
def test_points_without_any_extent_are_only_moved(dtype: torch.dtype) -> None:
    points, weights = torch.ones(3, 5, 3, dtype=dtype), torch.full((3, 5), 1e-9, dtype=dtype)
    turn, shift = own.rigid_points_registration(points, 2 * points, weights)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(3, dtype=dtype))
    torch.testing.assert_close((turn @ points[:, 0, :, None])[..., 0] + shift, 2 * points[:, 0])


def numpys(u: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The same rotation vectors for numpy, and scipy's matrices of them."""
    vectors = u.numpy()
    return vectors, Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(*vectors.shape, 3)


def test_numpys_matrices_and_vectors_are_scipys() -> None:
    u, matrices = numpys(vectors(torch.float64))
    np.testing.assert_allclose(numpy_own.rotvec_to_rotmat(u), matrices, atol=1e-14)
    back = numpy_own.rotmat_to_rotvec(matrices)
    np.testing.assert_allclose(numpy_own.rotvec_to_rotmat(back), matrices, atol=1e-14)
    short = np.linalg.norm(u, axis=-1) < 3.1
    np.testing.assert_allclose(back[short], u[short], atol=1e-13)


def test_numpys_quaternions_are_scipys() -> None:
    _, matrices = numpys(vectors(torch.float64))
    quats = numpy_own.rotmat_to_unitquat(matrices)
    theirs = np.roll(Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_quat(), 1, axis=-1).reshape(quats.shape)
    np.testing.assert_allclose(quats * np.sign((quats * theirs).sum(-1, keepdims=True)), theirs, atol=1e-14)
    np.testing.assert_allclose(numpy_own.unitquat_to_rotmat(3 * quats), matrices, atol=1e-14)
    torchs = own.rotmat_to_unitquat(torch.from_numpy(matrices)).numpy()
    np.testing.assert_allclose(np.abs((torchs * quats).sum(-1)), 1.0, atol=1e-14)


def test_products_turn_by_the_second_first() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 50, 4))
    first, second = (q / np.linalg.norm(q, axis=-1, keepdims=True) for q in (first, second))
    both = numpy_own.unitquat_to_rotmat(numpy_own.unitquat_product(first, second))
    np.testing.assert_allclose(both, numpy_own.unitquat_to_rotmat(first) @ numpy_own.unitquat_to_rotmat(second), atol=1e-14)


@pytest.mark.parametrize("middle", [None, 90.0, -90.0, 90.0 - 1e-6, 0.0])
def test_euler_angles_tell_the_rotation_at_a_quarter_turn_too(middle: float | None) -> None:
    angles = np.random.default_rng(3).uniform(-180, 180, size=(400, 3))
    angles[:, 1] = angles[:, 1] / 2 if middle is None else middle
    rotations = Rotation.from_euler("ZYX", angles, degrees=True)
    told = np.degrees(numpy_own.unitquat_to_euler_zyx(np.roll(rotations.as_quat(), 1, axis=-1)))
    assert (np.abs(told) <= [180, 90 + 1e-6, 180]).all()
    again = Rotation.from_euler("ZYX", told, degrees=True)
    assert (again * rotations.inv()).magnitude().max() < 1e-7
    if middle is None:
        np.testing.assert_allclose(told, angles, atol=1e-9)
