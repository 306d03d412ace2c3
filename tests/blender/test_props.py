# SPDX-License-Identifier: GPL-3.0-or-later
"""Props in Blender: an empty each, keyed with the solve and undone with it."""

from dataclasses import replace

import bpy
import numpy as np
import pytest

STICK = np.array([[-0.3, 0.0, 0.01], [0.1, 0.02, -0.01], [0.45, -0.03, 0.0], [0.2, 0.09, 0.05]])


@pytest.fixture
def with_stick(ext, synthetic_take, write, engine_python):
    """A person's take with a stick that turns beside him, away in some frames; its rotations and positions."""
    frames = synthetic_take.frames
    rotvec_to_rotmat = ext("model.core.rotations").rotvec_to_rotmat
    time = np.linspace(0.0, 1.0, frames)[:, None]
    rotations = rotvec_to_rotmat(time * np.array([0.9, -0.6, 1.4]))
    positions = np.array([1.5, 0.2, 1.0]) + 0.5 * np.sin(3 * time * np.array([1.0, 2.0, 0.5]))
    samples = np.einsum("fab,mb->fma", rotations, STICK) + positions[:, None]
    samples[100:260] = np.nan
    stick = replace(
        synthetic_take,
        labels=tuple(f"Stick:{row}" for row in range(4)),
        positions=samples,
        residuals=np.zeros(samples.shape[:2]),
        origins=(),
        pinned=None,
    )
    take = replace(synthetic_take.beside(stick), name="sticks", origins=(), findings=())
    bpy.ops.bonesetter.import_c3d(filepath=str(write(take)))
    yield take, rotations, positions
    ext("operators.session").session.close()


def test_a_prop_is_an_empty_with_keys(ext, scene, with_stick):
    _, rotations, positions = with_stick
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    take = scene.bonesetter.take
    (stick,) = ext("operators.props").props_of(take).values()
    assert stick.name == "Stick"
    assert ext("operators.takes").LABEL not in stick
    middle = STICK.mean(axis=0)
    # Blender's axes are those of a take that is Z up
    assert take.bonesetter.up_axis == "Z"
    for sample in (0, 50, 99, 260, 350):
        scene.frame_set(sample + 1)
        matrix = np.array(stick.matrix_world)
        np.testing.assert_allclose(matrix[:3, 3], rotations[sample] @ middle + positions[sample], atol=1e-3)
        np.testing.assert_allclose(matrix[:3, :3], rotations[sample] @ rotations[0].T, atol=2e-3)
    curve = ext("operators.keyframes").bound_channelbag(stick).fcurves[0]
    points = np.empty(2 * len(curve.keyframe_points))
    curve.keyframe_points.foreach_get("co", points)
    frames = set((points[0::2] - 1).astype(int).tolist())
    assert not frames & set(range(100, 260))
    said = [item for item in take.bonesetter.findings if item.kind == "prop"]
    assert len(said) == 1

    # again: the same empty, whatever it is called, and no second one
    stick.name = "Sword"
    bpy.ops.bonesetter.solve_markers()
    assert list(ext("operators.props").props_of(take).values()) == [stick]
    assert ext("operators.keyframes").bound_channelbag(stick).fcurves[0].keyframe_points[0].co[0] == 1.0


def test_without_its_markers_a_prop_goes(ext, scene, with_stick):
    bpy.ops.bonesetter.solve_markers()
    take = scene.bonesetter.take
    for label, marker in ext("operators.takes").markers(take).items():
        if label.startswith("Stick:"):
            bpy.data.objects.remove(marker)
    bpy.ops.bonesetter.solve_markers()
    assert not ext("operators.props").props_of(take)


@pytest.mark.parametrize("up", ["Y", "Z", "-X"])
def test_axes(ext, up):
    """A point of the prop lies where the same point of the take does."""
    space = ext("operators.space").Space(up, 2.0)
    rotmat = ext("model.core.rotations").unitquat_to_rotmat
    random = np.random.default_rng(0)
    quats = random.normal(size=(5, 4))
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    prop = ext("model.result.solved").SolvedProp("x", (), random.normal(size=(5, 3)), quats, np.ones(5, dtype=bool))
    location, rotations = ext("operators.props").channels(prop, space)
    point = random.normal(size=3)
    truth = space.to_blender(rotmat(quats) @ point + prop.positions)
    np.testing.assert_allclose(rotmat(rotations) @ space.to_blender(point) + location, truth, atol=1e-9)
