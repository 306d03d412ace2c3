# SPDX-License-Identifier: GPL-3.0-or-later
"""cgspeed's two releases on the CMU hierarchy: the exact one repaired, the retargeted one rotated back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from model.core.errors import BonesetterError
from model.core.motion import Motion
from model.core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from model.datasets.retarget import BALL_HEIGHT_M, COPIED, FADING_FRAMES, SHARED, onto_cmu, repaired
from model.files.asf_amc import AsfSkeleton, read_amc, read_asf
from model.files.bvh import read_bvh
from model.synthetic.synthesis import SyntheticTake

#: Bones that the exact release drops: their ends are where their starts are.
DROPPED = ("Spine1", "LeftHand", "RightHand")


def joint(name: str) -> int:
    return CMU_JOINTS.index(name)


def as_cgspeed(motion: Motion) -> Motion:
    """The same motion as the exact release has it: without the bones that it drops."""
    places = motion.skeleton.offsets.copy()
    for index, parent in enumerate(CMU_PARENTS):
        if parent >= 0 and CMU_JOINTS[parent] in DROPPED:
            places[index] = 0.0
    return replace(motion, skeleton=replace(motion.skeleton, places=places))


def off_axes(motion: Motion, asf: AsfSkeleton, name: str) -> np.ndarray:
    """(frames,) in degrees: by how much a joint turns about axes that the ASF does not give it, whatever its angles' signs."""
    index = joint(name)
    own = asf.axes[index].T @ motion.rotations[:, index].astype(float) @ asf.axes[index]
    held = ["xyz".index(axis) for axis in "xyz" if f"r{axis}" not in asf.degrees_of_freedom[index]]
    angles = Rotation.from_matrix(own).as_euler("xyz")
    # the sines, because (x + 180, 180 - y, z + 180) is the same rotation
    return np.degrees(np.arcsin(np.abs(np.sin(angles[:, held])).max(axis=1)))


def test_a_repaired_clip_is_the_amcs(motion_folder: Path, tmp_path: Path, write_motion: Callable[..., Path]) -> None:
    """An AMC of subject 05, written as cgspeed writes it, comes back to the same positions."""
    folder = motion_folder / "cmu" / "05"
    asf = read_asf(folder / "05.asf")
    exact = read_amc(folder / "05_03.amc", asf)
    t_pose = np.tile(np.eye(3), (31, 1, 1))
    unit = asf.metres_per_unit
    path = write_motion(tmp_path / "a.bvh", as_cgspeed(exact), unit, t_pose=t_pose, frame_time=".0083333")
    broken = read_bvh(path, unit)
    assert broken.frames == exact.frames + 1
    shift = np.linalg.norm(broken.forward()[0][1:] - exact.forward()[0], axis=-1).mean(axis=0)
    assert shift[joint("Head")] == pytest.approx(0.12, abs=0.01), "the release is as broken as it is said to be"
    assert shift[joint("Spine1")] < 1e-6
    mended = repaired(broken, asf)
    np.testing.assert_allclose(mended.forward()[0], exact.forward()[0], atol=1e-6)
    np.testing.assert_array_equal(mended.skeleton.bones, asf.skeleton.bones)
    assert mended.rate_hz == pytest.approx(120.0, rel=1e-4)


def test_the_real_clips_turn_about_the_asfs_axes_only(motion_folder: Path) -> None:
    """The release's zero pose and axes are the ASF's: else a knee would turn about more than its own axis."""
    folder = motion_folder / "cmu" / "05"
    asf = read_asf(folder / "05.asf")
    amcs = [read_amc(path, asf) for path in sorted(folder.glob("*.amc"))]
    heads = [np.median(clip.forward()[0][:, joint("Head"), 1]) for clip in amcs]
    paths = sorted(folder.glob("*.bvh"))
    assert len(paths) == 14
    for path in paths:
        assert not path.with_suffix(".amc").exists(), "this clip could be compared with its AMC"
        clip = repaired(read_bvh(path, asf.metres_per_unit), asf)
        for index, name in enumerate(CMU_JOINTS):
            if index and len(asf.degrees_of_freedom[index]) < 3:
                assert off_axes(clip, asf, name).max() < 0.05, (path.name, name)
        positions = clip.forward()[0]
        assert min(heads) - 0.05 < np.median(positions[:, joint("Head"), 1]) < max(heads) + 0.05
        ankles = positions[:, [joint("LeftFoot"), joint("RightFoot")], 1].min(axis=1)
        assert 0.03 < np.percentile(ankles, 5) < 0.08
        # nothing of the T-pose is left: the first frames go on as smoothly as the rest
        steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1).max(axis=1)
        assert steps[0] < 0.05


def test_the_wrong_asf_is_one_sentence(motion_folder: Path) -> None:
    path = motion_folder / "cmu" / "05" / "05_06.bvh"
    asf = read_asf(motion_folder / "cmu" / "01" / "01.asf")
    motion = read_bvh(path, asf.metres_per_unit)
    with pytest.raises(BonesetterError, match="ASF of the same subject"):
        repaired(motion, asf)
    with pytest.raises(BonesetterError, match="31 joints"):
        repaired(replace(motion, skeleton=replace(motion.skeleton, joints=("other", *CMU_JOINTS[1:]))), asf)
    own = read_asf(motion_folder / "cmu" / "05" / "05.asf")
    with pytest.raises(BonesetterError, match="nothing but its T-pose"):
        repaired(replace(motion, rotations=motion.rotations[:1], root=motion.root[:1]), own)


@pytest.fixture
def retargeted(synthetic: SyntheticTake) -> tuple[Motion, Motion]:
    """CMU motion (y up) and what the retargeted release would make of it, its T-pose fading for some frames."""
    exact = synthetic.motion.on_axes(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    global_rotations = exact.forward()[1]
    # what the release does not carry stands still, and what it has one joint for is shared as the module shares it
    names = tuple(name for name, _, _ in COPIED.values())
    globals_ = np.stack(
        [
            global_rotations[:, joint(cmu)] @ Rotation.from_euler(axis, -angle, degrees=True).as_matrix()
            for cmu, (_, axis, angle) in COPIED.items()
        ],
        axis=1,
    )
    parents = {"abdomen": "hip", "chest": "abdomen", "neck": "chest", "head": "neck"}
    for side in "lr":
        parents |= {f"{side}Thigh": "hip", f"{side}Shin": f"{side}Thigh", f"{side}Foot": f"{side}Shin"}
        parents |= {f"{side}Shldr": "chest", f"{side}ForeArm": f"{side}Shldr", f"{side}Hand": f"{side}ForeArm"}
    indices = tuple(names.index(parents[name]) if name in parents else -1 for name in names)
    local = globals_.copy()
    for index, parent in enumerate(indices):
        if parent >= 0:
            local[:, index] = globals_[:, parent].swapaxes(-1, -2) @ globals_[:, index]
    places = np.zeros((len(names), 3))
    for side in "lr":
        places[[names.index(f"{side}Shin"), names.index(f"{side}Foot")]] = [[0, -0.37, 0], [0, -0.45, 0]]
    skeleton = Skeleton(names, indices, np.zeros_like(places), places)
    still = np.tile(np.eye(3), (FADING_FRAMES, len(names), 1, 1))
    root = np.concatenate([exact.root[:1]] * FADING_FRAMES + [exact.root])
    return exact, Motion(skeleton, np.concatenate([still, local]), root, 120.0)


def test_retargeting_is_undone(retargeted: tuple[Motion, Motion]) -> None:
    exact, theirs = retargeted
    back = onto_cmu(theirs)
    assert back.frames == exact.frames
    assert back.skeleton.joints == CMU_JOINTS
    want, got = exact.forward()[1], back.forward()[1]
    for name in COPIED:
        np.testing.assert_allclose(got[:, joint(name)], want[:, joint(name)], atol=1e-6, err_msg=name)
    for name, (below, above, part) in SHARED.items():
        first, middle, last = (Rotation.from_matrix(got[:, joint(end)]) for end in (below, name, above))
        np.testing.assert_allclose((first.inv() * middle).magnitude(), part * (first.inv() * last).magnitude(), atol=1e-6)
    balls = back.forward()[0][:, [joint("LeftToeBase"), joint("RightToeBase")], 1].min(axis=1)
    assert np.percentile(balls, 10) == pytest.approx(BALL_HEIGHT_M)


def test_another_skeleton_is_one_sentence(retargeted: tuple[Motion, Motion]) -> None:
    exact, theirs = retargeted
    with pytest.raises(BonesetterError, match="lacks the joint hip"):
        onto_cmu(exact)
    with pytest.raises(BonesetterError, match="nothing but its T-pose"):
        onto_cmu(replace(theirs, rotations=theirs.rotations[:FADING_FRAMES], root=theirs.root[:FADING_FRAMES]))


@pytest.mark.parametrize("clip", ["salsa/01", "salsa/16", "indian/08", "cmu_10_11_14/10_01"])
def test_dancers_are_dancers(motion_folder: Path, clip: str) -> None:
    asf = read_asf(motion_folder / "cmu" / "131" / "131.asf")
    motion = onto_cmu(read_bvh(motion_folder / "retargeted" / f"{clip}.bvh"))
    # the angles of the original: elbows and knees are hinges, wrists twist
    for name, most in (("ForeArm", 0.5), ("Hand", 0.5), ("Leg", 2.0)):
        for side in ("Left", "Right"):
            # the release bends a few knees sideways by itself
            assert np.percentile(off_axes(motion, asf, side + name), 90) < most, (side, name)
    for side in ("Left", "Right"):
        index = joint(f"{side}Leg")
        bend = Rotation.from_matrix(asf.axes[index].T @ motion.rotations[:, index] @ asf.axes[index]).as_euler("xyz", degrees=True)[:, 0]
        assert np.median(bend) > 5, "knees bend backwards"
    positions, global_rotations = motion.forward()
    heights = dict(zip(CMU_JOINTS, np.median(positions[..., 1], axis=0), strict=True))
    assert heights["Head"] > heights["Spine1"] > heights["Hips"] > heights["LeftLeg"] > heights["LeftFoot"] > 0.02
    assert 1.3 < heights["Head"] < 1.65
    # nothing is mirrored: in the pelvis' own frame the left thigh is on the left, and thighs and toes mostly point forward
    own = np.einsum("fba,fjb->fja", global_rotations[:, 0], positions - positions[:, :1])
    assert (own[:, joint("LeftUpLeg"), 0] > own[:, joint("RightUpLeg"), 0]).all()
    assert np.median(own[:, joint("LeftLeg"), 0]) > np.median(own[:, joint("RightLeg"), 0])
    assert np.median(own[:, joint("LeftToeBase"), 2] - own[:, joint("LeftFoot"), 2]) > 0.05
    # the head looks about where the pelvis does
    assert np.median((global_rotations[:, joint("Head"), :, 2] * global_rotations[:, 0, :, 2]).sum(axis=-1)) > 0.7
