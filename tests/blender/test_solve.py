# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve Markers, from the press of the button to the armature."""

import dataclasses
import json
from typing import Any

import bpy
import numpy as np
import pytest

from .drawing import drawn


@pytest.fixture
def imported(ext, scene, engine_python, synthetic_c3d):
    scene.bonesetter.skeleton = "cmu"
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    yield scene.bonesetter.take
    ext("operators.session").session.close()


@pytest.fixture
def kept(ext, monkeypatch):
    """The poses that came back from the engine."""
    module = ext("operators.solving")
    load, poses = module.load_pose, []
    monkeypatch.setattr(module, "load_pose", lambda path: poses.append(load(path)) or poses[-1])
    return poses


def worst_mm(armature, pose):
    errors = []
    # what is guessed has no keys
    keyed = np.flatnonzero(pose.keyed.all(axis=1))
    for sample in keyed[np.linspace(0, len(keyed) - 1, 7).astype(int)]:
        bpy.context.scene.frame_set(int(sample) + 1)
        heads = [armature.matrix_world @ armature.pose.bones[name].head for name in pose.skeleton.joints]
        errors.append(np.abs(np.array(heads) - pose.positions[sample]).max() * 1e3)
    return max(errors)


def test_operator_does_what_the_engine_says(ext, imported, kept):
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    result = imported.bonesetter
    assert worst_mm(result.armature, kept[0]) < 0.1
    assert 0 < result.residual_mean < 10
    assert 0 < result.residual_p95 < 10
    assert result.seconds > 0
    counts = [item.count for item in result.flagged]
    assert counts == sorted(counts, reverse=True)
    assert ext("operators.session").session.engine.alive

    # The same take straight through the engine, without Blender's curves between.
    settings = ext("operators.properties").settings_of(bpy.context.scene)
    assert settings == ext("model.core.settings").Settings()
    first = result.armature
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert result.armature == first
    np.testing.assert_allclose(kept[1].positions, kept[0].positions, atol=1e-4)
    assert [one.type for one in bpy.data.objects].count("ARMATURE") == 1


def test_markers_in_blender_are_solved_as_the_file_is(ext, imported, synthetic_take, engine_python, kept, tmp_path):
    bpy.ops.bonesetter.solve_markers()
    engine = ext("operators.session").session.engine
    ext("model.files.exchange").save_take(synthetic_take, tmp_path / "take.npz")
    request = {"take": str(tmp_path / "take.npz"), "out": str(tmp_path / "pose.npz"), "settings": {}}
    answer = engine.submit(engine_python, request).wait()
    straight = ext("model.files.exchange").load_pose(tmp_path / "pose.npz")
    np.testing.assert_allclose(kept[0].positions, straight.positions, atol=1e-3)
    assert answer["report"]["marker_residual_mm"]["mean"] == pytest.approx(imported.bonesetter.residual_mean, rel=0.01)
    assert sum(sum(r.values()) for r in answer["report"]["flagged"].values()) == sum(i.count for i in imported.bonesetter.flagged)


def test_active_object_chooses_the_take(ext, scene, make_take, tmp_path):
    takes = ext("operators.takes")
    for name in ("one", "two"):
        ext("model.files.c3d_writer").write_c3d(make_take(name=name), tmp_path / f"{name}.c3d")
        bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / f"{name}.c3d"))
    assert takes.active_take(bpy.context).name == "two"
    bpy.context.view_layer.objects.active = bpy.data.collections["one"].all_objects[0]
    assert takes.active_take(bpy.context).name == "one"


def test_without_a_take_the_button_is_grey():
    assert not bpy.ops.bonesetter.solve_markers.poll()
    with pytest.raises(RuntimeError, match="Import a take first"):
        bpy.ops.bonesetter.solve_markers()


def test_take_of_other_markers_is_refused_with_a_sentence(ext, scene, engine_python, make_take, tmp_path):
    ext("model.files.c3d_writer").write_c3d(make_take(labels=("A", "B", "C")), tmp_path / "odd.c3d")
    bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / "odd.c3d"))
    before = len(bpy.data.objects)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.bonesetter.solve_markers()
    assert "Traceback" not in str(caught.value)
    assert "failed" not in str(caught.value)
    assert len(bpy.data.objects) == before
    assert not scene.bonesetter.take.bonesetter.solved


def test_why_a_solve_failed_stays_in_the_panel_until_the_next(ext, imported, tmp_path):
    errors = ext("operators.session").session.errors
    own = imported.bonesetter
    own.layout = str(tmp_path / "none.json")
    with pytest.raises(RuntimeError, match=r"none\.json"):
        bpy.ops.bonesetter.solve_markers()
    assert list(errors) == [imported.session_uid]
    (shown,) = (said for said in drawn(ext("ui.panel").BONESETTER_PT_main).said if "none.json" in said)
    assert shown == errors[imported.session_uid]
    narrow = drawn(ext("ui.panel").BONESETTER_PT_main, width=300).said
    assert len(max(narrow, key=len)) < len(shown), "wrapped"
    own.layout = ""
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert not errors


def test_why_an_import_failed_stays_in_the_panel_until_the_next(ext, synthetic_c3d, tmp_path):
    session = ext("operators.session")
    with pytest.raises(RuntimeError):
        bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / "none.c3d"))
    assert "none.c3d" in session.session.errors[session.IMPORT]
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    assert not session.session.errors


def test_a_take_is_solved_with_the_marker_set_and_the_actor_that_are_chosen(ext, scene, imported, engine_python, synthetic_c3d, tmp_path):
    takes, actor = ext("operators.takes"), tmp_path / "actor.json"
    names = {label: f"mine{number}" for number, label in enumerate(takes.markers(imported))}
    layout = json.loads((ext("model.marker_sets.marker_set").FOLDER / "cmu41.json").read_text())
    layout["name"] = "mine"
    for marker in layout["markers"]:
        marker.update(label=names[marker["label"]], like=marker["label"], aliases=[])
    layout["rigid_groups"] = {group: [names[label] for label in labels] for group, labels in layout["rigid_groups"].items()}
    (tmp_path / "mine.json").write_text(json.dumps(layout))
    for label, marker in takes.markers(imported).items():
        marker[takes.LABEL] = names[label]
    own = imported.bonesetter
    own.layout = str(tmp_path / "mine.json")
    begin, finish = (getattr(ext("operators.solving"), name) for name in ("begin", "finish"))
    solve = begin(scene, imported, save_actor=str(actor))
    solve.job.wait()
    kinds = {finding["kind"] for finding in finish(scene, solve)[0][1]["findings"]}
    assert "labelled" not in kinds, "the set that is chosen knows the labels"
    assert not ext("operators.freshness").out_of_date(imported)
    own.actor = str(actor)
    assert ext("operators.freshness").out_of_date(imported) == "Settings were changed since: solve again."
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert not ext("operators.freshness").out_of_date(imported)
    own.actor = str(tmp_path / "nobody.json")
    with pytest.raises(RuntimeError, match=r"nobody\.json"):
        bpy.ops.bonesetter.solve_markers()


def test_take_without_markers_is_refused_with_a_sentence(imported):
    for marker in list(imported.all_objects):
        bpy.data.objects.remove(marker)
    with pytest.raises(RuntimeError, match="no markers left"):
        bpy.ops.bonesetter.solve_markers()


@pytest.mark.parametrize("deleted", ["collection", "markers"])
def test_take_deleted_meanwhile(ext, scene, imported, deleted):
    module = ext("operators.solving")
    solve = module.begin(scene, imported)
    for marker in list(imported.all_objects):
        bpy.data.objects.remove(marker)
    if deleted == "collection":
        bpy.data.collections.remove(imported)
    solve.job.wait()
    with pytest.raises(ext("model.core.errors").BonesetterError, match="deleted while it was being solved"):
        module.finish(scene, solve)
    assert not bpy.data.armatures


def test_people_of_a_file_are_solved_in_one_go(ext, scene, engine_python, synthetic_take, tmp_path):
    """Imported as a take each; a click on either solves both."""
    labels = synthetic_take.labels
    ann, bob = (synthetic_take.only(range(len(labels)), tuple(f"{name}:{label}" for label in labels)) for name in ("Ann", "Bob"))
    # backwards in time, so that the two move differently
    back = bob.positions[::-1] + np.array([1.2, 0.0, 0.0])
    both = dataclasses.replace(ann.beside(dataclasses.replace(bob, positions=back)), name="duet", origins=())
    ext("model.files.c3d_writer").write_c3d(both, tmp_path / "duet.c3d")
    bpy.ops.bonesetter.import_c3d(filepath=str(tmp_path / "duet.c3d"))
    takes = ext("operators.takes").takes_of(scene)
    assert sorted(take.name for take in takes) == ["duet.Ann", "duet.Bob"]
    for take in takes:
        name = take.name.partition(".")[2]
        assert set(ext("operators.takes").markers(take)) == {f"{name}:{label}" for label in labels}
    bpy.ops.bonesetter.solve_markers()
    assert len({take.bonesetter.armature for take in takes} - {None}) == 2
    for take in takes:
        assert take.bonesetter.solved
        assert take.bonesetter.residual_mean < 10
        assert any("2 people" in finding.name for finding in take.bonesetter.findings)
        assert f"<title>{take.name}</title>" in ext("operators.report").page_of(take)


def test_undo_meanwhile_does_no_harm(ext, scene, imported):
    module = ext("operators.solving")
    bpy.ops.ed.undo_push(message="One")
    scene.frame_set(2)
    bpy.ops.ed.undo_push(message="Two")
    solve = module.begin(scene, imported)
    bpy.ops.ed.undo()
    solve.job.wait()
    module.finish(bpy.context.scene, solve)
    assert len(bpy.data.armatures) == 1


def test_interpreter_without_torch_is_reported(imported, monkeypatch, tmp_path):
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    monkeypatch.setenv("BONESETTER_ENGINE_PYTHON", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(RuntimeError, match=r"lacks .*torch.*choose another Python"):
        bpy.ops.bonesetter.solve_markers()


def test_settings_reach_the_engine(scene, imported):
    bpy.ops.bonesetter.solve_markers()
    usual = sum(item.count for item in imported.bonesetter.flagged)
    imported.bonesetter.max_speed = 0.5
    bpy.ops.bonesetter.solve_markers()
    assert sum(item.count for item in imported.bonesetter.flagged) > 2 * usual


def test_a_solve_again_keeps_what_the_user_did(ext, imported, kept):
    bpy.ops.bonesetter.solve_markers()
    armature, apply = imported.bonesetter.armature, ext("operators.armature")
    own = bpy.data.objects.new("Own", None)
    armature.data.bones["Head"].name = "Kopf"
    constraint = armature.pose.bones["Kopf"].constraints.new("COPY_LOCATION")
    constraint.target = own
    with apply._edit_bones(armature) as bones:
        prop = bones.new("Prop")
        prop.head, prop.tail, prop.parent = (0, 0, 1), (0, 0, 2), bones["Kopf"]
    armature.pose.bones["Prop"].keyframe_insert("location", frame=5)
    assert apply.edited_bones(imported) == []
    bpy.ops.bonesetter.solve_markers()
    assert len(armature.pose.bones) == 32
    assert armature.pose.bones["Kopf"].constraints[0].target == own
    assert armature.data.bones["Prop"].parent.name == "Kopf"
    paths = {curve.data_path for curve in ext("operators.keyframes").bound_channelbag(armature).fcurves}
    assert 'pose.bones["Prop"].location' in paths
    assert 'pose.bones["Kopf"].rotation_quaternion' in paths
    assert 'pose.bones["Head"].rotation_quaternion' not in paths


def test_results_go_out_of_date(ext, scene, imported):
    freshness, session = ext("operators.freshness"), ext("operators.session").session

    def stale():
        # where reading the markers is slow, as on a busy machine, they are not read every time
        session.digests.clear()
        return freshness.out_of_date(imported)

    assert stale() == ""
    bpy.ops.bonesetter.solve_markers()
    assert stale() == ""
    scene.frame_set(12)
    assert stale() == ""
    imported.bonesetter.max_speed = 9.0
    assert stale() == "Settings were changed since: solve again."
    imported.bonesetter.max_speed = 5.0
    assert stale() == ""
    imported.bonesetter.rest_pose = "a"
    assert stale() == "", "CMU's armature rests in one pose"
    imported.bonesetter.skeleton = "production"
    assert stale() == "Settings were changed since: solve again."
    imported.bonesetter.skeleton = "cmu"
    assert stale() == ""
    marker = next(iter(ext("operators.takes").markers(imported).values()))
    marker.location.z += 1.0
    marker.keyframe_insert("location", frame=12)
    bpy.context.view_layer.update()
    assert stale() == "Markers were changed since: solve again."
    bpy.ops.bonesetter.solve_markers()
    assert stale() == ""
    bpy.data.objects.remove(marker)
    bpy.context.view_layer.update()
    assert stale() == "Markers were changed since: solve again."
    for collection in imported.bonesetter.armature.users_collection:
        collection.objects.unlink(imported.bonesetter.armature)
    assert stale() == "The armature was deleted: solve again."


def test_another_unit_scale_after_the_import_changes_no_place(ext, scene, imported):
    """Objects stay where they are then, and so does what is solved of them."""
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    armature, take = imported.bonesetter.armature, imported.bonesetter
    before, residual = [tuple(bone.tail_local) for bone in armature.data.bones], take.residual_mean
    scene.unit_settings.scale_length = 0.01
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    np.testing.assert_allclose([tuple(bone.tail_local) for bone in armature.data.bones], before, atol=1e-5)
    assert take.residual_mean == pytest.approx(residual, abs=1e-3)


def test_what_is_changed_while_a_solve_runs_is_out_of_date(ext, scene, imported):
    solving, freshness = ext("operators.solving"), ext("operators.freshness")
    solve = solving.begin(scene, imported)
    marker = list(ext("operators.takes").markers(imported).values())[3]
    marker.location.z += 1.0
    marker.keyframe_insert("location", frame=12)
    bpy.context.view_layer.update()
    solve.job.wait()
    solving.finish(scene, solve)
    assert freshness.out_of_date(imported) == "Markers were changed since: solve again."
    assert bpy.ops.bonesetter.solve_markers() == {"FINISHED"}
    assert freshness.out_of_date(imported) == ""


@pytest.mark.parametrize("way", ["linked", "overridden"])
def test_a_take_of_another_file_is_refused_and_the_others_go_on(ext, scene, imported, synthetic_take, engine_python, load, tmp_path, way):
    name = imported.name
    bpy.data.libraries.write(str(tmp_path / "takes.blend"), {imported})
    for one in list(imported.all_objects):
        bpy.data.objects.remove(one)
    bpy.data.collections.remove(imported)
    libraries: Any = bpy.data.libraries
    with libraries.load(str(tmp_path / "takes.blend"), link=True) as (_, wanted):
        wanted.collections = [name]
    (linked,) = wanted.collections
    scene.collection.children.link(linked)
    if way == "overridden":
        linked.override_hierarchy_create(scene, bpy.context.view_layer)
    own = load(synthetic_take)
    theirs = next(take for take in ext("operators.takes").takes_of(scene) if take != own)
    ext("operators.takes").choose_take(bpy.context, theirs)
    assert not bpy.ops.bonesetter.solve_markers.poll()
    assert bpy.ops.bonesetter.solve_all() == {"FINISHED"}
    assert own.bonesetter.solved
    assert not theirs.bonesetter.solved
    assert "is linked from another file" in ext("operators.session").session.errors[theirs.session_uid]
    ext("operators.session").session.close()
