# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine found out, in the scene: kept, listed, and gone to."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import bpy
import pytest


@pytest.fixture
def finding(ext):
    return ext("model.core.findings").Finding


@pytest.fixture
def load(ext, scene):
    """Put a take as it was read into the scene."""

    def put(take):
        empties, space = ext("operators.empties"), ext("operators.space")
        return empties.build_take(scene, take, space.Timing(1, 1, take.frames), empties.ImportOptions(), Path("/nowhere/walk.c3d"))

    return put


def test_what_was_found_as_the_file_was_read_is_kept_over_solves(ext, load, make_take, finding):
    read = finding("file", "The file names no unit: mm is assumed.")
    take = load(make_take(findings=(read,)))
    module = ext("operators.findings")
    assert module.findings_of_file(take) == (read,)
    solved = [finding("dropped", "Dropped.", ("A",), frames=((3, 4),)), read]
    module.keep_findings(take, [one.document(int) for one in solved])
    assert [item.name for item in take.bonesetter.findings] == [read.text, "Dropped."]
    module.keep_findings(take, [])
    assert [item.name for item in take.bonesetter.findings] == [read.text]


def test_findings_of_a_file_go_to_the_engine(ext, scene, load, make_take, finding):
    read = finding("file", "The file names no unit: mm is assumed.", numbers={"scale": 0.001})
    assert ext("operators.gather").gather_take(scene, load(make_take(findings=(read,)))).findings == (read,)


def test_show_goes_from_stretch_to_stretch_and_selects(ext, scene, load, make_take, finding):
    take = load(make_take(labels=("A", "B", "C")))
    module = ext("operators.findings")
    module.keep_findings(take, [finding("swapped back", "Swapped.", ("A", "C"), frames=((4, 9), (20, 30))).document(int)])
    scene.frame_set(1)
    visited = []
    for _ in range(3):
        assert bpy.ops.bonesetter.show_finding(index=0) == {"FINISHED"}
        visited.append(scene.frame_current)
    assert visited == [4, 20, 4]
    selected = {one.name.partition(".")[0] for one in bpy.context.view_layer.objects.selected}
    assert selected == {"A", "C"}
    with pytest.raises(RuntimeError, match="solve the take again"):
        bpy.ops.bonesetter.show_finding(index=1)


def test_show_says_what_is_gone(ext, load, make_take, finding):
    take = load(make_take(labels=("A", "B", "C")))
    with pytest.raises(ext("model.core.errors").BonesetterError, match="has none of these markers any more"):
        ext("operators.findings").select_finding(bpy.context, take, finding("dropped", "Dropped.", ("Z",)))


def test_show_selects_markers_that_the_file_calls_otherwise(ext, load, make_take, finding):
    take = load(make_take(labels=("LR-SK1", "LR_SK2", "*7", "*9")))
    module, context = ext("operators.findings"), bpy.context
    swapped = finding("swapped back", "RSK1 and RSK2 were exchanged.", ("RSK1", "RSK2"), frames=((4, 9),))
    doubtful = finding("doubtful label", "These found labels are doubtful, check them: RMT5.", ("RMT5",))
    missing = finding("missing", "Solved without these markers of the set: LELB.", ("LELB",))
    columns = {"RSK1": ("LR-SK1",), "RSK2": ("LR_SK2",), "RMT5": ("*7", "*9")}
    module.keep_findings(take, [each.called(columns).document(int) for each in (swapped, doubtful, missing)])
    for index, names in ((0, {"LR-SK1", "LR_SK2"}), (1, {"*7", "*9"})):
        assert bpy.ops.bonesetter.show_finding(index=index) == {"FINISHED"}
        assert {one.name.partition(".")[0] for one in context.view_layer.objects.selected} == names
    assert [item.somewhere for item in take.bonesetter.findings] == [True, True, False]
    assert take.bonesetter.findings[0].name == "RSK1 (LR-SK1) and RSK2 (LR_SK2) were exchanged."


def test_findings_that_say_the_same_are_one_row(ext, load, make_take, finding):
    take = load(make_take())
    keep = ext("operators.findings").keep_findings
    one = finding("unseen", "No marker tells of the left hand.", bones=("LeftHand",), frames=((1, 4),))
    again, other = dataclasses.replace(one, frames=((9, 12), (1, 4))), dataclasses.replace(one, bones=("RightHand",))
    keep(take, [each.document(int) for each in (one, again, other)])
    (left, right) = (json.loads(item.document) for item in take.bonesetter.findings)
    assert (left["bones"], left["frames"]) == (["LeftHand"], [[1, 4], [9, 12]])
    assert right["bones"] == ["RightHand"]


def test_rows_name_the_markers_of_the_scene_without_their_subject(ext, load, make_take, finding):
    take = load(make_take(labels=("Ann:LR_TH1", "Ann:LR_TH2", "Ann:X")))
    columns = {"RTH1": ("Ann:LR_TH1",), "RTH2": ("Ann:LR_TH2",)}
    swapped = finding("swapped back", "RTH1 and RTH2 were swapped.", ("RTH1", "RTH2"), frames=((4, 9),)).called(columns)
    ext("operators.findings").keep_findings(take, [swapped.document(int)])
    assert take.bonesetter.findings[0].short == "4-9  LR_TH1 LR_TH2"


def test_a_row_says_how_many_stretches_there_are_and_is_called_without_the_subject(ext, load, make_take, finding):
    take = load(make_take(labels=("Ann:A", "Ann:B", "Ann:C")))
    spans = finding("far", "Ann:A is far off.", ("Ann:A",), frames=((4, 9), (20, 20), (30, 31)))
    throughout = finding("misplaced", "Ann:B is 90 mm from where C belongs.", ("C",)).called({"C": ("Ann:B",)})
    ext("operators.findings").keep_findings(take, [each.document(int) for each in (spans, throughout)])
    assert [item.short for item in take.bonesetter.findings] == ["4-9 +2  A", "B is 90 mm from where C belongs."]


def test_the_first_click_goes_to_the_first_frames_and_further_ones_to_the_next(ext, scene, load, make_take, finding):
    take = load(make_take(frames=60))
    one, other = (
        finding(kind, f"{kind} in three stretches.", (next(iter(ext("operators.takes").markers(take))),), frames=frames)
        for kind, frames in (("far", ((4, 9), (20, 22), (30, 31))), ("flagged", ((10, 11), (50, 51))))
    )
    ext("operators.findings").keep_findings(take, [each.document(int) for each in (one, other)])
    scene.frame_set(25)
    visited = []
    for index in (0, 0, 0, 0, 1, 1, 0):
        assert bpy.ops.bonesetter.show_finding(index=index) == {"FINISHED"}
        visited.append(scene.frame_current)
    assert visited == [4, 20, 30, 4, 10, 50, 4]


def test_the_gravest_finding_is_chosen_until_another_is(ext, load, make_take, finding):
    """Or the list would begin with whatever row was chosen in another solve's."""
    take = load(make_take(labels=("A", "B", "C")))
    keep, kept = ext("operators.findings").keep_findings, take.bonesetter
    file, far, swap = (
        finding("file", "The file names no unit: mm is assumed."),
        finding("far off", "Far off."),
        finding("swapped back", "Swapped.", ("A", "C"), frames=((4, 9),)),
    )
    keep(take, [file.document(int)], read=True)
    keep(take, [each.document(int) for each in (file, swap, far)])
    assert kept.findings[kept.finding].name == far.text
    bpy.ops.bonesetter.show_finding(index=1)
    keep(take, [each.document(int) for each in (far, file, swap)])
    assert kept.findings[kept.finding].name == swap.text
    ext("operators.findings").replace_findings(take, ("far off",), [far.document(int)])
    assert kept.findings[kept.finding].name == swap.text
    keep(take, [each.document(int) for each in (file, far)])
    assert kept.findings[kept.finding].name == far.text
    keep(take, [])
    assert kept.findings[kept.finding].name == file.text


def test_rows_keep_the_subjects_of_a_take_of_two(ext, load, make_take, finding):
    take = load(make_take(labels=("Ann:LFHD", "Bob:LFHD", "Bob:RFHD")))
    ext("operators.findings").keep_findings(take, [finding("dropped", "Dropped.", ("Bob:LFHD",), frames=((4, 9),)).document(int)])
    assert take.bonesetter.findings[0].short == "4-9  Bob:LFHD"
