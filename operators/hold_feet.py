# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold Feet Again: the feet of a solved take, by contacts that the user edited, without a solve."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import bpy
import numpy as np
from bpy.props import BoolProperty, StringProperty

from ..model.core.errors import BonesetterError
from .polls import OfTake, is_idle, is_own
from .properties import settings_of
from .refusals import says_why
from .session import Solve, session
from .solve_markers import Solving
from .solver_python import engine_python
from .takes import active_take, find_take, timing_of
from .translation import translated
from .view import redraw

#: Settings that holding the feet again goes by.
OF_FEET = ("lock_feet", "lock_strength", "set_floor", "floor")


def begin_hold(collection: bpy.types.Collection, *, anew: bool) -> Solve:
    """Ask the engine to hold the feet of a take; `anew` forgets what the user said of contacts.

    Raises:
        BonesetterError: There is no engine.
    """
    from .feet import UNHELD, given_stands

    began = time.perf_counter()
    session.errors.pop(collection.session_uid, None)
    folder, uid = session.engine.folder, collection.session_uid
    unheld, actor, result = folder / f"unheld-{uid}.npz", folder / f"actor-{uid}.json", folder / f"pose-{uid}.npz"
    unheld.write_bytes(collection[UNHELD])
    actor.write_text(collection.bonesetter.solved_actor, encoding="utf-8")
    stands = {} if anew else given_stands(collection)
    request: dict[str, Any] = {"hold": True, "unheld": str(unheld), "actor": str(actor), "stands": stands, "out": str(result)}
    job = session.engine.submit(engine_python(), {**request, "settings": asdict(settings_of(collection))})
    return Solve(uid, collection.name, job, result, began, False, given=tuple(stands))


def finish_hold(scene: bpy.types.Scene, solve: Solve) -> str:
    """Put the feet that are held into the scene; returns where keys that were set by hand are kept, if there were any.

    Raises:
        BonesetterError: The take is gone.
    """
    from ..model.files.exchange import load_pose
    from .armature import apply_pose, keep_edited
    from .feet import key_contacts, note_given
    from .solved import keep_solved

    collection = find_take(solve.take)
    pose = load_pose(solve.result)
    solve.result.unlink()
    said = keep_edited(collection)
    apply_pose(scene, collection, pose)
    if pose.markers is not None:
        keep_solved(collection, pose.markers)
    note_given(collection, solve.given)
    key_contacts(collection, pose)
    facts = collection.bonesetter
    now = asdict(settings_of(collection))
    facts.solved_settings = json.dumps(json.loads(facts.solved_settings) | {name: now[name] for name in OF_FEET}, sort_keys=True)
    facts.result = uuid4().hex
    return said


class BONESETTER_OT_hold_feet(Solving, bpy.types.Operator):
    """Hold the feet again by their contacts as they are keyed now, with the lock and the floor that are set. Nothing else is solved again.
    Esc cancels"""

    bl_idname = "bonesetter.hold_feet"
    bl_label = "Hold Feet Again"

    anew: BoolProperty(options={"SKIP_SAVE"}, description="By the contacts that the solver finds, in place of those that were edited")

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if getattr(properties, "anew", False):
            return "Hold the feet by the contacts that the solver finds: what was edited of them is forgotten"
        return str(cls.__doc__)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from .feet import UNHELD

        if not super().poll(context):
            return False
        take: Any = active_take(context)
        armature = take.bonesetter.armature
        if UNHELD not in take or armature is None or not armature.users_scene:
            cls.poll_message_set("Solve the whole take first: its feet are held again as that solve found them")
            return False
        return True

    def _takes(self, context: bpy.types.Context) -> list[bpy.types.Collection]:
        take = active_take(context)
        assert take is not None  # as `poll` has seen
        return [take]

    def _begin(self, _context: bpy.types.Context, take: bpy.types.Collection) -> Solve:
        return begin_hold(take, anew=self.anew)

    def _done(self, context: bpy.types.Context) -> tuple[set[str], bpy.types.Object | None]:
        (solve,) = self._answered
        try:
            said = finish_hold(context.scene, solve)
        except BonesetterError as error:
            self._goes_on(solve.take, error)
            return {"CANCELLED"}, None
        if said:
            self.report({"WARNING"}, said)
        self.report({"INFO"}, translated(f"{solve.name}: the feet are held again"))
        redraw(context)
        return {"FINISHED"}, None


class BONESETTER_OT_set_contact(OfTake, bpy.types.Operator):
    """Key whether this foot stands, in the preview range, else in the frame under the playhead"""

    bl_idname = "bonesetter.set_contact"
    bl_label = "Set Contact"
    bl_options = {"UNDO"}

    foot: StringProperty(options={"SKIP_SAVE"}, description="The property of the armature's data")
    stands: BoolProperty(default=True, options={"SKIP_SAVE"}, description="Whether it stands")

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        how = "stands" if getattr(properties, "stands", True) else "does not stand"
        return f"Key that this foot {how} in the preview range, else in the frame under the playhead. Then press Hold Feet Again"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_idle(cls) and super().poll(context) and is_own(cls, context)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from .feet import feet_of, read_contact, write_contact
        from .solve_range import wanted_range

        take, scene = active_take(context), context.scene
        stands = read_contact(take, self.foot) if self.foot in feet_of(take) else None
        if stands is None:
            self.report({"ERROR"}, "This take has no contacts of that foot: solve it again.")
            return {"CANCELLED"}
        timing = timing_of(take)
        if scene.use_preview_range:
            first, last = wanted_range(scene, take)
        else:
            first = last = int(np.clip(round((scene.frame_current - timing.start) / timing.step), 0, timing.samples - 1))
        stands[first : last + 1] = self.stands
        write_contact(take.bonesetter.armature.data, self.foot, stands, timing, take.name)
        redraw(context)
        return {"FINISHED"}


CLASSES = (BONESETTER_OT_hold_feet, BONESETTER_OT_set_contact)
