# SPDX-License-Identifier: GPL-3.0-or-later
"""What the overlay costs a redraw, 10,000 frames x 60 markers and a real take: `BONESETTER_WINDOW_SCRIPT=cost.py tests/window/run.sh`.

Milliseconds of the processor, of all threads: the software renderer's work is in them. A picture of its own is drawn into many times, and
read in the end, so that nothing is left undone and Blender's own drawing is not in it. What Python alone takes is measured with batches and
texts that draw nothing.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))

import bpy
import gpu
import numpy as np
from long_take import write_long_take
from mathutils import Matrix
from person import STAGE, Steps, Ticker, Verdict, drive, ext, wait
from user import User

#: How often a take is drawn.
DRAWN, ROUNDS = 20, 5
PARTS = ("points", "names", "strip")


class Timed(User):
    """Who redraws."""

    def drawn(self, part: str, count: int = DRAWN) -> float:
        """CPU time of drawing a part of the overlay once, in ms, at a frame of its own each time."""
        module, region, scene = ext(f"ui.overlay.{part}"), self.viewport, bpy.context.scene
        view: Any = self.person.area.spaces.active.region_3d
        screen: Any = gpu.types.GPUOffScreen(region.width, region.height)
        in_pixels = Matrix(((2 / region.width, 0, 0, -1), (0, 2 / region.height, 0, -1), (0, 0, -1, 0), (0, 0, 0, 1)))
        spent = 0.0
        # what Blender's own description of its module leaves open
        matrix: Any = gpu.matrix
        with self.within(), screen.bind(), matrix.push_pop(), matrix.push_pop_projection():
            matrix.load_matrix(view.view_matrix if part == "points" else Matrix.Identity(4))
            matrix.load_projection_matrix(view.window_matrix if part == "points" else in_pixels)
            for step in range(count):
                scene.frame_set(self.middle + step)
                began = time.process_time()
                module.draw()
                screen.texture_color.read() if step == count - 1 else None
                spent += time.process_time() - began
        screen.free()
        return 1e3 * spent / count

    def in_python(self, part: str) -> float:
        """The same where nothing reaches the GPU."""
        modules = ext(f"ui.overlay.{part}"), ext("ui.overlay.texts")
        with ExitStack() as stack:
            for module, name in product(modules, ("batch_for_shader", "blf")):
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, Nothing()))
            return self.drawn(part)

    @property
    def middle(self) -> int:
        return self.take.bonesetter.frames // 2


class Nothing:
    """Draws nothing, whatever it is asked for."""

    def __call__(self, *_arguments: Any, **_options: Any) -> Nothing:
        return self

    def __getattr__(self, _name: str) -> Nothing:
        return self

    def __getitem__(self, _index: int) -> float:
        return 0.0


def redraw(verdict: Verdict, _ticker: Ticker) -> Steps:
    """A long take with all of its markers selected, with five, and with none; then a real one that was solved."""
    timed = Timed(verdict)
    for one in list(bpy.data.objects):
        bpy.data.objects.remove(one)
    write_long_take()
    for name in ("long", "take"):
        with timed.within():
            bpy.ops.bonesetter.import_c3d(filepath=str(STAGE / f"{name}.c3d"))
            bpy.context.scene.bonesetter.others = "HIDE"
            bpy.context.scene.frame_set(timed.middle)
            if name == "take":
                bpy.ops.bonesetter.solve_markers()
        markers = list(ext("operators.takes").markers(timed.take).values())
        for chosen in (len(markers), 5, 0):
            ext("operators.view").select(bpy.context, markers[:chosen])
            yield from wait(0.3)
            measure(timed, f"{name}, {chosen} of {len(markers)} selected")
            yield from timed.person.look(f"{name}-{chosen}")


def measure(timed: Timed, what: str) -> None:
    """Each part several times in turn: the machine is not always as quick."""
    whole = np.array([[timed.drawn(part) for part in PARTS] for _ in range(ROUNDS)])
    python = np.array([[timed.in_python(part) for part in PARTS] for _ in range(ROUNDS)])
    for values, of in ((whole, "in all"), (python, "in Python")):
        least, middle = values.min(axis=0), np.median(values, axis=0)
        told = ", ".join(f"{part} {low:.2f} ({median:.2f})" for part, low, median in zip(PARTS, least, middle, strict=True))
        timed.check(f"{what}, ms {of}", True, f"{told}; together {least.sum():.2f} ({middle.sum():.2f})")


if __name__ == "__main__":
    drive(redraw)
