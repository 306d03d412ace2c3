# SPDX-License-Identifier: GPL-3.0-or-later
"""mink on MuJoCo: differential inverse kinematics, a quadratic programme a step, each frame from the one before."""

from __future__ import annotations

from importlib.metadata import version as installed

import mink  # pyright: ignore[reportMissingImports]
import mujoco  # pyright: ignore[reportMissingImports]
import numpy as np

from ...actors.actor import Actor
from ...core.motion import Motion
from ...core.rigid import local_rotations
from ...core.take import FloatArray, Take
from . import Solved
from .articulation import articulate
from .mjcf import mjcf

SLOW = False

#: How much an angle of 1 rad away from the mean pose weighs, against 1 m between a marker and its sample.
POSTURE_COST = 0.03
#: How much the tasks' own errors damp a step: undamped, a marker that jumps by decimetres throws whole limbs about.
DAMPING = 1.0
#: Steps for a frame, at most, and for the first one, which begins farther away.
STEPS, FIRST_STEPS = 20, 200
#: A step that moves no coordinate by more than this, in rad or m, is a frame's last.
STILL = 1e-3


def version() -> str:
    """Of mink and of MuJoCo."""
    return f"{installed('mink')}, MuJoCo {mujoco.__version__}"


def solve(actor: Actor, take: Take) -> Solved:
    """Solve a take frame by frame; a missing marker has no task in its frame, and a frame without markers repeats the one before."""
    body = articulate(actor, take)
    model = mujoco.MjModel.from_xml_string(mjcf(body))
    configuration = mink.Configuration(model)
    posture = mink.PostureTask(model, POSTURE_COST)
    posture.set_target(configuration.q)
    tasks = [mink.FrameTask(label, "site", position_cost=1.0, orientation_cost=0.0, lm_damping=DAMPING) for label in take.labels]
    nodes = [model.body(name).id for name in actor.skeleton.joints]
    global_rotations = np.empty((take.frames, len(nodes), 3, 3))
    root = np.empty((take.frames, 3))
    present = take.present
    for frame in range(take.frames):
        pull = [(tasks[marker], take.positions[frame, marker]) for marker in np.flatnonzero(present[frame])]
        follow(configuration, posture, pull, STEPS if frame > body.first else FIRST_STEPS)
        global_rotations[frame] = configuration.data.xmat[nodes].reshape(-1, 3, 3)
        root[frame] = configuration.data.xpos[nodes[0]]
    motion = Motion(actor.skeleton, local_rotations(global_rotations, actor.skeleton.parents), root, take.rate_hz)
    return Solved(motion, body.actor.markers(motion))


def follow(configuration: mink.Configuration, posture: mink.PostureTask, pull: list[tuple[mink.FrameTask, FloatArray]], steps: int) -> None:
    """Step until the body stands still, where its sites are drawn to points and its angles, far less, to the mean pose.

    Args:
        configuration: Of the body; it is changed.
        posture: The mean pose.
        pull: Each marker that is seen: its site's task, and where it is, (3,) in metres.
        steps: At most.
    """
    if not pull:
        return
    tasks = [posture, *(task for task, _ in pull)]
    for _ in range(steps):
        for task, point in pull:
            # only the place counts; with another orientation than its own the error would be a screw's, not a straight line's
            here = configuration.get_transform_frame_to_world(task.frame_name, "site")
            task.set_target(mink.SE3.from_rotation_and_translation(here.rotation(), point))
        velocity = mink.solve_ik(configuration, tasks, 1.0, "daqp", damping=1e-6, limits=[])
        configuration.integrate_inplace(velocity, 1.0)
        if np.abs(velocity).max() < STILL:
            return
