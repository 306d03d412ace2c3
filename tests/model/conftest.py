# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes and solutions that need no data and no solver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from model.core.threads import share_the_machine

share_the_machine()

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from model.actors.actor import Actor
from model.core.axes import TO_Y_UP
from model.markers.cleaning import clean
from model.marker_sets.marker_set import MarkerSet, load_marker_set
from model.core.findings import Finding
from model.core.motion import Motion
from model.core.rigid import quaternions
from model.actors.prior import Prior, bundled
from model.core.settings import Settings
from model.core.skeleton import CMU_HIERARCHY
from model.datasets.motion_library import Clip
from model.files.asf_amc import ASF_TO_C3D
from model.result.solution import Solution
from model.solver.kinematics import Body
from model.study import train
from model.synthetic import markers
from model.synthetic.markers import Footage, gather_footage
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise
from model.core.take import Axis, Take

from .study_runs import NODS, nodding

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("BONESETTER_CASES") or ROOT.parent / "shared" / "cases")
DATA = Path(os.environ.get("BONESETTER_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def takes_folder() -> Path:
    """The real takes; a test that asks for them is skipped where there are none."""
    folder = DATA / "takes"
    if not folder.is_dir():
        pytest.skip(f"the real takes are not at {folder}")
    return folder


@pytest.fixture(scope="session")
def case() -> Callable[[str], Path]:
    """The path of a file that once went wrong, by its stem; a test that asks for one is skipped where it is not there."""

    def path(stem: str) -> Path:
        file = CASES / f"{stem}.c3d"
        if not file.is_file():
            pytest.skip(f"the file is not at {file}")
        return file

    return path


@pytest.fixture(scope="session")
def motion_folder() -> Path:
    """The real motion; a test that asks for it is skipped where there is none."""
    folder = DATA / "motion"
    if not folder.is_dir():
        pytest.skip(f"the real motion is not at {folder}")
    return folder


@pytest.fixture
def write_asf() -> Callable[[Path], Path]:
    """Writes an ASF: every bone 2 units along x; the left knee turns about the ASF's x by an axis rotated 90 degrees about z."""

    def write(path: Path) -> Path:
        bones = []
        for _, name, _ in CMU_HIERARCHY[1:]:
            axis, freedom = ("0 0 90", "dof rx\n") if name == "ltibia" else ("0 0 0", "")
            bones.append(f"begin\nid 1\nname {name}\ndirection 1 0 0\nlength 2\naxis {axis} XYZ\n{freedom}end\n")
        path.write_text(":units\nmass 1.0\nlength 0.5\nangle deg\n:root\norder TX TY TZ RX RY RZ\n:bonedata\n" + "".join(bones))
        return path

    return write


@pytest.fixture
def write_motion() -> Callable[..., Path]:
    """Writes any motion as BVH, in units of the given metres, with a T-pose of its own before it if there is one."""

    def write(
        path: Path,
        motion: Motion,
        metres_per_unit: float = 0.01,
        orders: Sequence[str] | None = None,
        t_pose: np.ndarray | None = None,
        frame_time: str = "0.0083333",
    ) -> Path:
        skeleton = motion.skeleton
        chosen = orders or ["ZYX"] * len(skeleton.joints)
        offsets, ends = skeleton.offsets / metres_per_unit, skeleton.bones / metres_per_unit

        def lines(joint: int) -> Iterator[str]:
            root = skeleton.parents[joint] < 0
            yield f"{'ROOT' if root else 'JOINT'} {skeleton.joints[joint]}"
            yield "{"
            yield "OFFSET " + " ".join(f"{value:.9g}" for value in offsets[joint])
            places = "6 Xposition Yposition Zposition" if root else "3"
            yield f"CHANNELS {places} " + " ".join(f"{axis}rotation" for axis in chosen[joint])
            children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
            for child in children:
                yield from lines(child)
            if not children:
                yield from ("End Site", "{", "OFFSET " + " ".join(f"{value:.9g}" for value in ends[joint]), "}")
            yield "}"

        rotations, root = motion.rotations, motion.root
        if t_pose is not None:
            rotations, root = np.concatenate([t_pose[None], rotations]), np.concatenate([root[:1], root])
        angles = [Rotation.from_matrix(rotations[:, joint]).as_euler(chosen[joint], degrees=True) for joint in range(len(chosen))]
        rows = np.concatenate([root / metres_per_unit, *angles], axis=1)
        text = "HIERARCHY\n" + "\n".join(lines(0)) + f"\nMOTION\nFrames: {len(rows)}\nFrame Time: {frame_time}\n"
        path.write_text(text + "\n".join(" ".join(f"{value:.9g}" for value in row) for row in rows) + "\n")
        return path

    return write


@pytest.fixture(scope="session")
def marker_set() -> MarkerSet:
    return load_marker_set()


@pytest.fixture(scope="session")
def prior() -> Prior:
    return bundled()


@pytest.fixture(scope="session")
def synthetic() -> SyntheticTake:
    return synthesise(seconds=10.0, seed=1)


@pytest.fixture
def small_take() -> Take:
    """Four markers, five frames, one of them missing."""
    positions = np.random.default_rng(0).normal(size=(5, 4, 3))
    positions[2, 1] = np.nan
    return Take("small", ("LFHD", "RFHD", "C7", "CLAV"), positions, np.zeros((5, 4)), 100.0)


@pytest.fixture(scope="session")
def solved(synthetic: SyntheticTake, marker_set: MarkerSet) -> Callable[[Axis], Solution]:
    """A true solution of the synthetic take, with its Z or its Y axis up."""

    def make(up_axis: Axis) -> Solution:
        turn = TO_Y_UP[up_axis].T @ TO_Y_UP["Z"]
        actor = bundled().mean_actor()
        motion = synthetic.motion.on_axes(turn)
        take = replace(synthetic.take, positions=synthetic.take.positions @ turn.T, up_axis=up_axis, findings=(Finding("file", "Said."),))
        return Solution(
            clean=clean(take, marker_set, Settings()),
            actor=actor,
            rotations=quaternions(motion.rotations),
            positions=motion.forward()[0],
            markers_model=actor.markers(motion),
            findings=take.findings,
            seconds={"pose": 0.5},
        )

    return make


@pytest.fixture(scope="session")
def shared_markers() -> Callable[[Actor], Actor]:
    """Makes every third marker of an actor follow its joint's parent as well."""

    def share(actor: Actor) -> Actor:
        weights = actor.weights
        for marker, joint in enumerate(actor.marker_joints):
            other = actor.skeleton.parents[joint]
            if marker % 3 == 0 and other >= 0:
                weights[marker, [joint, other]] = 0.7, 0.3
        return replace(actor, marker_weights=weights)

    return share


@pytest.fixture(scope="session")
def noiseless() -> SyntheticTake:
    """Six seconds of true markers."""
    return synthesise(seconds=6.0, noise=Noise(jitter=0.0, gaps=0.0, long_gaps=0, spikes=0.0, swaps=0))


@pytest.fixture(scope="session")
def body(prior: Prior) -> Body:
    """The mean person's, in double precision."""
    return Body(prior.mean_actor(), prior.pose, torch.device("cpu"), torch.float64)


@pytest.fixture(scope="session", params=[1, 2], ids=["one joint a marker", "several"])
def any_body(request: pytest.FixtureRequest, prior: Prior, shared_markers: Callable[[Actor], Actor]) -> Body:
    """The mean person's, with markers on one joint each, and with markers that joints share."""
    actor = prior.mean_actor() if request.param == 1 else shared_markers(prior.mean_actor())
    return Body(actor, prior.pose, torch.device("cpu"), torch.float64)


@pytest.fixture(scope="session")
def footage(synthetic: SyntheticTake) -> Footage:
    """The synthetic motion as footage of somebody."""
    return gather_footage([synthetic.motion.on_axes(ASF_TO_C3D.T)], ["somebody"])


@pytest.fixture
def no_sliding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skin follows its joint, and does not wander by itself."""
    monkeypatch.setattr(markers, "SLIDING_M", 0.0)


@pytest.fixture
def library(synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Synthetic motion instead of the data's; says which splits were read."""
    asked: list[str] = []

    def read(split: str) -> list[Clip]:
        asked.append(split)
        parts = [slice(0, 200), slice(300, 700)] if split == "train" else [slice(700, 1000)]
        return [Clip(f"{split}_{row}", split, nodding(synthetic, NODS[split], part)) for row, part in enumerate(parts)]

    markers.footage_of.cache_clear()
    monkeypatch.setattr(markers, "read_split", read)
    yield asked
    markers.footage_of.cache_clear()


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time of so short a run is its curve's."""
    monkeypatch.setattr(train, "draw_curve", lambda history, title, path: None)
