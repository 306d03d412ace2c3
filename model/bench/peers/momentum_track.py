# SPDX-License-Identifier: GPL-3.0-or-later
"""Momentum's marker tracking: calibrated on a clean take, each frame from the one before, then all frames together."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version as installed

import numpy as np
import pymomentum.geometry as geometry  # pyright: ignore[reportMissingImports]
import pymomentum.marker_tracking as tracking  # pyright: ignore[reportMissingImports]

from ...actors.actor import Actor
from ...actors.prior import bundled
from ...core.take import FloatArray, Take
from . import Solved
from .articulation import Articulation, articulate
from .momentum_rig import CM, ROOT_NAMES, SCALE, Rig, rig

SLOW = False

#: Momentum's general loss (Barron 2019): 0 is Cauchy's. Its own 2, least squares, follows markers that jump wherever they go.
ROBUST = 0.0
#: What damps a step. Its own 0.05 stops a frame some mm short, and with a robust loss, whose pull is weaker, decimetres.
DAMPING = 1e-4
#: How much an angle of 1 rad from the frame before weighs while it tracks, and while it refines; its own is none at all.
SMOOTHING, REFINED = 0.003, 0.01
#: Frames to calibrate on, and how far at most the tracking may step to look for those that differ: from 5 on, each frame by itself.
CALIBRATION_FRAMES, STRIDE = 50, 4
#: What damps a step of the calibration, whose markers are clean and whose loss is Momentum's own.
CALIBRATION_DAMPING = 1e-3


def version() -> str:
    """Momentum's."""
    return installed("pymomentum-core")


def calibrate(actor: Actor, clean: Take) -> Actor:
    """Momentum's own calibration of bones' lengths and of markers' offsets.

    Args:
        actor: To begin with.
        clean: A take of the same person with nothing wrong with its markers; those that the actor lacks are left out.
    """
    clean = clean.only([row for row, label in enumerate(clean.labels) if label in actor.labels])
    body = articulate(actor, clean)
    shape = rig(body, bundled().pose)
    character = character_of(body, shape)
    config = tracking.CalibrationConfig(calib_frames=CALIBRATION_FRAMES, greedy_sampling=STRIDE, regularization=CALIBRATION_DAMPING)
    sizes, _, _ = tracking.calibrate_markers(character, unmoved(shape), seen(clean), config)
    skeleton = body.actor.skeleton
    bones = skeleton.bones.copy()
    for name, size in zip(shape.names, sizes, strict=True):
        if name.startswith(SCALE):
            bones[skeleton.joints.index(name.removeprefix(SCALE))] *= 1.0 + size
    offsets = np.stack([shape.frames[locator.parent] @ locator.offset for locator in character.locators]) / CM
    return replace(body.actor, skeleton=replace(skeleton, bones=bones), marker_offsets=offsets)


def solve(actor: Actor, take: Take) -> Solved:
    """Track a take, then refine it; Momentum leaves an occluded marker out of its frame, and smooths over a frame without any."""
    body = articulate(actor, take)
    shape = rig(body, bundled().pose)
    character, markers = character_of(body, shape), seen(take)
    following = tracking.TrackingConfig(loss_alpha=ROBUST, regularization=DAMPING, smoothing=SMOOTHING)
    found = tracking.process_markers(character, unmoved(shape), markers, following, tracking.CalibrationConfig(), calibrate=False)
    smoothing = tracking.RefineConfig(loss_alpha=ROBUST, smoothing=REFINED)
    found = np.asarray(tracking.refine_motion(character, unmoved(shape), found, markers, smoothing), dtype=float)
    angles = found[:, 3 : len(ROOT_NAMES) + len(body.names)]
    motion = body.motion(angles, body.start + found[:, :3] / CM, take.rate_hz)
    return Solved(motion, body.actor.markers(motion))


def character_of(body: Articulation, shape: Rig) -> geometry.Character:
    """The body as a character whose locators are the markers."""
    skeleton = body.actor.skeleton
    joints = zip(skeleton.joints, skeleton.parents, shape.rests, shape.places, strict=True)
    bones = geometry.Skeleton([geometry.Joint(name, parent, rest, place) for name, parent, rest, place in joints])
    parameters = geometry.ParameterTransform(list(shape.names), bones, shape.transform.astype(np.float32))
    markers = zip(body.actor.labels, body.actor.marker_joints, shape.offsets, strict=True)
    locators = [geometry.Locator(name=label, parent=joint, offset=offset) for label, joint, offset in markers]
    character = geometry.Character("actor", bones, parameters, locators=locators)
    return character.with_parameter_limits([geometry.ParameterLimit.create_minmax(*limit) for limit in shape.limits])


def unmoved(shape: Rig) -> FloatArray:
    """Parameters (parameters,) of the body where the take begins, in its own size."""
    return np.zeros(len(shape.names), dtype=np.float32)


def seen(take: Take) -> list[list[geometry.Marker]]:
    """The markers of every frame, in cm; one that is missing is occluded."""
    frames = []
    for points, present in zip(take.positions, take.present, strict=True):
        samples = zip(take.labels, points * CM, present, strict=True)
        frames.append([geometry.Marker(label, point if there else np.zeros(3), not there) for label, point, there in samples])
    return frames
