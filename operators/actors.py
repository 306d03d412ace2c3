# SPDX-License-Identifier: GPL-3.0-or-later
"""Actors kept in the .blend: each is a text that holds its JSON, so that it can be read, appended to other files and undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from .properties import is_actor

if TYPE_CHECKING:
    from ..model.actors.actor import Actor


def keep_actor(name: str, path: Path) -> bpy.types.Text:
    """Keep the actor of a file under a name, which Blender changes where another text has it.

    Raises:
        BonesetterError: The file is missing, or is no actor.
    """
    from ..model.actors.actor_file import read_actor

    actor = read_actor(path)
    text = bpy.data.texts.new(name)
    text.from_string(path.read_text(encoding="utf-8"))
    text.use_fake_user = True
    _describe(text, actor)
    return text


def keep_instead(name: str, path: Path) -> bpy.types.Text:
    """Keep the actor of a file as `keep_actor`, in place of one of that name, also for the takes that have it.

    Raises:
        BonesetterError: The file is missing, or is no actor.
    """
    new = keep_actor(name, path)
    for old in [text for text in kept_actors() if text.name == name and text != new]:
        old.user_remap(new)
        bpy.data.texts.remove(old)
    new.name = name
    return new


def kept_actors() -> list[bpy.types.Text]:
    """All actors of the .blend."""
    return [text for text in bpy.data.texts if is_actor(None, text)]


def remove_actor(text: bpy.types.Text) -> None:
    """Remove an actor from the .blend."""
    # Blender 5.0 leaves a collection's pointer to a text that is gone
    for owner in (*bpy.data.collections, *bpy.data.scenes):
        if owner.bonesetter.kept_actor == text:
            owner.bonesetter.kept_actor = None
    bpy.data.texts.remove(text)


def person_of(take: str) -> bpy.types.Text | None:
    """The actor that is called as the person in a take's name, such as Ann in `duet.Ann`; None where there is none."""
    return next((text for text in kept_actors() if text.name == person_name(take)), None)


def person_name(take: str) -> str:
    """What the actor of a take is called unless the user says otherwise."""
    return take.rpartition(".")[2] or take


def write_kept(text: bpy.types.Text, folder: Path) -> str:
    """Write an actor as a file for the engine, under its own name, which a refusal then tells; returns the file's path."""
    home = folder / "actors"
    home.mkdir(exist_ok=True)
    path = home / f"{bpy.path.clean_name(text.name)}.json"
    path.write_text(text.as_string(), encoding="utf-8")
    return str(path)


def _describe(text: bpy.types.Text, actor: Actor) -> None:
    # not above: armatures know takes, and these actors
    from .armature import rest_bones

    shown = text.bonesetter
    shown.is_actor = True
    heads, tails = rest_bones(actor.skeleton)
    shown.height_m = float(max(heads[:, 2].max(), tails[:, 2].max()))
    for row, label in enumerate(actor.labels):
        marker = shown.markers.add()
        marker.name, marker.joint = label, actor.skeleton.joints[actor.marker_joints[row]]
        marker.place_mm = (1000 * actor.marker_offsets[row]).tolist()
        if actor.offset_sigma is not None and np.isfinite(actor.offset_sigma[row]).all():
            marker.sigma_mm = 1000 * float(np.sqrt((actor.offset_sigma[row] ** 2).mean()))
