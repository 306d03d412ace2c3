# SPDX-License-Identifier: GPL-3.0-or-later
"""Actors that a .blend keeps, and all takes of a scene solved in one go."""

import dataclasses
import json

import bpy
import numpy as np
import pytest

from .drawing import drawn


@pytest.fixture
def imported(ext, scene, engine_python, synthetic_c3d):
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    yield scene.bonesetter.take
    ext("operators.session").session.close()


@pytest.fixture
def anna(ext, imported, tmp_path):
    """An actor of an engine's file, kept as Anna."""
    assert bpy.ops.bonesetter.calibrate_actor() == {"FINISHED"}
    text = imported.bonesetter.kept_actor
    text.name = "Anna"
    return text


def test_an_actor_is_calibrated_kept_and_chosen(ext, scene, imported, anna, synthetic_c3d, tmp_path):
    assert not imported.bonesetter.solved, "nothing is solved for it"
    shown = anna.bonesetter
    assert 1.4 < shown.height_m < 2.1
    (tmp_path / "anna.json").write_text(anna.as_string())
    actor = ext("model.actors.actor_file").read_actor(tmp_path / "anna.json")
    assert [marker.name for marker in shown.markers] == list(actor.labels)
    assert {marker.joint for marker in shown.markers} <= set(actor.skeleton.joints)
    assert all(0 < marker.sigma_mm < 100 for marker in shown.markers)
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    assert scene.bonesetter.take != imported
    assert scene.bonesetter.take.bonesetter.kept_actor == anna, "chosen for the next take"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    kept = bpy.context.scene.bonesetter.take.bonesetter.kept_actor
    assert kept.name == "Anna"
    assert kept.as_string() == (tmp_path / "anna.json").read_text()


def test_a_take_is_solved_with_the_actor_that_is_kept(ext, imported, anna):
    freshness = ext("operators.freshness")
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert not freshness.out_of_date(imported)
    solved, kept = json.loads(imported.bonesetter.solved_actor), json.loads(anna.as_string())
    assert [joint["bone"] for joint in solved["joints"]] == [joint["bone"] for joint in kept["joints"]]
    anna.from_string(anna.as_string().replace('"version": 1', '"version": 99'))
    assert freshness.out_of_date(imported) == "Settings were changed since: solve again."
    with pytest.raises(RuntimeError, match=r"Anna\.json"):
        bpy.ops.bonesetter.solve_markers()


def test_a_kept_actor_is_fitted_to_the_take_where_that_is_wanted(ext, scene, imported, anna, monkeypatch):
    own = json.loads(anna.as_string())
    for joint in own["joints"]:
        joint["bone"] = [0.95 * part for part in joint["bone"]]
    anna.from_string(json.dumps(own))
    panel = ext("ui.actor").BONESETTER_PT_actor
    assert "fit_actor" in drawn(panel).fields
    assert "fit_actor" not in drawn(ext("ui.panel").BONESETTER_PT_solve).fields, "one place for it"
    engine, requests = ext("operators.session").session.engine, []
    submit = engine.submit
    monkeypatch.setattr(engine, "submit", lambda python, request: requests.append(request) or submit(python, request))
    imported.bonesetter.fit_actor = True
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert "fitted" in [finding.kind for finding in imported.bonesetter.findings]

    def tall(text):
        return sum(sum(part**2 for part in joint["bone"]) ** 0.5 for joint in json.loads(text)["joints"])

    assert tall(imported.bonesetter.solved_actor) > 1.02 * tall(anna.as_string())
    assert json.loads(anna.as_string()) == own, "the kept one stays as it is"
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 11, 60
    assert bpy.ops.bonesetter.solve_range() == {"FINISHED"}
    assert [request["settings"]["fit_actor"] for request in requests] == [True, False], "a range keeps the actor of the whole take"
    imported.bonesetter.kept_actor = None
    assert "fit_actor" not in drawn(panel).fields


def test_the_preview_range_alone_is_calibrated_from(ext, scene, imported, anna, monkeypatch):
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 11, 130
    module, takes = ext("model.files.exchange"), []
    save = module.save_take
    monkeypatch.setattr(module, "save_take", lambda take, path: takes.append(take) or save(take, path))
    assert bpy.ops.bonesetter.calibrate_actor() == {"FINISHED"}
    assert (takes[0].frames, takes[0].first_frame) == (120, 11)
    part = imported.bonesetter.kept_actor
    assert part != anna
    assert part.as_string() != anna.as_string()


def test_actors_leave_and_enter_as_files(ext, imported, anna, tmp_path):
    path = tmp_path / "Bea.json"
    assert bpy.ops.bonesetter.export_actor(filepath=str(path)) == {"FINISHED"}
    assert path.read_text() == anna.as_string()
    assert bpy.ops.bonesetter.remove_actor() == {"FINISHED"}
    assert imported.bonesetter.kept_actor is None
    assert not ext("operators.actors").kept_actors()
    assert not bpy.ops.bonesetter.export_actor.poll()
    assert bpy.ops.bonesetter.import_actor(filepath=str(path)) == {"FINISHED"}
    assert imported.bonesetter.kept_actor.name == "Bea"
    path.write_text('{"format": "bonesetter-actor", "version": 1, "joints": []}')
    with pytest.raises(RuntimeError, match=r"Bea\.json is not a Bonesetter actor"):
        bpy.ops.bonesetter.import_actor(filepath=str(path))
    assert [text.name for text in ext("operators.actors").kept_actors()] == ["Bea"]


def test_what_the_panel_shows_of_an_actor(ext, imported, anna):
    panel = ext("ui.actor").BONESETTER_PT_actor
    said = drawn(panel)
    assert f"{anna.bonesetter.height_m:.2f} m tall, {len(anna.bonesetter.markers)} markers" in said.said
    assert said.buttons["bonesetter.calibrate_actor Calibrate Actor"]
    bpy.context.scene.use_preview_range = True
    imported.bonesetter.kept_actor = None
    said = drawn(panel)
    assert "Fitted to the take as it is solved." in said.said
    assert "bonesetter.calibrate_actor Calibrate Actor from Preview Range" in said.buttons


def test_people_of_a_file_get_the_actors_of_their_names(ext, scene, synthetic_take, load, imported, anna):
    labels = synthetic_take.labels
    one, other = (synthetic_take.only(range(len(labels)), tuple(f"{name}:{label}" for label in labels)) for name in ("Anna", "Bob"))
    load(dataclasses.replace(one.beside(other), name="duet", origins=()))
    actors = {take.name: take.bonesetter.kept_actor for take in ext("operators.takes").takes_of(scene)}
    assert actors["duet.Anna"] == anna
    assert actors["duet.Bob"] is None
    assert scene.bonesetter.kept_actor == anna


def test_all_takes_are_solved_and_those_that_fail_say_why(ext, scene, imported, make_take, synthetic_c3d, write):
    bpy.ops.bonesetter.import_c3d(filepath=str(write(make_take(name="odd", labels=("A", "B", "C")))))
    odd = scene.bonesetter.take
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    again = scene.bonesetter.take
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.bonesetter.solve_all() == {"FINISHED"}
    assert [take.bonesetter.solved for take in (imported, odd, again)] == [True, False, True]
    errors = ext("operators.session").session.errors
    assert list(errors) == [odd.session_uid]
    assert errors[odd.session_uid].startswith("odd has 0 of the markers")
    assert errors[odd.session_uid] in drawn(ext("ui.panel").BONESETTER_PT_main).said, "also while another take is worked on"
    assert "bonesetter.solve_all Solve All 3 Takes" in drawn(ext("ui.panel").BONESETTER_PT_solve).buttons


def test_where_no_take_can_be_solved_nothing_changes(ext, scene, engine_python, make_take, load):
    for name in ("odd", "odder"):
        load(make_take(name=name, labels=("A", "B", "C")))
    before = len(bpy.data.objects)
    assert bpy.ops.bonesetter.solve_all() == {"CANCELLED"}
    assert len(ext("operators.session").session.errors) == 2
    assert len(bpy.data.objects) == before
    ext("operators.session").session.close()


def test_the_viewport_shows_where_the_actor_carries_markers(ext, scene, imported):
    places = ext("ui.overlay.places")
    review_of = ext("operators.review").review_of
    assert len(places.carried(imported, review_of(scene, imported), 5)) == 0, "nothing was solved"
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    scene.frame_set(6)
    review, armature = review_of(scene, imported), imported.bonesetter.armature
    ends = places.carried(imported, review, 5)
    assert len(ends) == 2 * len(review.take.labels)
    heads, carried = ends[::2], ends[1::2]
    assert {tuple(place) for place in carried} == {tuple(place) for place in review.solved_world[5]}
    posed = np.array([armature.matrix_world @ bone.head for bone in armature.pose.bones])
    assert (np.abs(heads[:, None] - posed[None]).max(axis=-1).min(axis=1) < 1e-5).all()
    # no marker is a limb's length from the joint that carries it
    assert np.linalg.norm(heads - carried, axis=1).max() < 0.65
    imported.bonesetter.solved_actor = "{}"
    assert len(places.carried(imported, review, 5)) == 0
