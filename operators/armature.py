# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved pose to Blender: an armature built from the actor, and its keyframes.

Letters used below, all (joints, 3, 3): R the solved global rotation of each bone, from the zero pose onto the take's axes;
S the same of the rest pose, still on the zero pose's axes; M Blender's rest matrices, which also hold the edit bones' rolls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ..model.core.axes import Y_UP_TO_Z_UP
from ..model.core.rigid import steady, turn_between
from ..model.core.rotations import rotmat_to_unitquat, unitquat_product
from ..model.core.skeleton import CMU_JOINTS, Skeleton
from ..model.core.take import FloatArray
from ..model.files.exchange import SolvedPose
from ..model.rigs.production import JOINTS as PRODUCTION
from ..model.rigs.production import bone_names as production_names
from ..model.rigs.production import z_axis
from .freshness import curves_digest
from .keyframes import held_before_gaps, remove_curves, write_keys
from .layers import fit_strip, keep_values, lay_edits, note_action, own_curves, put_aside, solved_bag, solved_strip
from .skeletons import as_chosen, chosen_skeleton
from .space import Space, Timing
from .takes import JOINT, NAMED, space_of, timing_of

#: Bones that the ASF's zero pose spreads and a T-pose has straight down. All that hangs from them is rotated with them. Another hierarchy
#: rests in the zero pose that its file gives it.
LEGS = ("LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg")

DOWN = np.array([0.0, -1.0, 0.0])

#: Blender deletes bones without length; one that has none, or nearly, is drawn this long, in metres.
STUB = 0.05
SHORTEST = 0.002

#: A bone whose direction is nearer than this to front-back (a foot) has its Z axis up, any other has it to the front.
LIES = 0.8

#: The channels of a bone that a solve owns.
TRANSFORMS = ("location", "rotation_quaternion", "rotation_euler", "rotation_axis_angle", "scale")


def apply_pose(scene: bpy.types.Scene, collection: bpy.types.Collection, pose: SolvedPose) -> bpy.types.Object:
    """Put a solved pose on the take's armature, which is made when there is none, and replaced in place when there is."""
    space, pose = space_of(collection, scene).own, as_chosen(pose, collection)
    armature = _existing_armature(collection) or _new_armature(collection)
    gone = _channels_of_others(armature, pose.skeleton.joints)
    _build_bones(armature, pose.skeleton, space, production_names(chosen_skeleton(collection).names))
    # not before: Blender crashes where an armature without bones gets an action
    bag = own_curves(collection, f"{collection.name} Pose")
    remove_curves(bag, gone)
    location, rotations = _key_pose(armature, bag, pose, space, timing_of(collection))
    keep_values(collection, pose.skeleton.joints, location, rotations)
    collection.bonesetter.cleaned = False
    note_action(collection)
    fit_strip(collection)
    note_keys(collection)
    return armature


def note_keys(collection: bpy.types.Collection) -> None:
    """Remember the keys as a solve leaves them: those that differ later were made by hand."""
    collection.bonesetter.solved_keys = json.dumps(_key_digests(collection))


def edited_bones(collection: bpy.types.Collection) -> list[str]:
    """Names of the bones whose keys, in the channels that a solve owns, are not as the last solve wrote them."""
    armature, written = collection.bonesetter.armature, collection.bonesetter.solved_keys
    if armature is None or armature.type != "ARMATURE" or not written or solved_bag(collection) is None:
        return []
    before, now = json.loads(written), _key_digests(collection)
    return [name for joint, name in bone_names(armature).items() if joint in before and before[joint] != now.get(joint)]


def keep_edited(collection: bpy.types.Collection) -> str:
    """Keep what was edited by hand before it is replaced: as a layer on top, else as an action of its own.

    Returns:
        A sentence that says where; nothing where nothing was edited.
    """
    if other := put_aside(collection):
        return f"The action {other} was on the armature: it is kept, and the solve's own action plays again."
    names = edited_bones(collection)
    if not names:
        return ""
    armature = collection.bonesetter.armature
    bones = {joint: name for joint, name in bone_names(armature).items() if name in names}
    if layer := lay_edits(collection, bones):
        return f"What was keyed by hand stays on top of the solve, as the action {layer}."
    strip = solved_strip(collection)
    solved = strip.action if strip is not None else armature.animation_data.action
    edited = solved.copy()
    edited.name = f"{solved.name} (edited)"
    edited.use_fake_user = True
    return f"The pose that was edited by hand is kept as the action {edited.name}."


def bone_names(armature: bpy.types.Object) -> dict[str, str]:
    """{joint: the name of its bone}; bones of the user's own stand for none."""
    data: Any = armature.data
    return {joint: bone.name for bone in data.bones if (joint := _joint_of(bone)) is not None}


def _key_digests(collection: bpy.types.Collection) -> dict[str, str]:
    """{joint: a digest of the keys of the channels that a solve owns}."""
    armature, bag = collection.bonesetter.armature, solved_bag(collection)
    bones = {joint: armature.pose.bones[name] for joint, name in bone_names(armature).items()}
    owners = {bone.path_from_id(channel): joint for joint, bone in bones.items() for channel in TRANSFORMS}
    curves: dict[str, list[Any]] = {joint: [] for joint in owners.values()}
    for curve in bag.fcurves if bag is not None else ():
        if curve.data_path in owners:
            curves[owners[curve.data_path]].append(curve)
    return {joint: curves_digest(own).hex() for joint, own in curves.items()}


def rest_rotations(skeleton: Skeleton) -> FloatArray:
    """S, (joints, 3, 3): from the zero pose to the T-pose, on the zero pose's axes."""
    rotations = np.tile(np.eye(3), (len(skeleton.joints), 1, 1))
    for joint, (name, parent) in enumerate(zip(skeleton.joints, skeleton.parents, strict=True)):
        if skeleton.joints == CMU_JOINTS and name in LEGS and np.linalg.norm(skeleton.bones[joint]) > SHORTEST:
            rotations[joint] = turn_between(skeleton.bones[joint], DOWN)
        elif parent >= 0:
            rotations[joint] = rotations[parent]
    return rotations


def rest_bones(skeleton: Skeleton) -> tuple[FloatArray, FloatArray]:
    """Heads and tails of the T-pose, (joints, 3) each, in metres on Blender's axes: hips above the origin, feet on the floor."""
    rest = rest_rotations(skeleton)
    heads = np.zeros((len(skeleton.joints), 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            heads[joint] = heads[parent] + rest[parent] @ skeleton.offsets[joint]
    bones = np.einsum("jab,jb->ja", rest, skeleton.bones)
    for joint in range(len(bones)):
        if np.linalg.norm(bones[joint]) < SHORTEST:
            bones[joint] = STUB * _direction_of_stub(joint, skeleton, bones)
    heads, bones = heads @ Y_UP_TO_Z_UP.T, bones @ Y_UP_TO_Z_UP.T
    tails = heads + bones
    heads[:, 2] -= (floor := tails[:, 2].min())
    tails[:, 2] -= floor
    return heads, tails


def _direction_of_stub(joint: int, skeleton: Skeleton, bones: FloatArray) -> FloatArray:
    """A unit vector for a bone without length: along the child that points up most (of the hips, the spine), else on as its parent."""
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    candidates = [bones[child] / length for child in children if (length := np.linalg.norm(bones[child])) > SHORTEST]
    if candidates:
        return max(candidates, key=lambda direction: direction[1])
    parent = skeleton.parents[joint]
    length = np.linalg.norm(bones[parent]) if parent >= 0 else 0.0
    return bones[parent] / length if length > 0 else -DOWN


def _existing_armature(collection: bpy.types.Collection) -> bpy.types.Object | None:
    """The armature of the last solve, unless the user deleted it: then what our own pointer kept alive goes, too."""
    armature = collection.bonesetter.armature
    if armature is None:
        return None
    if armature.type == "ARMATURE" and armature.users_scene:
        return armature
    take = collection.bonesetter
    take.armature = take.solved_action = None
    take.solved_slot = 0
    data = armature.data
    action = armature.animation_data.action if armature.animation_data else None
    if not armature.users_collection:
        bpy.data.objects.remove(armature)
        if isinstance(data, bpy.types.Armature) and data.users == 0:
            bpy.data.armatures.remove(data)
        if action is not None and action.users == 0:
            bpy.data.actions.remove(action)
    return None


def _new_armature(collection: bpy.types.Collection) -> bpy.types.Object:
    name = f"{collection.name} Armature"
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    armature.show_in_front = True
    collection.objects.link(armature)
    collection.bonesetter.armature = armature
    return armature


def _channels_of_others(armature: bpy.types.Object, joints: tuple[str, ...]) -> set[str]:
    """The data paths of bones that stand for joints of another skeleton: those bones go."""
    data: Any = armature.data
    others = [armature.pose.bones[bone.name] for bone in data.bones if bone.get(JOINT, joints[0]) not in joints]
    return {bone.path_from_id(channel) for bone in others for channel in TRANSFORMS}


def _build_bones(armature: bpy.types.Object, skeleton: Skeleton, space: Space, called: Mapping[str, str]) -> None:
    heads, tails = rest_bones(skeleton)
    data: Any = armature.data
    with _edit_bones(armature) as edit_bones:
        # what stands for a joint of another skeleton goes; what the user made stays
        for bone in [one for one in edit_bones if JOINT in one and one[JOINT] not in skeleton.joints]:
            edit_bones.remove(bone)
        known = {_joint_of(bone): bone for bone in edit_bones}
        bones = [known.get(joint) or edit_bones.new(called.get(joint, joint)) for joint in skeleton.joints]
        for bone in bones:
            bone.use_connect = False
        for joint, name in enumerate(skeleton.joints):
            bone = bones[joint]
            _name_bone(bone, name, called.get(name, name))
            parent = skeleton.parents[joint]
            bone.parent = bones[parent] if parent >= 0 else None
            bone.use_inherit_rotation = True
            bone.use_local_location = True
            bone.inherit_scale = "NONE"
            if bone.lock and name in known:
                continue
            bone.head = heads[joint] * space.units_per_metre
            bone.tail = tails[joint] * space.units_per_metre
            bone.align_roll(_roll_towards(skeleton, name, tails[joint] - heads[joint]))
        for joint, parent in enumerate(skeleton.parents if skeleton.joints == PRODUCTION else ()):
            bones[joint].use_connect = parent >= 0 and bool(np.allclose(heads[joint], tails[parent], atol=1e-5))
    data.display_type = "OCTAHEDRAL"


def _joint_of(bone: Any) -> str | None:
    """The joint that a bone stands for; None for one of the user's own."""
    return bone.get(JOINT) or (bone.name if bone.name in CMU_JOINTS else None)


def _name_bone(bone: Any, joint: str, wanted: str) -> None:
    """Call a bone as it is wanted, unless the user gave it a name."""
    if bone.name == bone.get(NAMED, bone.get(JOINT, bone.name)):
        bone.name = wanted
        bone[NAMED] = bone.name
    bone[JOINT] = joint


def _roll_towards(skeleton: Skeleton, joint: str, direction: FloatArray) -> FloatArray:
    """(3,): where a bone's Z axis is to be, the same vector left and right, and on the plane between them, so that rolls are mirrored."""
    if skeleton.joints == PRODUCTION:
        return Y_UP_TO_Z_UP @ z_axis(joint)
    lies = abs(direction[1]) > LIES * np.linalg.norm(direction)
    return np.array([0.0, 0.0, 1.0]) if lies else np.array([0.0, -1.0, 0.0])


def is_locked(bone: Any) -> bool:
    """Whether the user locked a pose bone's rotation: then a solve leaves its keys as they are."""
    return all(bone.lock_rotation)


@contextmanager
def _edit_bones(armature: bpy.types.Object) -> Iterator[Any]:
    """The armature's edit bones, wherever the user is and whatever is hidden, without touching mode, selection or active object.

    Edit mode wants an object that is active and visible in a view layer. A scene made for the purpose offers one.
    """
    data: Any = armature.data
    if data.is_editmode:
        with bpy.context.temp_override(active_object=armature, object=armature):
            bpy.ops.object.mode_set(mode="OBJECT")
    scene = bpy.data.scenes.new("Bonesetter")
    stand_in = bpy.data.objects.new("Bonesetter", data)
    try:
        scene.collection.objects.link(stand_in)
        layer = scene.view_layers[0]
        layer.objects.active = stand_in
        with bpy.context.temp_override(scene=scene, view_layer=layer, active_object=stand_in, object=stand_in):
            bpy.ops.object.mode_set(mode="EDIT")
            try:
                yield data.edit_bones
            finally:
                bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        bpy.data.objects.remove(stand_in)
        bpy.data.scenes.remove(scene)


def _key_pose(armature: bpy.types.Object, bag: Any, pose: SolvedPose, space: Space, timing: Timing) -> tuple[FloatArray, FloatArray]:
    """Key a pose, and return what then plays, also where a bone has no keys; see `bone_channels`."""
    names = bone_names(armature)
    owned = set()
    for joint in pose.skeleton.joints:
        bone = armature.pose.bones[names[joint]]
        if is_locked(bone):
            continue
        bone.rotation_mode = "QUATERNION"
        bone.matrix_basis.identity()
        bone.location, bone.rotation_quaternion, bone.scale = (0, 0, 0), (1, 0, 0, 0), (1, 1, 1)
        owned.update(bone.path_from_id(channel) for channel in TRANSFORMS)
    remove_curves(bag, owned)

    location, rotations = bone_channels(armature, pose, space)
    for joint, label in enumerate(pose.skeleton.joints):
        bone = armature.pose.bones[names[label]]
        kept = np.arange(timing.samples) if pose.keyed is None else np.flatnonzero(pose.keyed[:, joint])
        if is_locked(bone):
            continue
        if not len(kept):
            # it rests, as a bone that nobody animated
            rotations[:, joint] = (1, 0, 0, 0)
            continue
        frames, between = timing.frames[kept], held_before_gaps(kept)
        if pose.skeleton.parents[joint] < 0:
            for axis in range(3):
                write_keys(bag, bone.path_from_id("location"), axis, frames, location[kept, axis], bone.name, between)
        for axis in range(4):
            write_keys(bag, bone.path_from_id("rotation_quaternion"), axis, frames, rotations[kept, joint, axis], bone.name, between)
        played = kept[np.searchsorted(kept, np.arange(timing.samples), side="right").clip(1) - 1]
        rotations[:, joint] = rotations[played, joint]
        if pose.skeleton.parents[joint] < 0:
            location = location[played]
    return location, rotations


def bone_channels(armature: bpy.types.Object, pose: SolvedPose, space: Space) -> tuple[FloatArray, FloatArray]:
    """The root's location and all rotations as Blender's pose bones want them: relative to the rest pose and to the parent.

    Returns:
        (frames, 3) in Blender units, and (frames, joints, 4) quaternions w x y z that never change sign between frames.
    """
    skeleton = pose.skeleton
    # Read back rather than computed: the rolls, and the rounding, are then Blender's own.
    names = bone_names(armature)
    rest = np.array([armature.data.bones[names[joint]].matrix_local for joint in skeleton.joints], dtype=float)
    matrices, rest_heads = rest[:, :3, :3], rest[:, :3, 3]
    # A bone's posed orientation is turn R inverse(S) inverse(T) M. All but R is constant: one quaternion per bone.
    constant = rotmat_to_unitquat(rest_rotations(skeleton).transpose(0, 2, 1) @ Y_UP_TO_Z_UP.T @ matrices)
    turn = rotmat_to_unitquat(space.turn[None])[0]
    posed: list[FloatArray] = []
    solved: list[FloatArray] = []
    channels = np.empty_like(pose.rotations)
    for joint, parent in enumerate(skeleton.parents):
        local = pose.rotations[:, joint]
        solved.append(local if parent < 0 else unitquat_product(solved[parent], local))
        posed.append(unitquat_product(unitquat_product(turn, solved[joint]), constant[joint]))
        if parent < 0:
            relative = unitquat_product(_conjugate(rotmat_to_unitquat(matrices[joint : joint + 1])[0]), posed[joint])
        else:
            at_rest = rotmat_to_unitquat((matrices[parent].T @ matrices[joint])[None])[0]
            relative = unitquat_product(_conjugate(at_rest), unitquat_product(_conjugate(posed[parent]), posed[joint]))
        channels[:, joint] = relative
    channels /= np.linalg.norm(channels, axis=-1, keepdims=True)
    channels[:1] *= np.where(channels[:1, :, :1] < 0, -1.0, 1.0)
    root = skeleton.parents.index(-1)
    location = (space.to_blender(pose.positions[:, root]) - rest_heads[root]) @ matrices[root]
    # Blender interpolates them number by number
    return location, steady(channels)


def _conjugate(quaternion: FloatArray) -> FloatArray:
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])
