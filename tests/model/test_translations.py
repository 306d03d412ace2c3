# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the extension says in Blender has words in every language that it speaks, and no words are left over."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from model.core.settings import SETTINGS

from .messages import ROOT, messages

FILE = ROOT / "operators" / "translations.json"
#: Names that are the same everywhere.
NAMES = {"Bonesetter", "FBX", "glTF", "BVH", "USD", "SYSTEM", "mm"}
#: Blender's own words, which it has translated itself.
NAMES |= {"Presets"}
NAMES |= {"blender", "Blender", "mixamo", "Mixamo", "mixamorig:LeftArm", "unreal", "Unreal", "vrm", "VRM", "cmu", "CMU"}
#: Sentences that are put together of pieces, which the source has not whole.
COMPOSED = {
    "Frames {0} have no marker: their {1}.",
    "Frame {0} has no marker: its {1}.",
    "Frames {0} have fewer than {1} markers: their {2}.",
    "Frame {0} has fewer than {1} markers: its {2}.",
}
HOLE = re.compile(r"\{(\d)(?::([tT-]))?\}")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """{text: where it is said}."""
    found = messages()
    # which axis is up is asked in the import
    for setting in (each for name, each in SETTINGS.items() if each.shown or name == "up"):
        unit = f" ({setting.unit})" if setting.unit else ""
        choices = [text for choice in setting.choices for text in choice[1:]]
        found |= dict.fromkeys([setting.label, setting.label + unit, setting.help, *choices], "model/core/settings.py")
    return {text: place for text, place in found.items() if text not in NAMES and not re.fullmatch(r"-?[A-Z_]+", text)}


def test_everything_is_translated(document: dict[str, Any], said: dict[str, str]) -> None:
    known = {**document["sentences"], **document["parts"]}
    missing = {text: place for text, place in said.items() if text not in known}
    assert not missing, f"translate these in operators/translations.json: {json.dumps(missing, indent=1)}"


def test_nothing_is_left_over(document: dict[str, Any], said: dict[str, str]) -> None:
    left = set(document["sentences"]) - set(said) - COMPOSED
    assert not left, f"nobody says these any more, take them out of operators/translations.json: {sorted(left)}"


def test_parts_are_in_the_source(document: dict[str, Any]) -> None:
    source = "".join(path.read_text(encoding="utf-8") for folder in ("model", "operators", "ui") for path in (ROOT / folder).rglob("*.py"))
    plain = re.compile(r"^the .*|^max \w+ of|^rigid tolerance of|^\{0\}|^frames \{0\}|^no longer|^solved again|^scene frames")
    for part in document["parts"]:
        longest = max(re.split(r"\{\d\}", part), key=len)
        assert plain.match(part) or longest in source, part


def test_each_language_has_every_name_and_number(document: dict[str, Any]) -> None:
    for text, words in {**document["sentences"], **document["parts"]}.items():
        assert len(words) == len(document["languages"])
        holes = {number for number, manner in HOLE.findall(text)}
        assert all(manner == "" for _, manner in HOLE.findall(text)), text
        assert [str(number) for number in range(len(holes))] == sorted(holes), text
        for translation in words:
            assert {number for number, _ in HOLE.findall(translation)} == holes, (text, translation)
            assert len(HOLE.findall(translation)) == len(holes), (text, translation)
            assert "{" not in HOLE.sub("", translation), (text, translation)


def test_words_are_of_the_language(document: dict[str, Any]) -> None:
    scripts = {"ko_KR": r"[가-힣]", "ja_JP": r"[぀-ヿ一-鿿]"}
    assert set(scripts) == set(document["languages"])
    same = {"Python", "NVIDIA GPU (CUDA)"}
    for text, words in document["sentences"].items():
        for language, translation in zip(document["languages"], words, strict=True):
            open_only = not re.search(r"\w", HOLE.sub("", translation))
            assert text in same or open_only or re.search(scripts[language], translation), (language, translation)
            # a full stop in English is one there
            assert text.endswith(".") == translation.endswith((".", "。")), (language, text)


def test_messages_are_found_in_every_manner() -> None:
    import ast

    from .messages import of_blender, of_engine

    source = """
class BONESETTER_OT_a(Operator):
    '''Do it
    now'''
    bl_label = "A Label"
    def draw(self, layout):
        layout.label(text=f"{a}{b} of {c:.2f}")
        wrapped(layout, context, "Yes." if a else "No.", "ERROR")
        self.report({"INFO"}, translated(f"{a} is done"))
        for name, value in (("Solved in", 1),): pass
        said = f"{a} more"
        wrapped(layout, context, translated(said), "INFO")
"""
    found = {"Do it now", "A Label", "{0} of {1}", "Yes.", "No.", "{0} is done", "Solved in", "{0} more"}
    assert set(of_blender(ast.parse(source))) == found
    engine = 'def f():\n    "A doc."\n    raise BonesetterError(f"{a}: no.")\nx = Finding("file", "It is so here.")'
    assert set(of_engine(ast.parse(engine))) == {"{0}: no.", "It is so here."}
