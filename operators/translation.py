# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages, by Blender's own translations. `translations.json` has what is said, and each language's words for it.

What Blender shows as it stands in the source it translates by itself. A sentence with a name or a number in it, and what comes from the
engine's process or was kept in a file, comes here whole: its pattern is found, and the translated pattern gets the same names and numbers.
In a translation {0:t} is what is translated in its turn, {0:T} what must be a known text for the pattern to be meant, {0:-} what a language
leaves out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import bpy

FILE = Path(__file__).with_name("translations.json")
LANGUAGES = ("ko_KR", "ja_JP")
#: Of the panels' names: in every other context Blender's own words come first, and to it feet are a unit.
PANELS = "Bonesetter"
#: Where Blender looks texts up: the names of operators have a context of their own.
CONTEXTS = ("*", "Operator", PANELS)
#: What stands for a name or a number, and how it is meant.
HOLE = re.compile(r"\{(\d)(?::([tT-]))?\}")
#: Sentences that are remembered: the panel asks for the same ones in every redraw.
REMEMBERED = 2048
#: Whose subscription to the preferences is ended with the extension.
_owner = object()


def translated(text: str) -> str:
    """A text of the interface in the user's language; itself where that is none of ours, or the text is unknown."""
    if bpy.app.translations.locale not in LANGUAGES or not bpy.context.preferences.view.use_translate_interface:
        return text
    return _translated(text, bpy.app.translations.locale)


@lru_cache(REMEMBERED)
def _translated(text: str, _language: str) -> str:
    return in_words(text, bpy.app.translations.pgettext_iface)


def in_words(text: str, words: Callable[[str], str], part: bool = False) -> str:
    """A text by the patterns that are known.

    Args:
        text: In English, whole.
        words: Gives a known text or pattern in another language.
        part: Whether it is the part of a sentence, for which more patterns are tried.
    """
    sentences, parts = patterns()
    if text in sentences or text in parts:
        return words(text)
    for pattern, pieces in (*sentences.items(), *(parts.items() if part else ())):
        groups = matched(pieces, text)
        if groups is None:
            continue
        made = words(pattern)
        if all(sentences.get(groups[int(number)]) is not None for number, manner in HOLE.findall(made) if manner == "T"):
            return HOLE.sub(lambda hole, groups=groups: _filled(hole, groups, words), made)
    return text


def _filled(hole: re.Match[str], groups: list[str], words: Callable[[str], str]) -> str:
    group, manner = groups[int(hole[1])], hole[2]
    if manner == "-":
        return ""
    return in_words(group, words, part=True) if manner else group


def matched(pieces: list[str], text: str) -> list[str] | None:
    """What stands in a text between the pieces of a pattern, as little as possible each; None where it is not of that pattern."""
    if len(pieces) == 1 or not text.startswith(pieces[0]) or not text.endswith(pieces[-1]):
        return None
    groups: list[str] = []
    at, end = len(pieces[0]), len(text) - len(pieces[-1])
    for piece in pieces[1:-1]:
        found = text.find(piece, at, end)
        if found < 0:
            return None
        groups.append(text[at:found])
        at = found + len(piece)
    if at > end:
        return None
    return [*groups, text[at:end]]


@cache
def patterns() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{text or pattern: its pieces between what it leaves open} of sentences and of parts of them, those that say most first."""
    document = _document()
    return _in_pieces(document["sentences"]), _in_pieces(document["parts"])


def _in_pieces(texts: Iterable[str]) -> dict[str, list[str]]:
    split = {text: re.split(r"\{\d\}", text) for text in texts}
    return dict(sorted(split.items(), key=lambda each: -sum(map(len, each[1]))))


@cache
def _document() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def dictionary() -> dict[str, dict[tuple[str, str], str]]:
    """{language: {(context, text): translation}}, as Blender wants them."""
    document = _document()
    said = {**document["sentences"], **document["parts"]}
    made: dict[str, dict[tuple[str, str], str]] = {}
    for column, language in enumerate(document["languages"]):
        made[language] = {(context, text): words[column] for text, words in said.items() for context in CONTEXTS}
        made[language] |= {("*", shown): words[column] for shown, text in _tooltips().items() if (words := said.get(text))}
    return made


def _tooltips() -> dict[str, str]:
    """{tooltip as Blender has it, with the line breaks of the source: the same on one line} of our operators."""
    names = [name.partition("_OT_")[2] for name in dir(bpy.types) if name.startswith("BONESETTER_OT_")]
    shown = [getattr(bpy.ops.bonesetter, name).get_rna_type().description for name in names]
    return {text: " ".join(text.split()) for text in shown if "\n" in text}


def follow_language() -> None:
    """Give Blender our words where the interface's language is one of ours; there is nothing to read where it is not."""
    if bpy.app.translations.locale in LANGUAGES and not _follow.registered:
        bpy.app.translations.register(__name__, dictionary())
        _follow.registered = True


class _Follow:
    """Whether Blender has our words."""

    registered = False


_follow = _Follow()


@bpy.app.handlers.persistent
def subscribe(*_arguments: object) -> None:
    """Follow a change of the language in the preferences: opening a file ends all subscriptions."""
    bpy.msgbus.clear_by_owner(_owner)
    key = (bpy.types.PreferencesView, "language")
    bpy.msgbus.subscribe_rna(key=key, owner=_owner, args=(), notify=follow_language)
    follow_language()


def register() -> None:
    subscribe()
    bpy.app.handlers.load_post.append(subscribe)


def unregister() -> None:
    bpy.msgbus.clear_by_owner(_owner)
    if subscribe in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(subscribe)
    if _follow.registered:
        bpy.app.translations.unregister(__name__)
        _follow.registered = False
