# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages. The bpy wheel has no translations of its own: what Blender would look up is looked up here."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def words(ext):
    """What a language has for a text or a pattern: words("ko_KR")("Solve")."""
    translation = ext("operators.translation")
    document = translation._document()
    said = {**document["sentences"], **document["parts"]}
    return lambda language: lambda text: said[text][document["languages"].index(language)]


@pytest.fixture
def korean(ext, words):
    return lambda text: ext("operators.translation").in_words(text, words("ko_KR"))


@pytest.fixture
def japanese(ext, words):
    return lambda text: ext("operators.translation").in_words(text, words("ja_JP"))


def test_a_sentence_keeps_its_names_and_numbers(korean, japanese):
    said = "walk: solved in 2.8 s, markers 4.0 mm off on average"
    assert korean(said) == "walk: 2.8초 만에 솔브, 마커 오차 평균 4.0 mm"
    assert japanese(said) == "walk: 2.8 秒でソルブ、マーカーのずれは平均 4.0 mm"
    assert korean("1854 frames at 120 Hz") == "120 Hz, 1854프레임"
    assert korean("a and b.c3d is empty: export it again.") == "a and b.c3d이(가) 비어 있습니다: 다시 내보내세요."


def test_parts_of_a_sentence_are_translated_too(korean, japanese):
    said = "No marker tells of the left arm and the head in frames 1 to 30: their pose is guessed and not keyed."
    assert korean(said) == "프레임 1~30에서 왼팔, 머리을(를) 알려 주는 마커가 없습니다: 포즈를 추정했고 키를 넣지 않았습니다."
    assert korean("Labels that had been swapped were swapped back: LTOE and RTOE in frames 7 to 9.").startswith("서로 바뀌었던 라벨을")
    assert japanese("LTOE and RTOE were swapped in frame 7") == "フレーム 7 で LTOE と RTOE を入れ替えました"
    said = "The max speed of 5 m/s removed 3.1% of the samples, above all of LTOE and 2 more: raise it if they look right."
    assert korean(said) == "최대 속력 5 m/s이(가) 샘플의 3.1%을(를) 제거했습니다. 특히 LTOE 외 2개: 올바른 샘플로 보이면 값을 올리세요."
    assert korean("Frames 1 to 5 have no marker: their pose is guessed.") == "프레임 1~5에 마커가 없습니다: 포즈를 추정했습니다."


def test_what_is_nobodys_stays_as_it_is(korean):
    for said in ("", "Said by nobody: abc in def.", "walk", "one and two", "abc: def this frame"):
        assert korean(said) == said


def test_everything_registered_has_words(ext):
    """As Blender shows it, with the line breaks that a docstring has in this Python."""
    translation = ext("operators.translation")
    korean = translation.dictionary()["ko_KR"]
    missing = [(context, text) for context, text in registered_texts() if (context, text) not in korean]
    assert not missing
    assert {context for context, _ in korean} == {"*", "Operator", "Bonesetter"}


def registered_texts():
    """(context, text) of all that Blender shows of our classes by itself."""
    # "Presets" is what Blender calls a menu of presets of which one was removed, and has words for itself
    plain = {"Bonesetter", "Python", "FBX", "glTF", "BVH", "USD", "Presets", ""}
    for name in dir(bpy.types):
        if not name.startswith("BONESETTER_") or name == "BONESETTER_PG_tried":
            continue
        cls = getattr(bpy.types, name)
        rna, context = cls.bl_rna, "*"
        if "_OT_" in name:
            rna, context = getattr(bpy.ops.bonesetter, name.partition("_OT_")[2]).get_rna_type(), "Operator"
            yield "*", rna.description
        if (label := getattr(cls, "bl_label", "")) not in plain:
            yield context, label
        yield from properties_of(rna, plain)


def properties_of(rna, plain):
    """Names, descriptions and choices of a class' own properties. What has no name of its own is not shown."""
    builtin = {"filepath", "check_existing", "directory", "files", "filter_glob", "name", "rna_type"}
    for prop in rna.properties if any(kind in rna.identifier for kind in ("_OT_", "_PG_", "_AP_")) else ():
        if prop.identifier in builtin or prop.identifier.startswith("bl_") or prop.name in ("", prop.identifier):
            continue
        texts = [prop.name, prop.description]
        if prop.type == "ENUM":
            texts += [text for item in prop.enum_items for text in (item.name, item.description)]
        # of axes only their letters are shown, and what Blender has words for itself
        yield from (("*", text) for text in texts if text not in plain and len(text) > 2 and not text.endswith("is up in the file"))


def test_words_are_read_only_where_the_language_asks_for_them(ext):
    translation = ext("operators.translation")
    assert bpy.app.translations.locale not in translation.LANGUAGES
    assert not translation._follow.registered
    translation.follow_language()
    assert not translation._follow.registered
    assert translation.translated("1854 frames at 120 Hz") == "1854 frames at 120 Hz"


def test_lines_of_other_scripts_fit(ext):
    lines = ext("ui.text").lines
    said = "マーカーが平均 12 mm ずれています: ラベルかアクターが違うかもしれません。"
    made = lines(said, 20)
    assert "".join(made).replace(" ", "") == said.replace(" ", "")
    assert all(sum(2 if ord(letter) > 0x1100 else 1 for letter in line) <= 22 for line in made)
    assert not any(line.startswith(("。", "、")) for line in made)
    korean = lines("마커가 평균 12 mm 벗어나 있습니다: 라벨이나 액터가 잘못되었을 수 있습니다.", 24)
    assert " ".join(korean) == "마커가 평균 12 mm 벗어나 있습니다: 라벨이나 액터가 잘못되었을 수 있습니다."


def test_names_of_panels_are_ours_where_blender_has_another_word(ext):
    """Blender's own words come first in every context that it knows: feet are a unit there, and a solve an analysis."""
    translation, panel = ext("operators.translation"), ext("ui.feet").BONESETTER_PT_feet
    assert panel.bl_translation_context == translation.PANELS
    assert translation.dictionary()["ko_KR"][translation.PANELS, "Feet"] == "발"
    assert translation.dictionary()["ja_JP"][translation.PANELS, "Solve"] == "ソルブ"
