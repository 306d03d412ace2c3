# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels found by motion: each stage by itself, and takes whose labels were removed."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.actors import prior as priors
from model.actors.actor_file import read_actor
from model.core.axes import TO_Y_UP, up_vector
from model.core.errors import BonesetterError
from model.core.findings import Finding
from model.core.settings import Settings
from model.core.take import Axis, Take
from model.engine.pipeline import solve_take
from model.files.c3d import read_c3d
from model.files.c3d_writer import write_c3d
from model.labelling.assignment import assign_tracks
from model.labelling.choice import TRIAL_POSES, choose
from model.labelling.completion import label_rest
from model.labelling.evidence import find_evidence
from model.labelling.following import follow
from model.labelling.key_frames import FEWEST, KeyFrames, choose_key_frames, largest_cluster
from model.labelling.label import compared, first_labels, label_take
from model.labelling.labelled import Labelled, TrackLabel, columns_of, confidences, findings_of
from model.labelling.layout import layout_of
from model.labelling.naming import other_markers
from model.labelling.refinement import Refined
from model.labelling.registration import Registration, register, soft_assignment, upright
from model.labelling.swaps import exchanged_back
from model.labelling.template import Template, template_of_actor, template_of_set
from model.labelling.tracks import OPEN, Tracks, cut_tracks
from model.marker_sets.marker_set import bundled_marker_sets, load_marker_set, write_marker_set
from model.shell.cli import main
from model.synthetic.bodies import draw_bodies
from model.synthetic.synthesis import Noise, SyntheticTake, synthesise
from model.synthetic.unlabelled import GHOST, Labelling, Stripped, score, strip_labels

QUIET = Noise(jitter=5e-4, gaps=0.02, long_gaps=2, spikes=0.0, swaps=0)


def take_of(paths: np.ndarray, rate_hz: float = 100.0) -> Take:
    labels = tuple(f"*{column}" for column in range(paths.shape[1]))
    return Take("take", labels, paths, np.zeros(paths.shape[:2]), rate_hz)


def tracks_of(spans: list[tuple[int, int, int]], frames: int = 100) -> Tracks:
    columns, starts, ends = np.array(spans).T
    return Tracks(np.zeros((frames, int(columns.max()) + 1, 3)), columns, starts, ends, 100.0)


@pytest.fixture(scope="module")
def somebody() -> SyntheticTake:
    """A synthetic person of other build and with markers elsewhere than the prior's mean person has them."""
    prior = priors.bundled()
    drawn = draw_bodies(prior.actor, 1, np.random.default_rng(3))
    own = replace(prior.actor, bone_mean=1.05 * drawn.bones[0], offset_mean=1.05 * drawn.offsets[0])
    return synthesise(4.0, 60.0, seed=2, noise=QUIET, prior=replace(prior, actor=own))


@pytest.fixture(scope="module")
def hard(somebody: SyntheticTake) -> Stripped:
    return strip_labels(somebody.take, 1, hard=True)


@pytest.fixture(scope="module")
def found_hard(hard: Stripped) -> Labelled:
    """The set is known, the actor is not."""
    return label_take(hard.take, marker_set=load_marker_set())


def scored(stripped: Stripped, found: Take) -> Labelling:
    named = [row for row, label in enumerate(found.labels) if not label.startswith("*")]
    return score(stripped, found.positions[:, named], [found.labels[row] for row in named])


def test_tracks_are_cut_at_gaps_and_jumps_but_not_where_a_point_is_fast() -> None:
    paths = np.zeros((60, 3, 3))
    paths[20:25, 0] = np.nan
    paths[30:, 1, 0] += 0.5
    paths[:, 2, 0] = 0.2 * np.arange(60)
    tracks = cut_tracks(take_of(paths))
    found = list(zip(tracks.columns.tolist(), tracks.starts.tolist(), tracks.ends.tolist(), strict=True))
    assert found == [(0, 0, 20), (0, 25, 60), (1, 0, 30), (1, 30, 60), (2, 0, 60)]


def test_a_take_without_samples_has_no_tracks() -> None:
    assert len(cut_tracks(take_of(np.full((5, 2, 3), np.nan)))) == 0


def test_a_take_that_is_too_short_to_be_labelled_is_told_so() -> None:
    body = np.random.default_rng(0).uniform(0.0, 0.8, size=(40, 3))
    with pytest.raises(BonesetterError, match="24 frames, too few to find labels by motion"):
        label_take(take_of(np.repeat(body[None], 24, axis=0)))


def test_key_frames_hold_the_body_and_no_ghost_beside_it() -> None:
    body = np.random.default_rng(0).uniform(0.0, 0.8, size=(30, 3))
    points = np.concatenate([body, [[5.0, 0.0, 0.0], [5.1, 0.0, 0.0]]])
    assert largest_cluster(points).tolist() == [True] * 30 + [False] * 2
    keys = choose_key_frames(cut_tracks(take_of(np.repeat(points[None], 200, axis=0))), 5)
    assert keys.there.sum(axis=1).tolist() == [30] * 5
    assert (np.diff(keys.frames) > 0).all()


def test_soft_assignments_leave_room_for_what_is_hidden_and_what_is_nobodys() -> None:
    # a label on a point, a label far from all points, and a point far from all labels
    squared = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    part = soft_assignment(squared, torch.full((2,), 0.05**2))[0]
    assert part[0, 0] > 0.9
    assert part[1].sum() < 0.01
    assert part[:, 1].sum() < 0.01


def test_two_labels_share_a_point_between_them() -> None:
    part = soft_assignment(torch.zeros(1, 2, 1), torch.full((2,), 0.05**2))[0]
    assert part.sum() == pytest.approx(1.0, abs=0.01)


def test_no_label_is_given_twice_at_a_time_and_a_track_is_labelled_as_a_whole() -> None:
    tracks = tracks_of([(0, 0, 60), (1, 0, 100), (0, 62, 100)])
    scores = np.array([[9.0, 1.0], [8.0, 7.0], [9.0, -1.0]])
    assert assign_tracks(scores, tracks).tolist() == [0, 1, 0]


def test_what_fits_no_label_better_than_none_stays_open() -> None:
    tracks = tracks_of([(0, 0, 50), (1, 0, 50)])
    assert assign_tracks(np.array([[-1.0], [2.0]]), tracks).tolist() == [OPEN, 0]


def test_of_two_that_want_a_label_at_once_the_better_keeps_it() -> None:
    # the second is better, and the first has the label for most of its own time
    tracks = tracks_of([(0, 0, 80), (1, 70, 100)])
    assert assign_tracks(np.array([[3.0], [5.0]]), tracks).tolist() == [OPEN, 0]


def test_markers_made_of_tracks_are_mixed_up_only_where_that_says_something() -> None:
    """Columns 0 and 1 have a name; of the others 2 and 3 are there at once, and 4 comes after 2."""
    positions = np.full((100, 5, 3), np.nan)
    positions[:, :4] = np.random.default_rng(0).normal(scale=1e-4, size=(100, 4, 3)) + np.arange(4)[:, None]
    positions[60:, 4] = 9.0
    positions[50:, 2] = np.nan
    tracks = cut_tracks(Take("a", ("p", "q", "*0", "*1", "*2"), positions, np.zeros((100, 5)), 100.0))
    assert tracks.columns.tolist() == [0, 1, 2, 3, 4]
    others = other_markers(np.arange(5), 5, tracks, {0: "p", 1: "q"})
    assert others[[0, 2, 3], [1, 3, 4]].all()
    assert not others[[2, 4], [4, 2]].any()
    # two tracks of one label may have to be exchanged with another's
    assert not other_markers(np.array([0, 1, 2, 3, 2]), 4, tracks, {})[3, 2]
    sure, second = confidences(np.array([[3.0, 2.9]]), np.array([0]), np.array([[True, True]]))
    assert sure[0] > 0.95
    assert second[0] == OPEN


def test_confidence_is_the_margin_to_the_second_best() -> None:
    sure, second = confidences(np.array([[9.0, 2.0], [0.5, 0.4], [-3.0, -9.0]]), np.array([0, 0, OPEN]))
    assert sure[0] > 0.99 > 0.6 > sure[1] > 0.5
    assert sure[2] > 0.9
    assert second.tolist() == [1, 1, 0]


def test_open_tracks_share_columns_where_they_do_not_overlap() -> None:
    tracks = tracks_of([(0, 0, 10), (1, 0, 20), (0, 12, 30), (2, 5, 15)])
    columns = columns_of(tracks, np.array([OPEN, 1, OPEN, OPEN]), ("A", "B"))
    assert columns.names == ("B", "*0", "*1")
    assert columns.of_tracks.tolist() == [1, 0, 1, 2]


def test_a_body_is_found_with_its_size(somebody: SyntheticTake, marker_set) -> None:
    prior = priors.bundled()
    stripped = strip_labels(somebody.take, 0)
    keys = choose_key_frames(cut_tracks(stripped.take), 4)
    with torch.no_grad():
        found = register(template_of_set(marker_set, prior), keys, upright("Z"), 3)
    true = np.linalg.norm(somebody.motion.skeleton.bones, axis=-1).sum() / np.linalg.norm(prior.actor.bone_mean, axis=-1).sum()
    assert found.size == pytest.approx(true, abs=0.03)
    off = np.linalg.norm(found.markers - somebody.markers[keys.frames], axis=-1)
    assert np.median(off) < 0.05


def test_a_set_that_half_of_the_key_frames_speak_against_is_not_looked_for_in_the_others(
    somebody: SyntheticTake, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = choose_key_frames(cut_tracks(strip_labels(somebody.take, 0).take), 6)
    sets = {known.name: template_of_set(known, priors.bundled()) for known in bundled_marker_sets()}
    looked_at = Counter[str]()

    def counted(template: Template, frames: KeyFrames, begin: np.ndarray, poses: int) -> Registration:
        looked_at[template.name] += len(frames.frames)
        return register(template, frames, begin, poses)

    monkeypatch.setattr("model.labelling.choice.register", counted)
    with torch.no_grad():
        choice = choose([sets[load_marker_set().name], sets["Davis"]], keys, upright("Z"))
    assert looked_at == {load_marker_set().name: len(keys.frames), "Davis": 2}
    assert choice.template.name == load_marker_set().name
    # all key frames, in their order
    with torch.no_grad():
        whole = register(choice.template, keys, upright("Z"), TRIAL_POSES)
    assert np.abs(choice.registration.markers - whole.markers).max() < 1e-4


def test_labels_of_a_stranger_are_found_and_the_set_chosen(somebody: SyntheticTake) -> None:
    stripped = strip_labels(somebody.take, 1)
    found = label_take(stripped.take)
    assert found.marker_set is not None
    assert found.marker_set.name == load_marker_set().name
    assert scored(stripped, found.take).right >= 0.995
    said = next(finding for finding in found.findings if finding.kind == "labelled")
    assert said.numbers["samples_percent"] > 99


def test_labels_are_found_among_gaps_and_ghosts(hard: Stripped, found_hard: Labelled) -> None:
    result = scored(hard, found_hard.take)
    assert result.right >= 0.99
    assert result.wrong <= 0.002
    assert result.ghosts <= 0.05


@pytest.mark.parametrize("axis", ["X", "-Z"])
def test_labels_are_found_whichever_axis_points_up(hard: Stripped, axis: Axis) -> None:
    turned = hard.take.positions @ (TO_Y_UP[axis].T @ TO_Y_UP[hard.take.up_axis]).T
    take = replace(hard.take, positions=turned, up_axis=axis)
    found = label_take(take, marker_set=load_marker_set())
    result = scored(replace(hard, take=take), found.take)
    assert result.right > 0.99
    assert result.wrong < 0.002


def test_a_take_without_labels_stands_by_the_labels_that_are_found(hard: Stripped) -> None:
    """What no floor tells, since it is not at height 0, the labels do; an axis that is told stays."""
    turned = (hard.take.positions + 5.0 * up_vector("Z")) @ (TO_Y_UP["Y"].T @ TO_Y_UP["Z"]).T
    take = replace(hard.take, positions=turned, up_axis="Z")
    solution = solve_take(take, Settings(), marker_set=load_marker_set())
    assert solution.clean.take.up_axis == "Y"
    assert [finding.kind for finding in solution.findings].count("axes") == 1
    assert solve_take(take, Settings(up="z"), marker_set=load_marker_set()).clean.take.up_axis == "Z"


def test_nothing_of_the_take_is_lost_and_every_track_is_in_the_table(hard: Stripped, found_hard: Labelled) -> None:
    assert found_hard.take.present.sum() == hard.take.present.sum()
    assert sum(row.last - row.first + 1 for row in found_hard.tracks) == hard.take.present.sum()
    for row in found_hard.tracks[::20]:
        there = found_hard.take.positions[row.first : row.last + 1, found_hard.take.labels.index(row.kept_as)]
        read = hard.take.positions[row.first : row.last + 1, hard.take.labels.index(row.column)]
        assert np.array_equal(there, read)


def test_the_result_is_the_same_for_any_number_of_threads(hard: Stripped, found_hard: Labelled) -> None:
    assert label_take(hard.take, marker_set=load_marker_set(), workers=1).tracks == found_hard.tracks


def test_an_actor_of_another_take_tells_the_labels(somebody: SyntheticTake, found_hard: Labelled) -> None:
    stripped = strip_labels(somebody.take, 5, hard=True)
    found = label_take(stripped.take, actor=found_hard.actor)
    assert scored(stripped, found.take).right >= 0.998
    assert found.actor is found_hard.actor


def with_toes_exchanged(take: Take, template: Template) -> tuple[Tracks, np.ndarray, np.ndarray]:
    """The tracks of a take without labels, and (tracks,) the template's labels that are theirs, and those with LTOE and LMT5 exchanged."""
    stripped = strip_labels(take, 0)
    tracks = cut_tracks(stripped.take)
    owner = stripped.truth[tracks.starts, tracks.columns]
    true = np.array([template.labels.index(stripped.names[name]) for name in owner])
    pair = [template.labels.index(label) for label in ("LTOE", "LMT5")]
    wrong = np.where(true == pair[0], pair[1], np.where(true == pair[1], pair[0], true))
    return tracks, true, wrong


def test_labels_that_are_exchanged_for_a_whole_take_are_put_back(somebody: SyntheticTake, marker_set) -> None:
    template = template_of_set(marker_set, priors.bundled())
    tracks, true, wrong = with_toes_exchanged(somebody.take, template)
    with torch.no_grad():
        followed = follow(template, tracks, wrong)
        evidence = find_evidence(template, tracks, wrong, followed, gated=False)
        exchanges = exchanged_back(template, tracks, wrong, followed, evidence)
    assert [set(names) for names in exchanges.done] == [{"LTOE", "LMT5"}]
    assert exchanges.labels.tolist() == true.tolist()


def test_labels_that_are_exchanged_are_put_back_where_the_actor_is_given(somebody: SyntheticTake, found_hard: Labelled) -> None:
    """Poses that were followed by wrong labels fit these, whoever says where markers sit."""
    template = template_of_actor(found_hard.actor, priors.bundled())
    tracks, true, wrong = with_toes_exchanged(somebody.take, template)
    with torch.no_grad():
        followed = follow(template, tracks, wrong)
        refined = Refined(wrong, followed, find_evidence(template, tracks, wrong, followed, gated=False), 0)
        found = compared(template, tracks, refined, None)
    assert found.labels.tolist() == true.tolist()


def test_it_is_said_how_much_has_no_label_where_a_limb_may_be_missing() -> None:
    named = [TrackLabel("a", 0, 99, "LFHD", 1.0, "", "Head", "LFHD") for _ in range(5)]
    left = TrackLabel("b", 0, 99, "", 1.0, "", "", "*0")
    (finding,) = [each for each in findings_of("CMU", [*named, left], 100.0) if each.kind == "unlabelled"]
    assert "17% of all samples, got no label: they are nobody's, or a limb is missing" in finding.text
    (finding,) = [each for each in findings_of("CMU", [*named, *named, left], 100.0) if each.kind == "unlabelled"]
    assert "limb" not in finding.text
    assert finding.numbers == {"tracks": 1, "samples_percent": 9.09}


def test_reflections_are_said_to_be_what_they_are() -> None:
    """They are no samples of which a part has a label, and no limb that is missing."""
    named = [TrackLabel("a", 0, 99, "LFHD", 1.0, "", "Head", "LFHD") for _ in range(5)]
    left = [TrackLabel("b", 0, 99, "", 1.0, "", "", f"*{row}") for row in range(4)]
    labelled, said = findings_of("CMU", [*named, *left], 100.0, np.array([True, *[False] * 4, *[True] * 4]))
    assert labelled.numbers == {"samples_percent": 100.0}, "also a foot's marker that stands"
    assert said.text == "4 tracks got no label, as they stand still while others move: reflections."
    assert said.frames == ((0, 99),) * 4
    *_, said = findings_of("CMU", [*named, *left], 100.0, images=np.array([False] * 5 + [True] * 4))
    assert said.text == "4 tracks got no label, as they are images of others in the floor: reflections."


def test_ghosts_alone_are_nobody() -> None:
    ghosts = np.random.default_rng(0).uniform(-3.0, 3.0, size=(1, 6, 3)).repeat(100, axis=0)
    with pytest.raises(BonesetterError, match="nobody can be found"):
        label_take(take_of(ghosts))


def test_the_truth_of_a_stripped_take_scores_as_right(somebody: SyntheticTake) -> None:
    stripped = strip_labels(somebody.take, 3, hard=True)
    found = np.full((stripped.take.frames, len(stripped.names), 3), np.nan)
    frames, columns = np.nonzero(stripped.truth >= 0)
    found[frames, stripped.truth[frames, columns]] = stripped.take.positions[frames, columns]
    assert score(stripped, found, stripped.names) == Labelling(1.0, 0.0, 0.0, 0.0)
    assert (stripped.truth == GHOST).sum() == 3 * stripped.take.frames
    first = score(stripped, np.where(np.arange(len(stripped.names))[:, None] > 0, found, np.nan), stripped.names)
    assert first.left_open > 0
    assert first.wrong == pytest.approx(0.0, abs=1e-12)


def test_what_was_found_is_a_marker_set_that_labels_the_next_take(hard: Stripped, found_hard: Labelled, tmp_path: Path) -> None:
    write_marker_set(layout_of(found_hard), tmp_path / "set.json")
    learned = load_marker_set(tmp_path / "set.json")
    assert set(learned.labels) == {label for label in found_hard.take.labels if not label.startswith("*")}
    places = learned.places[learned.labels.index("LKNE")]
    row = found_hard.actor.labels.index("LKNE")
    # of a person of usual size
    size = priors.unusual_size(priors.bundled(), found_hard.actor) or 1.0
    assert places.offset_mm == pytest.approx(1000 * found_hard.actor.marker_offsets[row] / size, abs=0.1)


def test_bundled_sets_are_written_as_they_were_read(tmp_path: Path) -> None:
    for known in bundled_marker_sets():
        write_marker_set(known, tmp_path / "set.json")
        assert load_marker_set(tmp_path / "set.json") == known


def test_the_command_writes_labels_and_table(hard: Stripped, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_c3d(hard.take, tmp_path / "take.c3d")
    write_marker_set(load_marker_set(), tmp_path / "set.json")
    layout = ["--layout", str(tmp_path / "set.json"), "--save-layout", str(tmp_path / "own.json")]
    assert main(["label", str(tmp_path / "take.c3d"), "--out", str(tmp_path / "out"), *layout]) == 0
    assert "Labels were found" in capsys.readouterr().out
    written = read_c3d(tmp_path / "out" / "take.c3d")
    result = scored(replace(hard, take=read_c3d(tmp_path / "take.c3d")), written)
    assert result.right >= 0.99
    with (tmp_path / "out" / "take.labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["label"] for row in rows} >= {"LFHD", "RTOE"}
    assert all(0.0 <= float(row["confidence"]) <= 1.0 for row in rows)
    assert read_actor(tmp_path / "own.actor.json").labels == load_marker_set().labels
    assert main(["label", str(tmp_path / "take.c3d"), "--out", str(tmp_path)]) == 2


def test_points_that_are_no_set_of_ours_get_no_labels() -> None:
    cloud = np.random.default_rng(1).uniform(0.0, 1.0, size=(1, 45, 3)).repeat(120, axis=0)
    with pytest.raises(BonesetterError, match="not where a bundled marker set has"):
        label_take(take_of(cloud))


def test_a_take_without_labels_is_solved_as_if_it_had_them(somebody: SyntheticTake) -> None:
    stripped = strip_labels(somebody.take, 1)
    told: list[tuple[str, float]] = []
    solution = solve_take(stripped.take, Settings(), None, lambda *each: told.append(each), marker_set=load_marker_set())
    labelled = solve_take(somebody.take, Settings(), marker_set=load_marker_set())
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[-1] <= 1
    while_looking = {part for stage, part in told if stage == "labels"}
    assert len(while_looking) > 4
    assert max(while_looking) - min(while_looking) > 0.5, "the longest stage has most of the bar"
    assert list(solution.seconds)[:2] == ["labels", "clean"]
    (said,) = (finding for finding in solution.findings if finding.kind == "labelled")
    assert set(said.labels) == set(somebody.take.labels)
    assert set(said.markers) <= set(stripped.take.labels), "what was found is told by the file's columns too"
    assert len(said.markers) >= len(said.labels)
    assert "labelled" not in {finding.kind for finding in labelled.findings}
    assert np.linalg.norm(solution.positions - labelled.positions, axis=-1).mean() < 0.0005


def half_named(take: Take) -> tuple[Take, list[int]]:
    """Every second label is only a number, and which columns keep theirs."""
    labels = tuple(label if row % 2 else f"*{row}" for row, label in enumerate(take.labels))
    return replace(take, labels=labels), list(range(1, len(labels), 2))


def test_a_take_half_of_whose_labels_are_missing_is_solved_as_if_it_had_them(somebody: SyntheticTake) -> None:
    take, _ = half_named(somebody.take)
    found, whole = solve_take(take, Settings()), solve_take(somebody.take, Settings())
    assert set(found.actor.labels) == set(somebody.take.labels)
    assert np.linalg.norm(found.positions - whole.positions, axis=-1).mean() < 0.001


def test_points_beside_half_of_the_labels_that_are_no_markers_take_no_label_away(
    somebody: SyntheticTake, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, named = half_named(somebody.take)
    positions = take.positions.copy()
    others = [row for row in range(len(take.labels)) if row not in named]
    # reflections that stand about in the room
    positions[:, others] = 3.0 + np.random.default_rng(0).uniform(0.0, 3.0, (len(others), 3))
    looked: list[str] = []

    def counted(take: Take, *given: Any) -> Labelled:
        looked.append(take.name)
        return label_rest(take, *given)

    monkeypatch.setattr("model.labelling.completion.label_rest", counted)
    found = solve_take(replace(take, positions=positions), Settings())
    assert looked == [take.name]
    alone = solve_take(take.only(named), Settings())
    assert np.linalg.norm(found.positions - alone.positions, axis=-1).mean() < 0.001
    # nor is it tried where the user has said which is which, or whose they are is not known
    pinned = np.zeros(take.present.shape, dtype=bool)
    solve_take(replace(take, pinned=pinned), Settings())
    solve_take(replace(take, findings=(Finding("subjects", "Two."),)), Settings())
    assert looked == [take.name]


def test_a_take_without_labels_is_solved_with_an_actor_whose_labels_no_set_knows(somebody: SyntheticTake, found_hard: Labelled) -> None:
    own = replace(found_hard.actor, labels=tuple(f"q{row}x" for row in range(len(found_hard.actor.labels))))
    solution = solve_take(strip_labels(somebody.take, 1).take, Settings(), own)
    assert set(solution.actor.labels) == set(own.labels)
    true = somebody.motion.forward()[0]
    assert np.linalg.norm(solution.positions - true, axis=-1).mean() < 0.03


def test_some_labels_are_near_at_any_time_of_a_longer_take() -> None:
    """Eight key frames for a minute leave times in which a body cannot be followed: there labels were guessed, a whole arm's exchanged."""
    tracks = cut_tracks(strip_labels(synthesise(64.0, 30.0, seed=2, noise=QUIET).take, 1, hard=True).take)
    with torch.no_grad():
        keys = choose_key_frames(tracks, FEWEST)
        choice = choose([template_of_set(load_marker_set(), priors.bundled())], keys, upright("Z"))
        labels = first_labels(choice, choice.template.scaled(choice.registration.size), keys, tracks)
    having = np.zeros(tracks.frames)
    for track in np.flatnonzero(labels != OPEN).tolist():
        having[tracks.starts[track] : tracks.ends[track]] += 1
    assert np.percentile(having, 5) >= 10
