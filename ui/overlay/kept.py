# SPDX-License-Identifier: GPL-3.0-or-later
"""What was drawn last in each viewport, to be drawn again as long as only the playhead or places change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import bpy


class Freed(Protocol):
    """What holds memory of the GPU."""

    def free(self) -> None: ...


Picture = TypeVar("Picture", bound=Freed)


class Kept(Generic[Picture]):
    """One picture a viewport, by the address of its region."""

    def __init__(self) -> None:
        self._pictures: dict[int, tuple[Any, Picture]] = {}

    def get(self, context: bpy.types.Context, shows: Any, make: Callable[[], Picture]) -> Picture:
        """The viewport's picture; a new one where the last one showed something else.

        Args:
            context: Of the viewport that is drawn.
            shows: What the picture shows, to be compared.
            make: Called for a new picture.
        """
        viewport = context.region.as_pointer()
        shown, picture = self._pictures.get(viewport, (None, None))
        if picture is None or shown != shows:
            # those of viewports that were closed go with the viewport's old one
            self._free(set(self._pictures) - _open(context) | {viewport})
            picture = make()
            self._pictures[viewport] = shows, picture
        return picture

    def forget(self) -> None:
        """Free all pictures; the next redraw makes new ones."""
        self._free(set(self._pictures))

    def _free(self, viewports: set[int]) -> None:
        for viewport in viewports & set(self._pictures):
            _, picture = self._pictures.pop(viewport)
            picture.free()


def _open(context: bpy.types.Context) -> set[int]:
    """Addresses of the regions of all viewports that are on a screen now."""
    areas = [area for window in context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    return {region.as_pointer() for area in areas for region in area.regions}
