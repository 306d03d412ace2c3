# SPDX-License-Identifier: GPL-3.0-or-later
"""A layout that keeps what is drawn into it: Blender draws panels in a window alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import bpy


class Drawn:
    """Stands for a `UILayout`.

    Attributes:
        said: The texts of all labels, in their order.
        buttons: {operator's name, with the text where it has one of its own: whether it is enabled}.
        fields: Names of the properties that are drawn.
    """

    def __init__(self, parent: Drawn | None = None) -> None:
        self.enabled = True
        self._parent = parent
        self.said: list[str] = parent.said if parent else []
        self.buttons: dict[str, bool] = parent.buttons if parent else {}
        self.fields: list[str] = parent.fields if parent else []

    def label(self, text: str = "", **_options: Any) -> None:
        self.said.append(text)

    def operator(self, name: str, text: str = "", **_options: Any) -> SimpleNamespace:
        # any of the layouts around it may be greyed
        around, enabled = self, True
        while around is not None:
            enabled, around = enabled and around.enabled, around._parent
        self.buttons[f"{name} {text}".strip()] = enabled
        return SimpleNamespace()

    def prop(self, _data: Any, name: str, **_options: Any) -> None:
        self.fields.append(name)

    def inner(self, **_options: Any) -> Drawn:
        return Drawn(self)

    row = column = box = split = inner

    def ignored(self, *_arguments: Any, **_options: Any) -> None:
        """What a test does not look at."""

    separator = progress = menu = template_list = ignored


class _Panel:
    """Stands for the panel itself: its own methods, properties that are drawn and not read, and the layout."""

    def __init__(self, panel: type, layout: Drawn) -> None:
        self._of, self.layout = panel, layout

    def __getattr__(self, name: str) -> Any:
        return self._of.__dict__[name].__get__(self)


def drawn(panel: type, width: int = 4000) -> Drawn:
    """What a panel, or the preferences, draw now, as wide as asked for."""
    real, layout = bpy.context, Drawn()
    context = SimpleNamespace(
        scene=real.scene,
        object=real.object,
        collection=real.collection,
        # in the background Blender has no scale of its own
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)),
        view_layer=real.view_layer,
        region=SimpleNamespace(width=width),
    )
    draw: Any = panel.__dict__["draw"]
    draw(_Panel(panel, layout), context)
    return layout
