# SPDX-License-Identifier: GPL-3.0-or-later
"""The rig is the actor: the take solved with the character's own bones, as large as the person. From the panel, and for batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..model.core.errors import BonesetterError
from .apply_to_rig import OnRig, apply_to_rig
from .properties import settings_of
from .refusals import refuse_tweak_mode
from .rig_map import map_of
from .session import Solve, session
from .solve_markers import Solving
from .takes import active_take, find_take
from .translation import translated

if TYPE_CHECKING:
    from ..model.rigs.rig import BoneMap


def files_for(take: bpy.types.Collection) -> tuple[Path, Path, Path]:
    """The person's actor, the character's, and a solve with it, in the folder of the engine's session."""
    person, own, pose = (session.engine.folder / f"rig-{take.session_uid}{end}" for end in ("-person.json", ".json", ".npz"))
    return person, own, pose


def write_rig_actor(armature: bpy.types.Object, bone_map: BoneMap, person: Path, path: Path, metres: float) -> None:
    """Make an actor of a character.

    Args:
        armature: The character's.
        bone_map: Of its bones.
        person: The actor's file that was fitted to the take, on the bundled hierarchy.
        path: Where the new one is written.
        metres: For each Blender unit.

    Raises:
        BonesetterError: It cannot be an actor.
    """
    from ..model.actors.actor_file import read_actor, write_actor
    from ..model.rigs.as_actor import rig_actor
    from .rigs import read_rig

    write_actor(rig_actor(read_rig(armature, metres), bone_map, read_actor(person)), path)


def refit_markers(path: Path, pose: Path) -> None:
    """Put an actor's markers where a take that was solved with it has them: `pose` is that solve's npz, as the shell writes it."""
    import numpy as np

    from ..model.actors.actor_file import read_actor, write_actor
    from ..model.rigs.as_actor import refitted

    with np.load(pose) as found:
        labels = [str(label) for label in found["labels"]]
        actor = refitted(read_actor(path), labels, *(found[name].astype(float) for name in ("markers", "rotations", "positions")))
    write_actor(actor, path)


class BONESETTER_OT_solve_as_rig(OnRig, Solving, bpy.types.Operator):
    """Solve the take with this character's own bones, as large as the person, and move it so: best for digital doubles. The actor that is
    made of it is kept for the take. Esc cancels"""

    bl_idname = "bonesetter.solve_as_rig"
    bl_label = "Solve with Its Bones"

    if TYPE_CHECKING:
        #: The name of the character whose bones are solved with.
        _rig: str

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and super(OnRig, cls).poll(context)

    def _takes(self, context: bpy.types.Context) -> list[bpy.types.Collection]:
        """The take once for each of its solves: for a person's bones where it has none, for the places of markers, and for the motion."""
        take: Any = active_take(context)
        return [take] * (2 if self._knows_person(take) else 3)

    def _begin(self, context: bpy.types.Context, take: bpy.types.Collection) -> Solve:
        from .solving import begin

        # with the armature's own bones, whatever the panel says of a chosen actor's
        settings = replace(settings_of(take), fit_actor=False)
        person, own, pose = files_for(take)
        before = self._answered[-1] if self._answered else None
        if before is None:
            # before minutes are spent on what could not be applied
            refuse_tweak_mode(take.bonesetter.rig.armature)
        if before is None and not self._knows_person(take):
            return begin(context.scene, take, settings, actor=None, save_actor=str(person))
        if before is not None and "people" in (before.job.answer or {}):
            raise BonesetterError(f"{take.name} is of several people: press Solve Markers, and choose one of them.")
        if before is None or before.actor == person:
            choice = take.bonesetter.rig
            self._rig = choice.armature.name
            pose.unlink(missing_ok=True)
            write_rig_actor(choice.armature, map_of(choice), person, own, context.scene.unit_settings.scale_length)
            return begin(context.scene, take, settings, actor=str(own), exports={"npz": str(pose)})
        refit_markers(own, pose)
        return begin(context.scene, take, settings, actor=str(own))

    def _done(self, context: bpy.types.Context) -> tuple[set[str], bpy.types.Object | None]:
        from .actors import keep_instead
        from .freshness import basis_of, note_solved

        uid = self._answered[-1].take
        self._answered = self._answered[-1:]
        result, first = super()._done(context)
        if result != {"FINISHED"}:
            return result, first
        take: Any = find_take(uid)
        choice = take.bonesetter.rig
        try:
            if choice.armature is None or choice.armature.name != self._rig:
                raise BonesetterError(f"{self._rig} is no longer the character of {take.name}: choose it again, and press Apply to Rig.")
            take.bonesetter.kept_actor = keep_instead(f"{choice.armature.name} as Actor", files_for(take)[1])
            # the actor that is chosen now is that of the solve
            note_solved(take, (take.bonesetter.solved_markers, basis_of(take)[1]))
            applied = apply_to_rig(context.scene, take, choice.armature, map_of(choice), choice.travel, choice.on_nla, choice.hands)
            for doubt in applied.doubts:
                self.report({"WARNING"}, translated(doubt))
        except BonesetterError as error:
            self.report({"ERROR"}, translated(str(error)))
        return result, first

    @staticmethod
    def _knows_person(take: bpy.types.Collection) -> bool:
        """Whether the take was last solved with an actor of the bundled hierarchy, which is then there as a file."""
        from ..model.actors.actor_file import read_actor
        from ..model.core.skeleton import CMU_JOINTS

        person = files_for(take)[0]
        person.write_text(take.bonesetter.solved_actor, encoding="utf-8")
        try:
            return read_actor(person).skeleton.joints == CMU_JOINTS
        except BonesetterError:
            return False
