# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding calls its markers: as the marker set does, and as the file does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from model.core.findings import GRAVITY, SEVERE, Finding, Kind, finding_of, gravity, sentences
from model.shell.runs import findings_said

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = {"RSK1": ("LR-SK1",), "RSK2": ("LR_SK2",), "LANK": ("Otto:LANK",), "RMT5": ("*7", "*9", "*12"), "C7": ("C7",)}


def test_a_sentence_has_the_names_of_the_file_behind_its_labels():
    swapped = Finding("swapped back", "Swapped: RSK1 and RSK2, not XRSK1 or RSK10.", ("RSK1", "RSK2"), frames=((3, 4),)).called(COLUMNS)
    assert swapped.text == "Swapped: RSK1 (LR-SK1) and RSK2 (LR_SK2), not XRSK1 or RSK10."
    assert swapped.markers == ("LR-SK1", "LR_SK2")
    doubtful = Finding("doubtful label", "Doubtful: RMT5.", ("RMT5",)).called(COLUMNS)
    assert doubtful.text == "Doubtful: RMT5 (*7 and 2 more)."
    assert doubtful.markers == ("*7", "*9", "*12")


def test_a_sentence_keeps_what_the_reader_finds_by_himself():
    prefixed = Finding("re-stuck", "LANK was re-stuck.", ("LANK",)).called(COLUMNS)
    assert (prefixed.text, prefixed.markers) == ("LANK was re-stuck.", ("Otto:LANK",))
    known = Finding("misplaced", "LR-SK1 is taken for RSK1.", ("RSK1",)).called(COLUMNS)
    assert (known.text, known.markers) == ("LR-SK1 is taken for RSK1.", ("LR-SK1",))
    same = Finding("dropped", "C7 was dropped.", ("C7",))
    assert same.called(COLUMNS) == same
    assert prefixed.called({"LANK": ("elsewhere",)}) == prefixed


def test_many_findings_in_one_sentence_have_the_names_of_the_file_too():
    found = [Finding("swapped back", "", ("RSK1", "RSK2"), frames=((first, first + 3),)).called(COLUMNS) for first in (10, 20)]
    assert sentences(found, lambda frame: frame) == [
        "Labels that had been swapped were swapped back (frames): RSK1 (LR-SK1) and RSK2 (LR_SK2) in 10 to 13; "
        "RSK1 (LR-SK1) and RSK2 (LR_SK2) in 20 to 23."
    ]


def test_what_is_found_twice_is_said_once():
    found = Finding("swapped back", "RSK1 and RSK2.", ("RSK1", "RSK2"), frames=((10, 13),))
    assert sentences([found, found], lambda frame: frame) == ["RSK1 and RSK2."]


def test_names_of_the_file_are_kept_in_the_document_and_may_lack_in_old_ones():
    swapped = Finding("swapped back", "Swapped: RSK1 and RSK2.", ("RSK1", "RSK2"), frames=((3, 4),)).called(COLUMNS)
    document = json.loads(json.dumps(swapped.document(int)))
    assert finding_of(document) == swapped
    del document["columns"]
    assert finding_of(document).markers == ("RSK1", "RSK2")


def test_the_manual_tells_what_every_kind_means():
    rows = [line.split("|")[1] for line in (ROOT / "docs/panel.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    told = {name.strip() for row in rows for name in row.split(",")}
    assert set(get_args(Kind)) <= told


def test_every_kind_has_its_place_among_the_grave_ones():
    assert sorted(GRAVITY) == sorted(get_args(Kind))
    assert gravity("far off") == 0
    assert gravity("of another version") == len(GRAVITY)


def said(*findings: Finding) -> list[str]:
    return findings_said({"findings": [each.document(lambda frame: frame + 1) for each in findings]}, Path("solved/walk.json"))


def test_a_run_prints_what_was_guessed_or_may_be_wrong_and_counts_the_rest():
    guessed = Finding("unseen", "No marker tells of the arms in frames 1 to 30: their pose is guessed.", frames=((0, 29),))
    doubts = [Finding("sides doubtful", "", ("LANK", "RANK"), frames=((first, first + 9),)) for first in (0, 99)]
    swaps = [Finding("swapped back", "", ("RSK1", "RSK2"), frames=((first, first + 3),)) for first in (10, 20)]
    assert said(guessed, *swaps, *doubts) == [
        guessed.text,
        "Left and right look exchanged but were left as they are, check the labels (frames): LANK, RANK in 1 to 10; LANK, RANK in 100 to "
        "109.",
        "2 more findings: see solved/walk.json",
    ]
    assert said(swaps[0]) == ["1 finding: see solved/walk.json"]
    assert said() == []
    assert set(get_args(Kind)) > SEVERE
