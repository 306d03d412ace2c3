# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of a take in the scene spoilt by a script, and found and repaired as a person would, by the panel's operators."""

from __future__ import annotations

import json
from dataclasses import dataclass

import bpy
import numpy as np

#: Of all samples so many are spoilt, half of them by swaps; stretches are so long, in s, and samples are moved so far, in m.
PART, SECONDS, AWAY = 0.05, (0.1, 0.7), (0.05, 0.3)
#: A click may lead to so long before a stretch: those that are near to each other are shown as one.
NEAR_SECONDS = 0.1


@dataclass(frozen=True)
class Spoilt:
    """What was done to a stretch: "swap" or "move", the markers, and the first and the last sample."""

    kind: str
    labels: tuple[str, ...]
    first: int
    last: int


def spoil(ext, scene, take, seed=1) -> list[Spoilt]:
    """Swap neighbours and move markers, no two stretches of a marker touching each other."""
    edits, there = ext("operators.marker_edits"), ext("operators.takes").markers(take)
    gathered = ext("operators.gather").gather_take(scene, take)
    random, labels, done = np.random.default_rng(seed), list(gathered.labels), []
    taken = np.zeros(gathered.positions.shape[:2], dtype=bool)
    samples = {label: edits.Samples(there[label], scene, take) for label in labels}
    middle = np.nanmedian(gathered.positions, axis=0)
    wanted = PART * taken.size
    while taken.sum() < wanted:
        swapped = sum(len(each.labels) * (each.last - each.first + 1) for each in done if each.kind == "swap")
        kind = "swap" if swapped < wanted / 2 else "move"
        length = round(random.uniform(*SECONDS) * gathered.rate_hz)
        row, first = int(random.integers(len(labels))), int(random.integers(gathered.frames - length))
        rows = [row]
        if kind == "swap":
            near = np.argsort(np.linalg.norm(middle - middle[row], axis=-1))[1:5]
            rows.append(int(random.choice(near)))
        around = slice(max(0, first - 10), first + length + 10)
        if taken[around, rows].any() or not gathered.present[around, rows].all():
            continue
        span = slice(first, first + length)
        if kind == "swap":
            samples[labels[rows[0]]].exchange(samples[labels[rows[1]]], span)
        else:
            way = random.normal(size=3)
            samples[labels[row]].places[span] += way / np.linalg.norm(way) * random.uniform(*AWAY)
        taken[span, rows] = True
        done.append(Spoilt(kind, tuple(labels[each] for each in rows), first, first + length - 1))
    for each in samples.values():
        each.write()
    bpy.context.view_layer.update()
    return done


def clicked(ext, take) -> list[tuple[int, set[str]]]:
    """Frame and selected labels after each click on the list of findings: every row is clicked until it has shown all of its stretches."""
    label, found = ext("operators.takes").LABEL, []
    for row, item in enumerate(take.bonesetter.findings):
        bpy.context.scene.frame_set(bpy.context.scene.frame_start)
        for _ in json.loads(item.document)["frames"]:
            assert bpy.ops.bonesetter.show_finding(index=row) == {"FINISHED"}
            found.append((bpy.context.scene.frame_current, {one[label] for one in bpy.context.selected_objects if label in one}))
    return found


def missed(ext, scene, take, done) -> list[Spoilt]:
    """The spoilt stretches that no click on the list leads to, with one of their markers selected."""
    review = ext("operators.review").review_of(scene, take)
    near = round(NEAR_SECONDS * review.take.rate_hz)
    found = [(review.sample(frame), labels) for frame, labels in clicked(ext, take)]
    return [
        each for each in done if not any(each.first - near <= sample <= each.last and labels & set(each.labels) for sample, labels in found)
    ]


def repair(ext, scene, take, done, kind) -> None:
    """What a person does at these stretches: swaps are swapped back; moved samples are deleted, or after a solve filled from it."""
    there, review = ext("operators.takes").markers(take), ext("operators.review").review_of(scene, take)
    operators = {"swap": [bpy.ops.bonesetter.swap_markers], "delete": [bpy.ops.bonesetter.delete_samples]}
    operators["fill"] = [*operators["delete"], bpy.ops.bonesetter.fill_from_solve]
    for each in done:
        if (each.kind == "swap") == (kind == "swap"):
            ext("operators.view").select(bpy.context, [there[label] for label in each.labels])
            bpy.context.view_layer.objects.active = there[each.labels[0]]
            for operator in operators[kind]:
                assert operator(first=review.frame(each.first), last=review.frame(each.last)) == {"FINISHED"}


def joints(take, every=5) -> np.ndarray:
    """(frames, bones, 3) in Blender units: where the solved armature's joints are."""
    rig, scene = take.bonesetter.armature, bpy.context.scene
    found = []
    for frame in range(scene.frame_start, scene.frame_end + 1, every):
        scene.frame_set(frame)
        found.append([rig.matrix_world @ bone.head for bone in rig.pose.bones])
    return np.array(found)
