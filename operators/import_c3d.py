# SPDX-License-Identifier: GPL-3.0-or-later
"""File > Import > Motion Capture (.c3d), and the same by drag and drop."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper, poll_file_object_drop

from ..model.files.c3d import read_c3d
from ..model.take import BonesetterError, Take
from .empties import ImportOptions, build_take
from .space import Timing

#: Blender's largest frame number.
LAST_FRAME = 1_048_574


class BONESETTER_OT_import_c3d(bpy.types.Operator, ImportHelper):
    """Import optical motion capture markers as keyed empties"""

    bl_idname = "bonesetter.import_c3d"
    bl_label = "Import C3D"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    filename_ext = ".c3d"
    filter_glob: StringProperty(default="*.c3d", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    keys: EnumProperty(
        name="Keys",
        items=(
            ("KEYS", "Editable Keys", "A key per sample, to be repaired in the Graph Editor"),
            ("SAMPLES", "Compact Samples", "A quarter of the memory; the Graph Editor only shows them"),
        ),
    )
    gaps: EnumProperty(
        name="Gaps",
        items=(
            ("HIDE", "Hidden", "A marker is hidden while it is missing"),
            ("HOLD", "Held", "A marker that is missing stays where it was last seen"),
        ),
    )
    rate: EnumProperty(
        name="Frame Rate",
        items=(
            ("SCENE_FROM_TAKE", "Set Scene Rate", "The scene plays at the take's rate: one frame per sample"),
            ("KEEP", "Keep Scene Rate", "The take is retimed, to play at its true speed at the scene's rate"),
        ),
    )
    start: EnumProperty(
        name="Start",
        items=(
            ("ONE", "Frame 1", "The first sample is scene frame 1"),
            ("FILE", "The File's First Frame", "The first sample has the number that the capture gave it"),
        ),
    )
    set_range: BoolProperty(name="Set Scene Range", description="The scene starts and ends with the takes", default=True)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # Dropped files come with their path: a popup for the options is enough.
        if self.directory or self.filepath:
            return self.invoke_popup(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        timings: list[Timing] = []
        failures: list[str] = []
        for path in self._paths():
            try:
                take = read_c3d(path)
                timing = self._timing(context.scene, take, first=not timings)
            except BonesetterError as error:
                failures.append(str(error))
                continue
            options = ImportOptions(self.keys, self.gaps)
            build_take(context.scene, take, timing, options, path)
            timings.append(timing)
            for warning in take.warnings:
                self.report({"WARNING"}, f"{take.name}: {warning}")
            if self.keys == "SAMPLES" and not timing.whole:
                self.report({"WARNING"}, f"{take.name}: samples need a scene frame each, so it got editable keys.")
            self._report(context.scene, take, timing)
        if timings and self.set_range:
            set_range(context.scene, timings)
        for failure in failures:
            # An error would also hide that the others were imported.
            self.report({"WARNING" if timings else "ERROR"}, failure)
        return {"FINISHED"} if timings else {"CANCELLED"}

    def draw(self, _context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("keys", "gaps", "rate", "start", "set_range"):
            layout.prop(self, name)

    def _paths(self) -> list[Path]:
        names = [file.name for file in self.files if file.name]
        if names:
            return [Path(self.directory) / name for name in names]
        return [Path(bpy.path.abspath(self.filepath))]

    def _timing(self, scene: bpy.types.Scene, take: Take, first: bool) -> Timing:
        """Where the take goes in time; the first of several takes may set the scene's rate, the others follow it."""
        if first and self.rate == "SCENE_FROM_TAKE":
            set_rate(scene, take.rate_hz)
        rate = scene.render.fps / scene.render.fps_base
        step = rate / take.rate_hz
        # Blender keeps the base in single precision.
        step = 1.0 if abs(step - 1.0) < 1e-6 else step
        timing = Timing(take.first_frame if self.start == "FILE" else 1, step, take.frames)
        if timing.frames[-1] > LAST_FRAME:
            raise BonesetterError(f"{take.name} would end after Blender's last frame, {LAST_FRAME}: import it from frame 1.")
        return timing

    def _report(self, scene: bpy.types.Scene, take: Take, timing: Timing) -> None:
        frames = timing.frames
        shown = f"scene frames {frames[0]:.6g} to {frames[-1]:.7g} at {scene.render.fps / scene.render.fps_base:.5g} fps"
        missing = 1.0 - take.present.mean()
        self.report(
            {"INFO"},
            f"{take.name}: {len(take.labels)} markers, {take.frames} samples at {take.rate_hz:.5g} Hz, {missing:.1%} missing; {shown}",
        )


def set_rate(scene: bpy.types.Scene, rate_hz: float) -> None:
    """Set the scene's rate exactly: Blender divides a whole number by a base."""
    fps = min(max(round(rate_hz), 1), 32767)
    scene.render.fps = fps
    scene.render.fps_base = fps / rate_hz


def set_range(scene: bpy.types.Scene, timings: list[Timing]) -> None:
    """Start and end the scene with the takes."""
    scene.frame_end = max(int(-(-timing.frames[-1] // 1)) for timing in timings)
    scene.frame_start = max(0, int(min(timing.frames[0] for timing in timings)))
    scene.frame_current = scene.frame_start


class BONESETTER_FH_c3d(bpy.types.FileHandler):
    """C3D files dropped on the 3D viewport"""

    bl_idname = "BONESETTER_FH_c3d"
    bl_label = "C3D Motion Capture"
    bl_import_operator = "bonesetter.import_c3d"
    bl_file_extensions = ".c3d"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return poll_file_object_drop(context)


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.operator(BONESETTER_OT_import_c3d.bl_idname, text="C3D Motion Capture (.c3d)")
