# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in a sidebar."""

from __future__ import annotations

import re
import textwrap
import unicodedata

import bpy

from ..operators.translation import translated

#: Characters of the interface's font at its usual size that fit into one unit of a region's width.
CHARACTERS_PER_PIXEL = 0.135
#: Signs that no line begins with.
CLOSING = "。、」）)ー・?!.,:;"


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """A sentence, in the user's language, on as many lines as the sidebar's width asks for: labels do not wrap by themselves."""
    scale = context.preferences.system.ui_scale
    width = max(20, int(context.region.width / scale * CHARACTERS_PER_PIXEL) - 6)
    column = layout.column(align=True)
    for number, line in enumerate(lines(translated(text), width)):
        column.label(text=line, icon="BLANK1" if number else icon)


def lines(text: str, width: int) -> list[str]:
    """A sentence in lines of at most so many characters; a word is broken only where it is longer than a line, and begins one then.

    Letters of East Asia are as wide as two others; where a sentence has no spaces, as in Japanese, a line ends between any of them.
    """
    if any(map(_is_wide, text)):
        return _wide_lines(text, width)
    whole = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return [part for line in whole for part in textwrap.wrap(line, width)]


def _wide_lines(text: str, width: int) -> list[str]:
    made, line, used = [], "", 0
    # Korean and other words stay whole; Chinese characters and kana are words of their own
    for word in re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\s\u3040-\u30ff\u4e00-\u9fff]+|\s+", text):
        columns = sum(2 if _is_wide(letter) else 1 for letter in word)
        if line and used + columns > width and word not in CLOSING:
            made.append(line.rstrip())
            line, used, word = "", 0, word.lstrip()
        line, used = line + word, used + columns
    return [*made, line.rstrip()] if line.strip() else made


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
