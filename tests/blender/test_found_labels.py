# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels that a solve found by motion, on the markers in Blender."""

from __future__ import annotations

import dataclasses
import json

import bpy
import numpy as np


def test_markers_get_the_labels_that_were_found(ext, scene, load, synthetic_take, engine_python):
    """A take whose points have no names: the samples stand under the found labels, and a muted marker stays as it is."""
    takes = ext("operators.takes")
    order = np.random.default_rng(0).permutation(len(synthetic_take.labels)).tolist()
    nameless = synthetic_take.only(order, tuple(f"*{row}" for row in range(len(order))))
    take = load(dataclasses.replace(nameless, origins=(), findings=()))
    before = ext("operators.gather").gather_take(scene, take)
    muted = takes.markers(take)["*3"]
    muted[takes.MUTED] = True
    try:
        assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
        assert [item.kind for item in take.bonesetter.findings].count("labelled") == 1
        labels = takes.markers(take)
        assert labels["*3"] == muted
        known = set(synthetic_take.labels)
        assert len(set(labels) & known) > 0.9 * len(known)
        assert not {one.name for one in take.all_objects} - {take.bonesetter.armature.name} - set(labels)
        after = ext("operators.gather").gather_take(scene, take, muted=True)
        assert after.present.sum() == before.present.sum()
        wrong = 0
        for label in known & set(after.labels):
            own = synthetic_take.positions[:, synthetic_take.labels.index(label)]
            there = after.positions[:, after.labels.index(label)]
            both = np.isfinite(own[:, 0]) & np.isfinite(there[:, 0])
            wrong += (np.linalg.norm(own - there, axis=-1)[both] > 1e-4).sum()
        assert wrong < 0.02 * before.present.sum()
        # what is said of found labels goes to their markers
        (said,) = [json.loads(item.document) for item in take.bonesetter.findings if item.kind == "labelled"]
        assert not said["columns"]
        assert not ext("operators.freshness").out_of_date(take)
    finally:
        ext("operators.session").session.close()


def test_a_leg_without_names_gets_its_labels_and_all_else_keeps_its_own(ext, scene, load, synthetic_take, engine_python):
    """Names in the file, prefix and all, stay; solved once more, the take has all its labels."""
    leg = ("LTHI", "LKNE", "LSHN", "LANK", "LHEE", "LTOE", "LMT5")
    named = {label: f"Ann:{label}" for label in synthetic_take.labels if label not in leg}
    labels = tuple(named.get(label, f"*{row}") for row, label in enumerate(synthetic_take.labels))
    take = load(dataclasses.replace(synthetic_take, labels=labels, origins=(), findings=()))
    before = ext("operators.gather").gather_take(scene, take)
    try:
        assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
        assert {*named.values(), *leg} <= set(ext("operators.takes").markers(take))
        after = ext("operators.gather").gather_take(scene, take)
        assert after.present.sum() == before.present.sum()
        for row, label in enumerate(synthetic_take.labels):
            there = after.positions[:, after.labels.index(named.get(label, label))]
            # but for samples that had been swapped, and were put right
            same = np.isclose(there, before.positions[:, row], atol=1e-5) | np.isnan(there)
            assert same.all(axis=1).mean() > 0.9
        assert [item.kind for item in take.bonesetter.findings].count("labelled") == 1
        assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
        assert "labelled" not in {item.kind for item in take.bonesetter.findings}
    finally:
        ext("operators.session").session.close()
