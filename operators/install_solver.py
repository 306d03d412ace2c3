# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Solver: what the engine needs, in a folder of the extension's own. Also its cancelling, and its removal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty, StringProperty

from ..model.core.errors import BonesetterError
from . import solver_python
from .preferences import chosen_python, own
from .session import session
from .takes import takes_of
from .translation import translated
from .view import redraw

if TYPE_CHECKING:
    from .installation import Installation

#: How often the panel shows how far it is, in s.
INTERVAL = 0.2
OFFLINE = (
    "Blender may not use the network: allow online access in Preferences > System, or install from a folder of wheels that another "
    "computer downloaded."
)


def begin(folder: str = "") -> Installation:
    """Start installing.

    Args:
        folder: Of wheels, which are not downloaded then; empty for none.

    Raises:
        BonesetterError: It cannot be started.
    """
    from ..installer.errors import InstallError
    from ..installer.interpreters import resolve
    from .installation import Installation, Wanted

    if not folder and not bpy.app.online_access:
        raise BonesetterError(OFFLINE)
    preferences = own()
    try:
        base = resolve(chosen) if (chosen := chosen_python()) else sys.executable
        store = solver_python.store()
    except (InstallError, OSError) as error:
        raise BonesetterError(str(error)) from error
    wanted = Wanted(
        store=store,
        base=base,
        device=solver_python.device(),
        wheels=bpy.path.abspath(folder),
        index=preferences.package_index.strip() if preferences else "",
        proxy=preferences.proxy.strip() if preferences else "",
        online=bpy.app.online_access,
    )
    return Installation(wanted)


def finish() -> None:
    """What was installed is what solves from now on."""
    session.just_installed = True
    if preferences := own():
        # it was what the solver was built on
        preferences.python_path = ""
    session.engine.kill()
    session.engine.verdicts.clear()
    solver_python.forget_installed()
    if any(takes_of(scene) for scene in bpy.data.scenes):
        solver_python.warm_engine()


def watch() -> float | None:
    """Blender's timer: take in how far the installation is, and show it."""
    installation = session.installation
    if installation is None:
        return None
    try:
        if installation.poll() is None:
            redraw(bpy.context)
            return INTERVAL
        finish()
    except BonesetterError as error:
        session.install_error = str(error)
    session.installation = None
    redraw(bpy.context)
    return None


class BONESETTER_OT_install_solver(bpy.types.Operator):
    """Download the solver (PyTorch and SciPy) into a folder of Bonesetter's own. Blender's Python stays as it is"""

    bl_idname = "bonesetter.install_solver"
    bl_label = "Install Solver"
    bl_options = {"INTERNAL"}

    directory: StringProperty(
        name="Folder of Wheels", description="Where wheels lie that need not be downloaded", subtype="DIR_PATH", options={"SKIP_SAVE"}
    )
    from_folder: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})
    filter_glob: StringProperty(default="*.whl", options={"HIDDEN"})

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if session.installation is not None:
            cls.poll_message_set("The solver is being installed")
            return False
        return True

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        if properties.from_folder:
            return translated("Install the solver from a folder of wheels, without the network where all of them are there")
        return translated(" ".join((cls.__doc__ or "").split()))

    def execute(self, _context: bpy.types.Context) -> set[str]:
        try:
            session.install_error, session.just_installed = "", False
            installation = begin(self.directory)
            if bpy.app.background:
                self._wait(installation)
                return {"FINISHED"}
        except BonesetterError as error:
            session.install_error = str(error)
            self.report({"ERROR"}, translated(str(error)))
            return {"CANCELLED"}
        session.installation = installation
        bpy.app.timers.register(watch, first_interval=INTERVAL, persistent=True)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if not self.from_folder or context.window is None:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def _wait(self, installation: Installation) -> None:
        """Without a window there is nobody to go on meanwhile."""
        told = ""
        try:
            while installation.poll(timeout=1.0) is None:
                if installation.stage != told:
                    told = installation.stage
                    print(f"Install Solver: {told}", flush=True)
        except KeyboardInterrupt:
            installation.cancel()
            raise
        finish()
        self.report({"INFO"}, "The solver is installed")


class BONESETTER_OT_cancel_install(bpy.types.Operator):
    """Stop installing. What was downloaded is kept for the next time"""

    bl_idname = "bonesetter.cancel_install"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if session.installation is not None:
            session.installation.cancel()
        session.installation = None
        redraw(context)
        return {"FINISHED"}


class BONESETTER_OT_remove_solver(bpy.types.Operator):
    """Remove the solver that Install Solver installed, and what was downloaded for it"""

    bl_idname = "bonesetter.remove_solver"
    bl_label = "Remove Solver"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        if session.installation is not None or session.solve is not None:
            cls.poll_message_set("The solver is at work")
            return False
        if not solver_python.is_kept():
            cls.poll_message_set("Nothing is installed")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..installer.errors import InstallError
        from ..installer.store import remove

        session.engine.kill()
        session.just_installed = False
        try:
            remove(solver_python.store())
        except InstallError as error:
            self.report({"ERROR"}, translated(str(error)))
            return {"CANCELLED"}
        finally:
            solver_python.forget_installed()
            redraw(context)
        self.report({"INFO"}, "The solver was removed")
        return {"FINISHED"}
