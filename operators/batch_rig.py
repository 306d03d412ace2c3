# SPDX-License-Identifier: GPL-3.0-or-later
"""A character in batch: its file opened or imported, and the rig in it that takes go onto."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import addon_utils
import bpy

from ..model.core.errors import BonesetterError
from ..model.rigs.bone_map_file import read_bone_map
from ..model.rigs.rig import BoneMap
from ..model.shell.cli import UsageError
from .apply_to_rig import apply_to_rig
from .rig_map import USUAL_HANDS, known_map
from .rigs import read_rig

#: Files of characters; a .vrm is a glTF.
ENDINGS = (".blend", ".fbx", ".glb", ".gltf", ".vrm")


def add_rig_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of a character."""
    parser.add_argument("--rig", type=Path, metavar="CHARACTER", help=f"move this character, too: {' '.join(ENDINGS)}")
    parser.add_argument("--rig-object", metavar="NAME", help="which armature in its file, where there are several")
    parser.add_argument("--bone-map", type=Path, metavar="MAP.json", help="its bone map, saved from the panel")
    parser.add_argument("--body", action="store_true", help="give what is written a human body, shaped to its bones")
    parser.add_argument(
        "--hands", type=_part, default=USUAL_HANDS, metavar="PART", help="how much hands keep their reach, 0 to 1, 0.5 unless told"
    )
    parser.add_argument("--rig-as-actor", action="store_true", help="solve the take with the character's own bones, as large as the person")
    parser.add_argument("--root-motion", action="store_true", help="let its root bone travel instead of its hips")


def _part(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return value


def check_rig(given: argparse.Namespace) -> None:
    """That the options of a character go together, and its files can be read.

    Raises:
        UsageError: They do not.
        BonesetterError: The bone map cannot be read.
    """
    if given.rig is None:
        if given.rig_object or given.bone_map or given.root_motion or given.rig_as_actor:
            raise UsageError("--rig-object, --bone-map, --rig-as-actor and --root-motion are about a character: name its file with --rig.")
        return
    if given.rig.suffix.lower() not in ENDINGS or not given.rig.is_file():
        raise UsageError(f"--rig {given.rig} is no {', '.join(ENDINGS)}: name the character's file.")
    if given.bone_map:
        read_bone_map(given.bone_map)


def open_file(given: argparse.Namespace) -> None:
    """Open the file that a take is solved in: the character's, or an empty one into which it is imported where there is any.

    Raises:
        BonesetterError: Blender cannot read the character.
    """
    path = given.rig.resolve() if given.rig else None
    try:
        if path and path.suffix.lower() == ".blend":
            bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False)
            return
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        if path and path.suffix.lower() == ".fbx":
            addon_utils.enable("io_scene_fbx")
            bpy.ops.import_scene.fbx(filepath=str(path))
        elif path:
            addon_utils.enable("io_scene_gltf2")
            bpy.ops.import_scene.gltf(filepath=str(path))
    except RuntimeError as error:
        raise BonesetterError(f"{given.rig} cannot be read ({' '.join(str(error).split())}): choose another character.") from error


def move_rig(collection: bpy.types.Collection, given: argparse.Namespace) -> bpy.types.Object:
    """Put a solved take onto the character of the open file, and return its armature.

    Raises:
        BonesetterError: There is no such armature, or the take cannot go onto it.
    """
    scene = bpy.context.scene
    rig, bone_map = _find_mapped(scene, collection, given)
    applied = apply_to_rig(scene, collection, rig, bone_map, "ROOT" if given.root_motion else "HIPS", hands=given.hands)
    for doubt in applied.doubts:
        print(doubt, file=sys.stderr)
    return rig


def fit_rig(
    scene: bpy.types.Scene, collection: bpy.types.Collection, solved: Callable[..., bool], given: argparse.Namespace
) -> Path | None:
    """Make an actor of the character: one is fitted to the take, its markers go onto the rig's bones, and where they are there is fitted
    with a solve of these.

    Args:
        scene: The open file's.
        collection: The take.
        solved: Has the engine solve the take with more files, and says whether it was that of one person.
        given: The batch's arguments.

    Returns:
        The actor's file, in a folder of the engine's session; None where the take is that of several people.

    Raises:
        BonesetterError: There is no such armature, or it cannot be an actor.
    """
    from .rig_actor import files_for, refit_markers, write_rig_actor

    rig, bone_map = _find_mapped(scene, collection, given)
    person, own, pose = files_for(collection)
    if not solved(save_actor=str(person)):
        return None
    write_rig_actor(rig, bone_map, person, own, scene.unit_settings.scale_length)
    solved(actor=str(own), exports={"npz": str(pose)})
    refit_markers(own, pose)
    return own


def _find_mapped(scene: bpy.types.Scene, collection: Any, given: argparse.Namespace) -> tuple[bpy.types.Object, BoneMap]:
    rig = _find_rig(scene, collection, given)
    return rig, read_bone_map(given.bone_map) if given.bone_map else known_map(read_rig(rig), rig.name)


def _find_rig(scene: bpy.types.Scene, collection: Any, given: argparse.Namespace) -> bpy.types.Object:
    """The armature of that name, or the only one beside the take's own."""
    own = collection.bonesetter.armature
    found = [one for one in scene.objects if one.type == "ARMATURE" and one != own and given.rig_object in (None, one.name)]
    if len(found) != 1:
        names = ", ".join(one.name for one in scene.objects if one.type == "ARMATURE" and one != own) or "no armature"
        raise BonesetterError(f"{given.rig} has {names}: name the character's with --rig-object.")
    return found[0]
