# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands of a character with longer arms, as the panel has them reach."""

from __future__ import annotations

import bpy
import numpy as np

from .rigs_in_blender import made_rigs, to_armature
from .test_rigs import FRAMES, performer  # noqa: F401 - a fixture


def test_hands_reach_as_the_panel_says(ext, scene, performer):  # noqa: F811 - the fixture
    """As Blender shows it: how far wrists are apart, against the actor's scaled as arms are long."""
    made = made_rigs(ext)
    rig = to_armature(scene, made.build(made.Made("Mixamo", 30, arms=1.2)))
    choice, actor = performer.bonesetter.rig, performer.bonesetter.armature
    choice.armature = rig
    off = []
    for hands in (0.0, 0.5, 1.0):
        choice.hands = hands
        assert bpy.ops.bonesetter.apply_to_rig() == {"FINISHED"}
        apart = []
        for frame in range(5, FRAMES, 10):
            scene.frame_set(frame)
            theirs, own = (
                np.array(one.matrix_world @ one.pose.bones[left].head - one.matrix_world @ one.pose.bones[right].head)
                for one, left, right in ((actor, "LeftFingerBase", "RightFingerBase"), (rig, "LeftHand", "RightHand"))
            )
            apart.append(np.linalg.norm(own - 1.2 * theirs))
        off.append(np.mean(apart))
    assert off[0] > off[1] > off[2], off
    # not wholly: some hands are near the head, and this actor's forearms bend in their middle
    assert off[2] < 0.8 * off[0], off
    assert performer.bonesetter.rig.applied[0].hands == 1.0
