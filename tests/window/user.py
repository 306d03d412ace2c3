# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who works at the window with the panel's buttons: what the scenarios of all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import bpy
from person import Person, Steps, Verdict, ext, wait, wait_for


def opened(*panels: str) -> None:
    """Have panels stand open that begin closed, such as `feet.BONESETTER_PT_feet`, with those within them.

    Before they are drawn: Blender remembers which ones are closed.
    """
    for path in panels:
        module, name = path.split(".")
        parent = getattr(ext(f"ui.{module}"), name)
        children = [one for one in ext(f"ui.{module}").CLASSES if getattr(one, "bl_parent_id", "") == name]
        for one in (*children, parent):
            bpy.utils.unregister_class(one)
        parent.bl_options = set()
        for one in (parent, *children):
            bpy.utils.register_class(one)


class User:
    """Who sits there, and what they look at."""

    def __init__(self, verdict: Verdict) -> None:
        self.person, self.check = Person(), verdict.check
        self.scene: Any = bpy.context.scene

    @property
    def take(self) -> Any:
        return bpy.context.scene.bonesetter.take

    @property
    def session(self) -> Any:
        return ext("operators.session").session

    @property
    def viewport(self) -> Any:
        return next(region for region in self.person.area.regions if region.type == "WINDOW")

    def within(self) -> Any:
        space: Any = self.person.area.spaces.active
        return bpy.context.temp_override(
            window=self.person.window, area=self.person.area, region=self.viewport, space_data=space, region_data=space.region_3d
        )

    def over_viewport(self, x: float = 0.4, y: float = 0.6) -> Steps:
        region = self.viewport
        yield from self.person.move(region.x + round(region.width * x), region.y + round(region.height * y))

    def click(self, command: str, part: float = 0.33) -> Steps:
        yield from self.person.to_the_top()
        yield from self.person.find_button(command, part)
        yield from self.person.press("LEFTMOUSE")
        yield from wait(0.5)

    def solve(self, command: str) -> Steps:
        """Click and wait; a range may be solved before anybody looks whether it began."""
        before = self.take.bonesetter.result
        yield from self.click(command)
        yield from wait_for(lambda: self.session.solve is not None or self.take.bonesetter.result != before, "the solve to start")
        yield from wait_for(lambda: self.session.solve is None, "the solve to end")
        yield from wait(0.5)

    def choose(self, *labels: str) -> None:
        there = ext("operators.takes").markers(self.take)
        ext("operators.view").select(bpy.context, [there[label] for label in labels])
        bpy.context.view_layer.objects.active = there[labels[0]]


Somebody = TypeVar("Somebody")


def in_turn(scenario: Iterable[Callable[[Somebody], Steps]], somebody: Somebody) -> Steps:
    """The steps of a scenario: each begins where the one before it left the scene."""
    for step in scenario:
        yield from step(somebody)
