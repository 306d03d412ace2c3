# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a take's last solve as a page for a browser: the engine writes it with the solve, and the take keeps it."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..model.core.errors import BonesetterError
from .polls import OfTake, is_idle
from .refusals import says_why
from .takes import active_take
from .translation import translated

#: Custom property of a take's collection: the page, compressed.
PAGE = "report_page"


def keep_page(collection: bpy.types.Collection, path: Path | None) -> None:
    """Keep the page that the engine wrote, in place of the one of an earlier solve."""
    collection.pop(PAGE, None)
    if path is not None and path.is_file():
        collection[PAGE] = zlib.compress(path.read_bytes())
        path.unlink()


def page_of(collection: bpy.types.Collection) -> str:
    """The page of the last solve of the whole take, as HTML.

    Raises:
        BonesetterError: The take has none, or it is damaged.
    """
    try:
        return zlib.decompress(collection[PAGE]).decode("utf-8")
    except (KeyError, TypeError, ValueError, zlib.error):
        raise BonesetterError("This take has no report: solve it again.") from None


class BONESETTER_OT_write_report(OfTake, ExportHelper, bpy.types.Operator):
    """Write what the last solve of this take came to as a page for a browser, for those who judge it without Blender: residual over time
    and by marker, gaps, flags, corrections, contacts, and the worst frames as pictures"""

    bl_idname = "bonesetter.write_report"
    bl_label = "Report"
    filename_ext = ".html"
    filter_glob: StringProperty(default="*.html", options={"HIDDEN"})
    open_it: BoolProperty(name="Open in Browser", description="Show the page as soon as it is written", default=True)

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if not (is_idle(cls) and super().poll(context)):
            return False
        take: Any = active_take(context)
        if PAGE not in take:
            cls.poll_message_set("Solve the whole take first: its report is written with the solve")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # the file browser remembers the last path, which may be another take's
        folder = Path(self.filepath).parent if self.filepath else Path(bpy.data.filepath).parent
        self.filepath = str(folder / (bpy.path.clean_name(active_take(context).name) + self.filename_ext))
        return ExportHelper.invoke(self, context, event)

    @says_why
    def execute(self, context: bpy.types.Context) -> set[str]:
        from ..model.storage.atomic import replacing

        take, path = active_take(context), Path(bpy.path.abspath(self.filepath)).resolve()
        page = page_of(take)
        with replacing(path) as stream:
            stream.write(page)
        if ranges := take.bonesetter.solved_ranges:
            self.report({"WARNING"}, translated(f"{path.name} is of the whole solve: frames {ranges} were solved again since"))
        else:
            self.report({"INFO"}, translated(f"{path.name} is written"))
        if self.open_it and not bpy.app.background:
            bpy.ops.wm.url_open(url=path.as_uri())
        return {"FINISHED"}
