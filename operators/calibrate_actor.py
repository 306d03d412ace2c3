# SPDX-License-Identifier: GPL-3.0-or-later
"""Actors in the panel: calibrated from a take, imported, exported, removed."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..model.core.errors import BonesetterError
from .polls import OfTake, is_idle
from .properties import files_of, settings_of
from .refusals import says_why
from .session import Solve, session
from .solve_markers import Solving
from .solver_python import engine_python
from .takes import active_take, find_take
from .view import redraw


def begin_fit(scene: bpy.types.Scene, collection: bpy.types.Collection) -> Solve:
    """Gather the markers, of the preview range where there is one, and have the engine fit an actor to them.

    Raises:
        BonesetterError: There is nothing to fit to, or no engine.
    """
    from ..model.files.exchange import save_take
    from ..model.review.blending import stretch_of
    from .gather import gather_take
    from .solve_range import wanted_range

    began = time.perf_counter()
    session.errors.pop(collection.session_uid, None)
    take = gather_take(scene, collection)
    if scene.use_preview_range:
        first, last = wanted_range(scene, collection)
        take = stretch_of(take, first, last + 1)
    folder = session.engine.folder
    source, result = folder / f"take-{collection.session_uid}.npz", folder / f"fitted-{collection.session_uid}.json"
    save_take(take, source)
    request: dict[str, Any] = {"fit": True, "take": str(source), "out": str(result), "settings": asdict(settings_of(collection))}
    if layout := files_of(collection).get("layout"):
        request["layout"] = layout
    job = session.engine.submit(engine_python(), request)
    return Solve(collection.session_uid, collection.name, job, result, began, False)


def finish_fit(solve: Solve) -> bpy.types.Text:
    """Keep the actor, as that of the take and of those that are imported next.

    Raises:
        BonesetterError: The take is gone, or the engine's file.
    """
    from .actors import keep_actor, person_name

    collection = find_take(solve.take)
    text = keep_actor(person_name(collection.name), solve.result)
    solve.result.unlink()
    collection.bonesetter.kept_actor = text
    return text


class BONESETTER_OT_calibrate_actor(Solving, bpy.types.Operator):
    """Fit an actor to this take, or to its preview range, and keep it in the .blend for this and other takes of the same person. A range
    of motion, in which all joints bend, tells most of a person. Esc cancels"""

    bl_idname = "bonesetter.calibrate_actor"
    bl_label = "Calibrate Actor"

    def _takes(self, context: bpy.types.Context) -> list[bpy.types.Collection]:
        take = active_take(context)
        assert take is not None  # as `poll` has seen
        return [take]

    def _begin(self, context: bpy.types.Context, take: bpy.types.Collection) -> Solve:
        return begin_fit(context.scene, take)

    def _done(self, context: bpy.types.Context) -> tuple[set[str], bpy.types.Object | None]:
        (solve,) = self._answered
        try:
            text = finish_fit(solve)
        except BonesetterError as error:
            self._goes_on(solve.take, error)
            return {"CANCELLED"}, None
        shown = text.bonesetter
        said = f"The actor {text.name} was calibrated from {solve.name}: {shown.height_m:.2f} m tall, {len(shown.markers)} markers"
        self.report({"INFO"}, said)
        redraw(context)
        return {"FINISHED"}, None


class _OfActor(OfTake):
    """An operator that needs a take with an actor that is kept in the .blend."""

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if not (is_idle(cls) and super().poll(context)):
            return False
        if active_take(context).bonesetter.kept_actor is None:
            cls.poll_message_set("Choose an actor first, or calibrate one")
            return False
        return True


class BONESETTER_OT_import_actor(OfTake, ImportHelper, bpy.types.Operator):
    """Keep the actor of a file in the .blend and choose it for this take: one that was exported, or that `--save-actor` wrote"""

    bl_idname = "bonesetter.import_actor"
    bl_label = "Import Actor"
    bl_options = {"UNDO"}
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_idle(cls) and super().poll(context)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from .actors import keep_actor

        path = Path(bpy.path.abspath(self.filepath))
        text = keep_actor(path.stem, path)
        active_take(context).bonesetter.kept_actor = text
        redraw(context)
        return {"FINISHED"}


class BONESETTER_OT_export_actor(_OfActor, ExportHelper, bpy.types.Operator):
    """Write this actor as a file, for other .blend files, the shell and batch"""

    bl_idname = "bonesetter.export_actor"
    bl_label = "Export Actor"
    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            self.filepath = bpy.path.clean_name(active_take(context).bonesetter.kept_actor.name) + self.filename_ext
        return ExportHelper.invoke(self, context, event)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.storage.atomic import replacing

        with replacing(Path(bpy.path.abspath(self.filepath))) as stream:
            stream.write(active_take(context).bonesetter.kept_actor.as_string())
        return {"FINISHED"}


class BONESETTER_OT_remove_actor(_OfActor, bpy.types.Operator):
    """Remove this actor from the .blend; takes that were solved with it keep their motion"""

    bl_idname = "bonesetter.remove_actor"
    bl_label = "Remove Actor"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        from .actors import remove_actor

        remove_actor(active_take(context).bonesetter.kept_actor)
        redraw(context)
        return {"FINISHED"}


CLASSES = (
    BONESETTER_OT_calibrate_actor,
    BONESETTER_OT_import_actor,
    BONESETTER_OT_export_actor,
    BONESETTER_OT_remove_actor,
)
