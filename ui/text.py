# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in a sidebar."""

from __future__ import annotations

import textwrap

import bpy

#: Characters of the interface's font at its usual size that fit into one unit of a region's width.
CHARACTERS_PER_PIXEL = 0.135


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence on as many lines as the sidebar's width asks for: labels do not wrap by themselves."""
    scale = context.preferences.system.ui_scale
    width = max(20, int(context.region.width / scale * CHARACTERS_PER_PIXEL) - 6)
    column = layout.column(align=True)
    for number, line in enumerate(lines(text, width)):
        column.label(text=line, icon="BLANK1" if number else icon)


def lines(text: str, width: int) -> list[str]:
    """A sentence in lines of at most so many characters; a word is broken only where it is longer than a line, and begins one then."""
    whole = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [part for line in whole for part in textwrap.wrap(line, width)]
