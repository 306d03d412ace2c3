# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes in a scene beside those that were written."""

import bpy
import numpy as np
import pytest


def where(marker, frame):
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=float(frame % 1))
    return np.array(marker.matrix_world.translation)


def same(one, other, tolerance=2e-6):
    assert one.labels == other.labels
    np.testing.assert_array_equal(one.present, other.present)
    np.testing.assert_allclose(one.positions, other.positions, atol=tolerance)
    np.testing.assert_allclose(one.residuals, other.residuals, atol=1e-6)
    assert (one.rate_hz, one.first_frame, one.up_axis) == (pytest.approx(other.rate_hz), other.first_frame, other.up_axis)
