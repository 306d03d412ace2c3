# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a take's result still is that of its markers and of the settings.

A solve notes a digest of both on the take. Reading every key again takes some hundredths of a second, so the digest of a take is kept until
Blender says that an action or a collection changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import bpy
import numpy as np

from ..model.core.settings import SETTINGS
from .properties import files_of, settings_of
from .session import Digest, session
from .takes import LABEL, MUTED, PINNED
from .version import own_version


def basis_of(collection: bpy.types.Collection) -> tuple[str, str]:
    """What a take would be solved from now: digests of its markers and of the settings."""
    session.digests.pop(collection.session_uid, None)
    return markers_digest(collection), _settings(collection)


def note_solved(collection: bpy.types.Collection, basis: tuple[str, str]) -> None:
    """Remember what a take was solved from: what was changed while that went on is out of date at once."""
    collection.bonesetter.solved_markers, collection.bonesetter.solved_settings = basis
    collection.bonesetter.solved_ranges = ""
    collection.bonesetter.made_by = own_version()


def out_of_date(collection: bpy.types.Collection) -> str:
    """One sentence on why a take's result no longer is what a solve would give; nothing where it is."""
    from .skeletons import is_as_chosen

    take = collection.bonesetter
    if not take.solved:
        return ""
    if take.armature is None or not take.armature.users_scene:
        return "The armature was deleted: solve again."
    if take.solved_markers and take.solved_markers != markers_digest(collection):
        if take.solved_ranges:
            return f"Markers were changed since the whole take was solved; frames {take.solved_ranges} were solved again."
        return "Markers were changed since: solve again."
    # an older version knew fewer settings
    others = take.solved_settings and _usual() | json.loads(take.solved_settings) != json.loads(_settings(collection))
    if others or not is_as_chosen(collection):
        return "Settings were changed since: solve again."
    return ""


def markers_digest(collection: bpy.types.Collection) -> str:
    """A digest of the keys of all markers of a take, and of which there are."""
    known = session.digests.get(collection.session_uid)
    if known is None or not known.holds:
        began = time.monotonic()
        text = _read_markers(collection)
        now = time.monotonic()
        session.digests[collection.session_uid] = known = Digest(text, now, now - began)
    return known.text


def _read_markers(collection: bpy.types.Collection) -> str:
    from .keyframes import bound_channelbag

    digest = hashlib.blake2b(digest_size=16)
    # undo and sorting change the order of objects, not of labels
    marked = (one for one in collection.all_objects if LABEL in one)
    for marker in sorted(marked, key=lambda one: (str(one[LABEL]), one.name)):
        bag = bound_channelbag(marker)
        digest.update(str(marker[LABEL]).encode(errors="replace"))
        if bag is None or all(curve.data_path != "location" for curve in bag.fcurves):
            digest.update(np.array(marker.location, dtype=np.float32).tobytes())
        digest.update(np.array(marker.delta_location, dtype=np.float32).tobytes())
        digest.update(curves_digest(bag.fcurves if bag is not None else ()))
        digest.update(f"{marker.get(MUTED, 0)} {list(marker.get(PINNED, ()))}".encode())
    return digest.hexdigest()


def curves_digest(curves: Iterable[Any]) -> bytes:
    """A digest of all keys and samples of curves, whatever bone they are of."""
    digest = hashlib.blake2b(digest_size=16)
    for curve in sorted(curves, key=lambda one: (one.data_path, one.array_index)):
        digest.update(f"{curve.data_path.rpartition('.')[2]}[{curve.array_index}]".encode(errors="replace"))
        stored = curve.sampled_points if len(curve.sampled_points) else curve.keyframe_points
        points = np.empty(2 * len(stored), dtype=np.float32)
        stored.foreach_get("co", points)
        digest.update(points.tobytes())
    return digest.digest()


def register() -> None:
    bpy.app.handlers.depsgraph_update_post.append(_note_change)
    bpy.app.handlers.undo_post.append(_note_undo)
    bpy.app.handlers.redo_post.append(_note_undo)


def unregister() -> None:
    for handlers, one in (
        (bpy.app.handlers.depsgraph_update_post, _note_change),
        (bpy.app.handlers.undo_post, _note_undo),
        (bpy.app.handlers.redo_post, _note_undo),
    ):
        if one in handlers:
            handlers.remove(one)
    session.digests.clear()


def _usual() -> dict[str, Any]:
    return {name: setting.default for name, setting in SETTINGS.items()}


def _settings(collection: bpy.types.Collection) -> str:
    chosen: dict[str, Any] = asdict(settings_of(collection)) | files_of(collection)
    if (kept := collection.bonesetter.kept_actor) is not None:
        chosen["kept_actor"] = hashlib.blake2b(kept.as_string().encode(), digest_size=16).hexdigest()
    return json.dumps(chosen, sort_keys=True)


@bpy.app.handlers.persistent
def _note_change(_scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    # playing frames updates objects, too, but neither actions nor collections
    if session.digests and (depsgraph.id_type_updated("ACTION") or depsgraph.id_type_updated("COLLECTION")):
        for digest in session.digests.values():
            digest.changed = True


@bpy.app.handlers.persistent
def _note_undo(*_arguments: object) -> None:
    session.digests.clear()
