# SPDX-License-Identifier: GPL-3.0-or-later
"""File > Import > Motion Capture Markers, in any format that is read, and the same by drag and drop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ImportHelper, poll_file_object_drop

from ..model.core.errors import BonesetterError
from ..model.core.settings import SETTINGS
from ..model.files.readers import READERS
from .import_presets import SHOWN, draw_presets
from .others import show_others
from .session import IMPORT, session
from .solver_python import warm_engine
from .space import Timing
from .takes import takes_of
from .translation import translated
from .view import go_to, hide_startup_cube, redraw, show_markers

if TYPE_CHECKING:
    from ..model.core.take import Take

#: Blender's largest frame number.
LAST_FRAME = 1_048_574


class BONESETTER_OT_import_c3d(bpy.types.Operator, ImportHelper):
    """Import optical motion capture markers as keyed empties"""

    bl_idname = "bonesetter.import_c3d"
    bl_label = "Import Markers"
    bl_options = {"REGISTER", "UNDO"}  # presets are ours, since Blender runs its own: import_presets.py

    filename_ext = ".c3d"
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in READERS), options={"HIDDEN"})
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
            ("SHRINK", "Small", "A marker that is missing stays, small, where it was last seen: it can be selected, moved and keyed there"),
            ("HOLD", "Held", "A marker that is missing stays where it was last seen"),
            ("HIDE", "Hidden", "A marker is hidden while it is missing, and cannot be selected meanwhile"),
        ),
    )
    rate: EnumProperty(
        name="Frame Rate",
        items=(
            ("AUTO", "Automatic", "The scene takes the take's rate, unless something is animated in it already"),
            ("SCENE_FROM_TAKE", "Set Scene Rate", "The scene plays at the take's rate; what is animated already plays faster or slower"),
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
    set_range: BoolProperty(
        name="Set Scene Range",
        description="The scene starts and ends with the takes; where something is animated already it only grows",
        default=True,
    )
    up: EnumProperty(name=SETTINGS["up"].label, description=SETTINGS["up"].help, items=SETTINGS["up"].choices)
    again: BoolProperty(options={"HIDDEN", "SKIP_SAVE"}, description="Import a file once more without asking")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # it loads while the user looks for the file
        warm_engine()
        # Dropped files come with their path: a popup for the options is enough.
        if self.directory or self.filepath:
            return self.invoke_popup(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.files.readers import read_take
        from ..model.markers.people import people_of
        from .empties import ImportOptions, build_people

        scene, paths = context.scene, self._paths()
        known = [path for path in paths if imported_from(scene, path)]
        if known and not self.again and context.window is not None and not bpy.app.background:
            return self._ask(known)
        animated = is_animated(scene)
        done: list[tuple[bpy.types.Collection, Timing]] = []
        failures: list[str] = []
        for path in paths:
            before = imported_from(scene, path)
            try:
                take = read_take(path, self.up)
                with kept_on_failure(scene):
                    timing = self._timing(scene, take, animated or bool(done), bool(done))
                    collections = build_people(scene, people_of(take), timing, ImportOptions(self.keys, self.gaps), path)
            except BonesetterError as error:
                failures.append(str(error))
                continue
            self._make_room(context, collections)
            done += [(collection, timing) for collection in collections]
            collection = collections[0]
            if before is not None:
                self.report({"WARNING"}, translated(f"{path.name} is in the scene already, as {before.name}: it was imported once more."))
            if len(collections) > 1:
                named = ", ".join(one.name for one in collections)
                self.report({"INFO"}, translated(f"{path.name} holds {len(collections)} people, a take each: {named}"))
            self._report(scene, take, timing, collection.name)
        if done:
            if self.set_range:
                set_range(scene, [timing for _, timing in done], grow=animated)
            self._show(context, [collection for collection, _ in done])
            warm_engine()
        session.errors.pop(IMPORT, None)
        if failures:
            session.errors[IMPORT] = " ".join(failures)
            # nothing else tells Blender that the panel has something to say
            redraw(context)
        for failure in failures:
            # An error would also hide that the others were imported.
            self.report({"WARNING" if done else "ERROR"}, translated(failure))
        return {"FINISHED"} if done else {"CANCELLED"}

    def _make_room(self, context: bpy.types.Context, takes: list[bpy.types.Collection]) -> None:
        # said before what is said of the take: of several reports the last one is shown
        if hide_startup_cube(context, takes):
            self.report({"INFO"}, "The startup scene's cube is hidden, since it stands where people do: Alt-H shows it.")

    def _show(self, context: bpy.types.Context, takes: list[bpy.types.Collection]) -> None:
        go_to(context, takes[-1])
        show_markers(context, takes)
        show_others(context, takes[-1])

    def _ask(self, known: list[Path]) -> set[str]:
        """Hand over to the question whether files that are in the scene already shall be imported once more."""
        options = {name: getattr(self, name) for name in (*SHOWN, "filepath", "directory")}
        files = [{"name": file.name} for file in self.files]
        names = ", ".join(path.name for path in known)
        bpy.ops.bonesetter.import_again("INVOKE_DEFAULT", names=names, files=files, **options)
        return {"CANCELLED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        if context.region is not None and context.region.type != "HUD":
            # once the takes are there, a preset would change what nobody reads any more
            draw_presets(layout, self)
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in SHOWN:
            layout.prop(self, name)

    def _paths(self) -> list[Path]:
        names = [file.name for file in self.files if file.name]
        if names:
            return [Path(self.directory) / name for name in names]
        return [Path(bpy.path.abspath(self.filepath))]

    def _timing(self, scene: bpy.types.Scene, take: Take, animated: bool, others: bool) -> Timing:
        """Where the take goes in time, at its true speed.

        Args:
            scene: Gets the take's rate where the options say so.
            take: As read.
            animated: Whether the scene has a rate that something goes by.
            others: Whether a take of the same import has set it already.
        """
        if (self.rate == "SCENE_FROM_TAKE" and not others) or (self.rate == "AUTO" and not animated):
            set_rate(scene, take.rate_hz)
        step = scene_rate(scene) / take.rate_hz
        # Blender keeps the base in single precision.
        step = 1.0 if abs(step - 1.0) < 1e-6 else step
        timing = Timing(take.first_frame if self.start == "FILE" else 1, step, take.frames)
        if timing.frames[-1] > LAST_FRAME:
            raise BonesetterError(f"{take.name} would end after Blender's last frame, {LAST_FRAME}: import it from frame 1.")
        return timing

    def _report(self, scene: bpy.types.Scene, take: Take, timing: Timing, name: str) -> None:
        frames, rate = timing.frames, scene_rate(scene)
        for finding in take.findings:
            self.report({"WARNING"}, f"{name}: {translated(finding.text)}")
        if timing.step != 1.0:
            self.report(
                {"WARNING"},
                translated(
                    f"{name}: the scene keeps its {rate:.5g} fps, and the take of {take.rate_hz:.5g} Hz its true speed: "
                    f"{timing.step:.4g} frames a sample."
                ),
            )
        if self.keys == "SAMPLES" and not timing.whole:
            self.report({"WARNING"}, translated(f"{name}: samples need a scene frame each, so it got editable keys."))
        shown = f"scene frames {frames[0]:.6g} to {frames[-1]:.7g} at {rate:.5g} fps"
        missing = 1.0 - take.present.mean()
        self.report(
            {"INFO"},
            translated(
                f"{name}: {len(take.labels)} markers, {take.frames} samples at {take.rate_hz:.5g} Hz, {missing:.1%} missing; {shown}"
            ),
        )


class BONESETTER_OT_import_again(bpy.types.Operator):
    """Import files that are in the scene already once more"""

    bl_idname = "bonesetter.import_again"
    bl_label = "Import Again"
    bl_options = {"INTERNAL"}

    names: StringProperty(options={"SKIP_SAVE"})
    filepath: StringProperty(options={"SKIP_SAVE"})
    directory: StringProperty(options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    keys: StringProperty()
    gaps: StringProperty()
    rate: StringProperty()
    start: StringProperty()
    set_range: BoolProperty()
    up: StringProperty(default="auto")

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(
            self,
            event,
            title="Import Again?",
            message=f"In the scene already: {self.names}",
            confirm_text="Import Again",
        )

    def execute(self, _context: bpy.types.Context) -> set[str]:
        options = {name: getattr(self, name) for name in (*SHOWN, "filepath", "directory")}
        files = [{"name": file.name} for file in self.files]
        return bpy.ops.bonesetter.import_c3d("EXEC_DEFAULT", True, again=True, files=files, **options)


def imported_from(scene: bpy.types.Scene, path: Path) -> bpy.types.Collection | None:
    """The take of a scene that was imported from that file."""
    return next((one for one in takes_of(scene) if one.bonesetter.path and Path(one.bonesetter.path) == path), None)


def is_animated(scene: bpy.types.Scene) -> bool:
    """Whether anything in the scene, or of it, is animated: its rate and range are then somebody's choice."""
    strips = scene.sequence_editor.strips if scene.sequence_editor else ()
    return len(strips) > 0 or any(action.users - action.use_fake_user > 0 for action in bpy.data.actions)


@contextmanager
def kept_on_failure(scene: bpy.types.Scene) -> Iterator[None]:
    """The scene's rate is what it was if the block fails."""
    rate = scene.render.fps, scene.render.fps_base
    try:
        yield
    except BaseException:
        scene.render.fps, scene.render.fps_base = rate
        raise


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames per second."""
    return scene.render.fps / scene.render.fps_base


def set_rate(scene: bpy.types.Scene, rate_hz: float) -> None:
    """Set the scene's rate exactly: Blender divides a whole number by a base."""
    fps = min(max(round(rate_hz), 1), 32767)
    scene.render.fps = fps
    scene.render.fps_base = fps / rate_hz


def set_range(scene: bpy.types.Scene, timings: list[Timing], grow: bool = False) -> None:
    """Start and end the scene with the takes, or, to `grow`, no later and no sooner than it does."""
    end = max(int(-(-timing.frames[-1] // 1)) for timing in timings)
    start = max(0, int(min(timing.frames[0] for timing in timings)))
    scene.frame_end = max(end, scene.frame_end) if grow else end
    scene.frame_start = min(start, scene.frame_start) if grow else start
    if not grow:
        scene.frame_current = scene.frame_start


class BONESETTER_FH_c3d(bpy.types.FileHandler):
    """Files of markers dropped on the 3D viewport"""

    bl_idname = "BONESETTER_FH_c3d"
    bl_label = "Motion Capture Markers"
    bl_import_operator = "bonesetter.import_c3d"
    bl_file_extensions = ";".join(READERS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return poll_file_object_drop(context)


def draw_menu(self: bpy.types.Menu, _context: bpy.types.Context) -> None:
    self.layout.operator(BONESETTER_OT_import_c3d.bl_idname, text=translated(f"Motion Capture Markers ({', '.join(READERS)})"))
