# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for other programs, by Blender's own exporters with the options that let a motion arrive there.

With their defaults the FBX exporter writes every action of the file, the markers' too, onto the armature, and takes the pose of the current
frame for the rest pose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import addon_utils
import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..model.core.axes import Y_UP_TO_Z_UP
from ..model.core.errors import BonesetterError
from .polls import is_idle
from .refusals import refuse_tweak_mode, said_of, says_why
from .takes import active_take
from .translation import translated

if TYPE_CHECKING:
    from ..model.rigs.rig import Rig

#: Channels of a bone that are nothing at rest.
RESTING = {"location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale"}


def write_fbx(path: Path, armature: bpy.types.Object, meshes: bool = True) -> None:
    """An armature with its meshes, if they are wanted, and the motion that it has now, resting in its rest pose, as FBX."""
    # exporters are add-ons, which a user may have switched off
    addon_utils.enable("io_scene_fbx")
    with _ready(armature, meshes):
        bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            add_leaf_bones=False,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_force_startend_keying=True,
            bake_anim_simplify_factor=0.0,
        )


def write_glb(path: Path, armature: bpy.types.Object, meshes: bool = True) -> None:
    """The same as glTF, in one binary file."""
    from .playing import uses_nla

    addon_utils.enable("io_scene_gltf2")
    # actions arrive by their names, so the armature's own is written where it is all that plays
    with _ready(armature, meshes, flat=uses_nla(armature)):
        bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            use_active_scene=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_frame_range=True,
            export_anim_slide_to_zero=True,
            export_optimize_animation_size=False,
        )


def write_usd(path: Path, armature: bpy.types.Object, meshes: bool = True) -> None:
    """The same as USD, in one binary file: Z up, in metres.

    Raises:
        BonesetterError: Blender was built without it.
    """
    if not bpy.app.build_options.usd:
        raise BonesetterError("This Blender was built without USD: choose another format, or use the Blender of blender.org.")
    with _ready(armature, meshes):
        bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            export_meshes=meshes,
            evaluation_mode="VIEWPORT",
            allow_unicode=True,
            export_lights=False,
            export_cameras=False,
            convert_world_material=False,
            root_prim_path="/root",
        )


def write_bvh(path: Path, armature: bpy.types.Object, _meshes: bool = False) -> None:
    """The bones of an armature below its first, with the motion that they have now, as BVH: Y up, one Blender unit as the file's."""
    from ..model.core.rigid import local_rotations, quaternions
    from ..model.core.skeleton import Skeleton
    from ..model.files.bvh import write_motion
    from .rigs import object_scale, read_rig

    scene = bpy.context.scene
    with _ready(armature, meshes=False, flat=False):
        rig = read_rig(armature)
        kept = [bone for bone in range(len(rig.names)) if bone == 0 or _is_below(rig, bone, 0)]
        parents = tuple(kept.index(rig.parents[bone]) if bone else -1 for bone in kept)
        upright = Y_UP_TO_Z_UP.T
        heads, tails = rig.heads[kept] @ upright.T, rig.tails[kept] @ upright.T
        places = heads - heads[np.maximum(parents, 0)]
        skeleton = Skeleton(tuple(rig.names[bone] for bone in kept), parents, tails - heads, places)
        rest = upright @ rig.turns[kept]
        posed = np.array([np.array(matrix) for matrix in _matrices(scene, armature, [rig.names[bone] for bone in kept])])
        unit = object_scale(armature)
        deltas = upright @ posed[..., :3, :3] / unit @ np.swapaxes(rest, -1, -2)
        rotations = quaternions(local_rotations(deltas, parents))
        write_motion(skeleton, rotations, posed[:, 0, :3, 3] @ upright.T, scene.render.fps / scene.render.fps_base, path)


def _is_below(rig: Rig, bone: int, other: int) -> bool:
    while (bone := rig.parents[bone]) >= 0:
        if bone == other:
            return True
    return False


def _matrices(scene: bpy.types.Scene, armature: bpy.types.Object, names: Sequence[str]) -> Iterator[list[Any]]:
    """(bones, 4, 4) in the world of every frame in which the armature moves, as Blender shows them."""
    from .motion_range import motion_range

    first, last = motion_range(scene, armature)
    for each in range(first, last + 1):
        scene.frame_set(each)
        world = np.array(armature.matrix_world)
        yield [world @ np.array(armature.pose.bones[name].matrix) for name in names]


def meshes_of(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that an armature moves, of those in the scene."""
    return [
        one
        for one in bpy.context.scene.objects
        if one.type == "MESH" and any(each.type == "ARMATURE" and each.object == armature for each in one.modifiers)
    ]


@contextmanager
def _ready(armature: bpy.types.Object, meshes: bool, flat: bool = True) -> Iterator[None]:
    """An armature, and its meshes if they are wanted, as an exporter needs them: visible, selected and nothing else.

    Args:
        armature: The object.
        meshes: Whether its meshes are wanted.
        flat: Whether the motion is to begin at frame 0, as `_from_zero` has it.

    Raises:
        BonesetterError: They cannot be shown, or the armature's animation cannot be exchanged for the moment.
    """
    from .lifting import only_selected, require_selected

    # Blender gives no other action to what is in it, and of the strips above plays none
    refuse_tweak_mode(armature)
    scene = bpy.context.scene
    frame = scene.frame_current, scene.frame_subframe
    shaped = meshes_of(armature) if meshes else []
    wanted = [armature, *shaped]
    with only_selected(wanted):
        # what was hidden was not evaluated
        scene.frame_set(frame[0], subframe=frame[1])
        try:
            with _from_zero(scene, armature, shaped) if flat else nullcontext():
                require_selected(wanted)
                yield
        finally:
            # of the exporter too, which leaves another where it fails
            scene.frame_set(frame[0], subframe=frame[1])


@contextmanager
def _from_zero(scene: bpy.types.Scene, armature: bpy.types.Object, meshes: Sequence[bpy.types.Object]) -> Iterator[None]:
    """The armature's motion and the scene's range, cut to it, beginning at frame 0, and the scene a frame before that, with the armature at
    rest: what exporters take for the rest pose.

    An action is baked for that, of all that plays now, on the NLA or not, and thrown away.
    """
    from .keyframes import bind, write_keys
    from .lifting import HIDES
    from .motion_range import motion_range
    from .playing import played

    animation = armature.animation_data
    whole, span = (scene.frame_start, scene.frame_end), motion_range(scene, armature, meshes)
    values_of = played(armature, np.arange(span[0], span[1] + 1, dtype=float))
    # what hides it is lifted
    values_of.pop((HIDES, 0), None)
    if animation is None or not values_of:
        yield
        return
    action, slot = animation.action, animation.action_slot
    kept = {name: getattr(animation, name) for name in ("use_nla", "action_blend_type", "action_extrapolation", "action_influence")}
    baked = bpy.data.actions.new(action.name if action is not None else f"{armature.name} Motion")
    try:
        animation.use_nla, animation.action_blend_type, animation.action_influence = False, "REPLACE", 1.0
        bag = bind(armature, baked)
        frames = np.arange(-1, span[1] - span[0] + 1, dtype=float)
        for (path, index), values in values_of.items():
            write_keys(bag, path, index, frames, np.concatenate([[_rest(path, index, values[0])], values]), "Motion")
        scene.frame_start, scene.frame_end = 0, span[1] - span[0]
        scene.frame_set(-1)
        yield
    finally:
        animation.action = action
        if slot is not None:
            animation.action_slot = slot
        for name, value in kept.items():
            setattr(animation, name, value)
        bpy.data.actions.remove(baked)
        scene.frame_start, scene.frame_end = whole


def _rest(path: str, index: int, first: float) -> float:
    """What a channel has at rest: of a bone nothing, of anything else what it begins with."""
    owner, _, channel = path.rpartition(".")
    if not owner.startswith("pose.bones[") or channel not in RESTING:
        return first
    return 1.0 if channel == "scale" or (channel == "rotation_quaternion" and index == 0) else 0.0


#: {format: what writes it}.
WRITERS = {"FBX": write_fbx, "GLB": write_glb, "BVH": write_bvh, "USD": write_usd}


class BONESETTER_OT_export_motion(ExportHelper, bpy.types.Operator):
    """Write the armature, its meshes and the motion that it has now for another program, with the options that let it arrive there"""

    bl_idname = "bonesetter.export_motion"
    bl_label = "Export Motion"
    filename_ext = ""
    filter_glob: StringProperty(default="*.fbx;*.glb;*.bvh;*.usd", options={"HIDDEN"})
    kind: EnumProperty(
        name="Format",
        items=(
            ("FBX", "FBX", "For Unreal, Unity, Maya, MotionBuilder"),
            ("GLB", "glTF", "For Godot, Unity and the web"),
            ("BVH", "BVH", "The skeleton alone"),
            ("USD", "USD", "For Unreal, Omniverse, Houdini and Maya"),
        ),
    )

    meshes: BoolProperty(name="Meshes", description="Write the body or the character's own meshes, too; BVH has none", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_idle(cls):
            return False
        if _to_export(context) is None:
            cls.poll_message_set("Select an armature, or solve a take first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # the folder of the last time, but not its name: that was another's
        folder = Path(self.filepath or bpy.data.filepath).parent
        self.filepath = str(folder / f"{bpy.path.clean_name(_to_export(context).name)}.{self.kind.lower()}")
        return ExportHelper.invoke(self, context, event)

    def check(self, _context: bpy.types.Context) -> bool:
        """The ending follows the format."""
        wanted = str(Path(self.filepath).with_suffix(f".{self.kind.lower()}"))
        changed, self.filepath = wanted != self.filepath, wanted
        return changed

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(self.filepath).with_suffix(f".{self.kind.lower()}")
        with said_of(path):
            WRITERS[self.kind](path, _to_export(context), self.meshes)
        self.report({"INFO"}, translated(f"{path.name} is written"))
        return {"FINISHED"}


def _to_export(context: bpy.types.Context) -> Any:
    """The armature that is active, else that of the take."""
    if context.object is not None and context.object.type == "ARMATURE":
        return context.object
    take: Any = active_take(context)
    return take.bonesetter.armature if take is not None else None
