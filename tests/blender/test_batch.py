# SPDX-License-Identifier: GPL-3.0-or-later
"""batch.py as a process of its own, as users run it."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = [
    "contacts",
    "doubtful",
    "findings",
    "first_frame",
    "flagged",
    "floor_mm",
    "frame_step",
    "frames",
    "made_from",
    "marker_residual_mm",
    "marker_sigma_mm",
    "rate_hz",
    "seconds",
    "warnings",
]


@pytest.fixture(scope="module")
def batch(engine_python, extension_folder):
    def run(*arguments):
        environment = {**os.environ, "BONESETTER_ENGINE_PYTHON": engine_python}
        command = [sys.executable, str(extension_folder / "batch.py"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)

    return run


@pytest.fixture(scope="module")
def done(batch, synthetic_c3d, tmp_path_factory):
    """One run over two good takes and a bad one, in all formats, with pages."""
    folder = tmp_path_factory.mktemp("batch")
    good = [folder / name for name in ("one.c3d", "two.c3d")]
    for path in good:
        shutil.copy(synthetic_c3d, path)
    bad = folder / "bad.c3d"
    bad.write_bytes(b"not a C3D file")
    out = folder / "out"
    return out, batch(good[0], bad, good[1], "--out", out, "--format", "blend", "bvh", "fbx", "glb", "--report")


def test_some_failed(done):
    out, run = done
    assert run.returncode == 1, run.stdout + run.stderr
    assert "bad.c3d is not a C3D file" in run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    said = [line for line in run.stdout.splitlines() if line and not line.startswith(("  ", "Blender "))]
    assert [line.partition(":")[0] for line in said] == ["one", "two", str(out / "index.html")], "nothing of the exporters"
    assert [line for line in run.stderr.splitlines() if "bad.c3d" not in line] == []
    wanted = {f"{stem}.{name}" for stem in ("one", "two") for name in ("blend", "bvh", "fbx", "glb", "html", "json")}
    assert {path.name for path in out.iterdir()} == {*wanted, "index.html"}


def test_pages_lead_to_every_take_with_its_verdict(done):
    out, _ = done
    index = (out / "index.html").read_text(encoding="utf-8")
    assert all(f'href="./{name}.html"' in index for name in ("one", "two"))
    assert "is not a C3D file" in index
    residual = json.loads((out / "one.json").read_text())["marker_residual_mm"]["mean"]
    assert f"{residual:.1f} mm" in index
    assert f"{residual:.1f} mm" in (out / "one.html").read_text(encoding="utf-8")


def test_report(done):
    report = json.loads((done[0] / "one.json").read_text())
    assert sorted(report) == REPORT
    assert {"read", "import", "pose", "keyframe", "write"} < set(report["seconds"])
    assert all(seconds >= 0 for seconds in report["seconds"].values())
    assert report["marker_residual_mm"]["mean"] < 8


def test_blend_plays_what_the_bvh_says(done):
    out, _ = done
    bpy.ops.wm.open_mainfile(filepath=str(out / "one.blend"))
    rig = bpy.context.scene.bonesetter.take.bonesetter.armature
    assert [one.name for one in bpy.data.collections].count("one") == 1
    lines = (out / "one.bvh").read_text().splitlines()
    motion = [line.split() for line in lines[lines.index("MOTION") + 3 :]]
    bpy.context.scene.frame_set(100)
    x, y, z = rig.matrix_world @ rig.pose.bones["Hips"].head
    np.testing.assert_allclose([float(value) for value in motion[99][:3]], [x * 100, z * 100, -y * 100], atol=0.01)


def test_fbx_and_glb_hold_the_animation(done):
    out, _ = done
    bpy.ops.wm.open_mainfile(filepath=str(out / "one.blend"))
    rig = bpy.context.scene.bonesetter.take.bonesetter.armature
    bpy.context.scene.frame_set(100)
    truth = {bone.name: np.array(rig.matrix_world @ bone.head) for bone in rig.pose.bones}
    for name in ("fbx", "glb"):
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        scene = bpy.context.scene
        scene.render.fps = 120
        import addon_utils

        addon_utils.enable({"fbx": "io_scene_fbx", "glb": "io_scene_gltf2"}[name])
        if name == "fbx":
            bpy.ops.import_scene.fbx(filepath=str(out / "one.fbx"), anim_offset=0.0)
        else:
            bpy.ops.import_scene.gltf(filepath=str(out / "one.glb"))
        (rig,) = (one for one in bpy.data.objects if one.type == "ARMATURE")
        start, end = rig.animation_data.action.frame_range
        assert end - start == pytest.approx(359, abs=1.01)
        # Exporters count from 0 or 1: the pose must be there within a frame of its place.
        errors = []
        for frame in (98, 99, 100, 101):
            scene.frame_set(frame)
            errors.append(max(np.abs(np.array(rig.matrix_world @ rig.pose.bones[bone].head) - at).max() for bone, at in truth.items()))
        assert min(errors) < 2e-3, (name, errors)


def test_what_is_solved_is_not_solved_again(done, batch, tmp_path):
    out, _ = done
    takes = [out.parent / f"{name}.c3d" for name in ("one", "two")]
    arguments = (*takes, "--format", "blend", "bvh", "fbx", "glb", "--resume", "--out")
    before = (out / "one.blend").stat().st_mtime_ns
    run = batch(*arguments, out)
    assert (run.returncode, (out / "one.blend").stat().st_mtime_ns) == (0, before)
    assert run.stdout.splitlines()[-1] == "2 of 2 takes are up to date."
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "two.fbx").unlink()
    run = batch(*arguments, tmp_path / "out")
    assert (run.returncode, run.stdout.count("residual"), (tmp_path / "out" / "two.fbx").is_file()) == (0, 1, True)
    assert "\ntwo: " in run.stdout


def test_nothing_is_overwritten_without_force(done, batch):
    out, _ = done
    before = (out / "one.blend").stat().st_mtime_ns
    run = batch(out.parent / "one.c3d", "--out", out)
    assert (run.returncode, (out / "one.blend").stat().st_mtime_ns) == (1, before)
    assert "--force" in run.stderr


def test_force_and_actor(done, batch, tmp_path):
    take = done[0].parent / "one.c3d"
    actor = tmp_path / "actor.json"
    assert batch(take, "--out", tmp_path, "--format", "blend", "--save-actor", actor).returncode == 0
    run = batch(take, "--out", tmp_path, "--actor", actor, "--format", "blend", "--force", "--smooth", "0")
    assert run.returncode == 0, run.stderr
    assert json.loads(actor.read_text())["format"] == "bonesetter-actor"


#: An actor of the synthetic person without the bundled hierarchy's rigid hips: its legs hang from the pelvis itself.
OTHER_HIERARCHY = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from model.actors.actor_file import write_actor
from model.actors.prior import bundled
from model.core.skeleton import Skeleton
actor = bundled().mean_actor()
joints, parents, places = actor.skeleton.joints, list(actor.skeleton.parents), actor.skeleton.offsets.copy()
hips = [joint for joint, name in enumerate(joints) if name in ("LHipJoint", "RHipJoint")]
for joint, parent in enumerate(parents):
    if parent in hips:
        places[joint] += places[parent]
        parents[joint] = parents[parent]
kept = [joint for joint in range(len(joints)) if joint not in hips]
names = tuple(joints[joint].replace("Left", "left_").replace("Right", "right_") for joint in kept)
above = tuple(-1 if parents[joint] < 0 else kept.index(parents[joint]) for joint in kept)
skeleton = Skeleton(names, above, actor.skeleton.bones[kept], places[kept])
other = replace(actor, skeleton=skeleton, marker_joints=tuple(kept.index(joint) for joint in actor.marker_joints))
write_actor(other, Path(sys.argv[1]))
"""


def test_an_actor_of_another_hierarchy(done, batch, engine_python, tmp_path):
    take, actor = done[0].parent / "one.c3d", tmp_path / "other.json"
    subprocess.run([engine_python, "-c", OTHER_HIERARCHY, str(actor)], cwd=ROOT, check=True)
    run = batch(take, "--out", tmp_path, "--format", "blend", "bvh", "--actor", actor)
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "one.json").read_text())["marker_residual_mm"]["mean"] < 8
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    rig = bpy.context.scene.bonesetter.take.bonesetter.armature
    assert len(rig.data.bones) == 29
    assert rig.data.bones["left_UpLeg"].parent.name == "Hips"
    lines = (tmp_path / "one.bvh").read_text().splitlines()
    assert sum(line.split()[:1] == ["JOINT"] for line in lines) == 28
    wanted = {}
    for path, name in ((done[0], "LeftForeArm"), (tmp_path, "left_ForeArm")):
        bpy.ops.wm.open_mainfile(filepath=str(path / "one.blend"))
        rig = bpy.context.scene.bonesetter.take.bonesetter.armature
        bpy.context.scene.frame_set(100)
        wanted[name] = np.array(rig.matrix_world @ rig.pose.bones[name].head)
    # the actor is the true one here, and was fitted there
    np.testing.assert_allclose(wanted["left_ForeArm"], wanted["LeftForeArm"], atol=0.03)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.c3d"],
        ["a.c3d", "b/a.c3d", "--out", "x"],
        ["a.c3d", "--out", "x", "--format", "obj"],
        ["a.c3d", "--out", "x", "--smooth", "2"],
    ],
)
def test_wrong_usage(batch, arguments):
    run = batch(*arguments)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr


def test_bad_actor(batch, tmp_path):
    run = batch("a.c3d", "--out", tmp_path, "--actor", tmp_path / "gone.json")
    assert (run.returncode, "gone.json cannot be read" in run.stderr) == (1, True)


def test_a_file_that_cannot_be_written_leaves_none_of_its_take(done, batch, tmp_path):
    """The FBX is where a folder is; by then the others are written, one over an older one."""
    (tmp_path / "one.fbx").mkdir()
    (tmp_path / "one.bvh").write_text("old")
    run = batch(done[0].parent / "one.c3d", "--out", tmp_path, "--format", "blend", "bvh", "fbx", "glb", "--force")
    assert run.returncode == 1
    assert f"{tmp_path / 'one.fbx'} cannot be written (there is a folder of that name)" in run.stderr
    assert "residual" not in run.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"one.fbx", "one.bvh"}
    assert (tmp_path / "one.bvh").read_text() == "old"


def test_a_wrong_name_is_said_without_the_engine(extension_folder, tmp_path):
    marker = tmp_path / "started"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ntouch {marker}\n")
    python.chmod(0o755)
    environment = {**os.environ, "BONESETTER_ENGINE_PYTHON": str(python)}
    command = [sys.executable, str(extension_folder / "batch.py"), str(tmp_path / "none.c3d"), "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    assert run.returncode == 1
    assert run.stderr.count("none.c3d cannot be read") == 1
    assert not marker.exists()


def test_within_blender_the_enabled_extension_does_it(ext, extension_folder, monkeypatch, capsys, synthetic_c3d, tmp_path):
    """As `blender --background --python batch.py -- ...`: what stands before -- is Blender's."""
    command = ["blender", "--background", "--python", "batch.py", "--", str(synthetic_c3d), "--out", str(tmp_path), "--format", "bvh"]
    monkeypatch.setattr(sys, "argv", command)
    modules = set(sys.modules)
    spec = importlib.util.spec_from_file_location("batch", extension_folder / "batch.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    assert loader.main() == 0
    assert capsys.readouterr().out.startswith("walk: 360 frames in ")
    assert {path.name for path in tmp_path.iterdir()} == {"walk.bvh", "walk.json"}
    assert "bonesetter" not in set(sys.modules) - modules
    # it stays enabled, and its engine is ended
    assert hasattr(bpy.types, "BONESETTER_OT_solve_markers")
    assert not ext("operators.session").session.engine.alive


def test_a_production_rig(done, batch, tmp_path):
    """Armature and BVH have the same bones, under the names that were chosen."""
    take = done[0].parent / "one.c3d"
    options = ("--skeleton", "production", "--rest-pose", "a", "--bone-names", "unreal")
    run = batch(take, "--out", tmp_path, "--format", "blend", "bvh", *options)
    assert run.returncode == 0, run.stderr
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    rig = bpy.context.scene.bonesetter.take.bonesetter.armature
    lines = (tmp_path / "one.bvh").read_text().splitlines()
    named = {line.split()[1] for line in lines if line.split()[:1] in (["ROOT"], ["JOINT"])}
    assert named == set(rig.data.bones.keys())
    assert {"pelvis", "lowerarm_l", "hand_r"} <= named
    assert len(named) == 22
    motion = [line.split() for line in lines[lines.index("MOTION") + 3 :]]
    bpy.context.scene.frame_set(100)
    x, y, z = rig.matrix_world @ rig.pose.bones["pelvis"].head
    np.testing.assert_allclose([float(value) for value in motion[99][:3]], [x * 100, z * 100, -y * 100], atol=0.01)


def test_a_character_moves(ext, done, batch, tmp_path):
    """A character in a file of its own, with a mesh, a second armature beside it."""
    from .rigs_in_blender import made_rigs, to_armature

    made = made_rigs(ext)
    rig = to_armature(bpy.context.scene, made.build(made.Made("Unreal mannequin", 45, height=0.8)), "Hero")
    to_armature(bpy.context.scene, made.build(made.Made("Mixamo")), "Extra")
    mesh = bpy.data.objects.new("Body", bpy.data.meshes.new("Body"))
    mesh.data.from_pydata([(0, 0, 0), (0, 0, 1), (1, 0, 1)], [], [(0, 1, 2)])
    bpy.context.scene.collection.objects.link(mesh)
    mesh.vertex_groups.new(name="pelvis").add([0, 1, 2], 1.0, "REPLACE")
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    take = done[0].parent / "one.c3d"
    run = batch(take, "--rig", tmp_path / "hero.blend", "--out", tmp_path / "out", "--format", "blend")
    assert (run.returncode, "Hero, Extra: name" in run.stderr or "Extra, Hero: name" in run.stderr) == (1, True), run.stderr
    run = batch(
        *(take, "--rig", tmp_path / "hero.blend", "--rig-object", "Hero", "--root-motion", "--hands", "0", "--body"),
        *("--out", tmp_path, "--format", "blend", "fbx", "usd"),
    )
    assert run.returncode == 0, run.stderr
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    hero, actor = bpy.data.objects["Hero"], bpy.context.scene.bonesetter.take.bonesetter.armature
    assert bpy.data.objects["Extra"].animation_data is None
    for frame in (1, 100, 300):
        bpy.context.scene.frame_set(frame)
        ends = [(hero, "upperarm_l", "lowerarm_l"), (actor, "LeftArm", "LeftForeArm")]
        own, theirs = (
            np.array(one.matrix_world @ one.pose.bones[b].head - one.matrix_world @ one.pose.bones[a].head) for one, a, b in ends
        )
        assert own @ theirs > 0.9999 * np.linalg.norm(own) * np.linalg.norm(theirs)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "one.fbx"))
    # its own mesh, and the body
    assert sorted(one.type for one in bpy.data.objects) == ["ARMATURE", "MESH", "MESH"]
    assert "root" in bpy.data.armatures[0].bones
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.usd_import(filepath=str(tmp_path / "one.usd"))
    assert sorted(one.type for one in bpy.data.objects if one.type != "EMPTY") == ["ARMATURE", "MESH", "MESH"]


def test_options_are_not_taken_by_their_beginnings(batch, tmp_path):
    run = batch("a.c3d", "--out", tmp_path, "--rig", "3")
    assert (run.returncode, "--rig" in run.stderr) == (2, True)


def test_a_character_is_the_actor(ext, done, batch, tmp_path):
    """The take is solved on its bones: its joints are the actor's, scaled, in every frame."""
    from .rigs_in_blender import about_spine, made_rigs, to_armature

    made = made_rigs(ext)
    hero = to_armature(bpy.context.scene, made.build(made.Made("Mixamo", 30, height=0.5, seed=2, arms=1.1)), "Hero")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "hero.blend"))
    run = batch(done[0].parent / "one.c3d", "--rig-as-actor", "--out", tmp_path, "--format", "blend")
    assert (run.returncode, "--rig-as-actor" in run.stderr) == (2, True)
    run = batch(done[0].parent / "one.c3d", "--rig", tmp_path / "hero.blend", "--rig-as-actor", "--out", tmp_path, "--format", "blend")
    assert run.returncode == 0, run.stderr
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    hero, actor = bpy.data.objects["Hero"], bpy.context.scene.bonesetter.take.bonesetter.armature
    assert set(actor.data.bones.keys()) <= set(hero.data.bones.keys())
    arms = ("LeftArm", "LeftForeArm", "LeftHand", "RightForeArm", "RightHand", "Head", "LeftFoot")
    for frame in (1, 100, 300):
        bpy.context.scene.frame_set(frame)
        theirs, own = (about_spine(one, arms) for one in (actor, hero))
        ratio = np.linalg.norm(own) / np.linalg.norm(theirs)
        assert 0.3 < ratio < 0.7
        # feet that stand may have been put right
        np.testing.assert_allclose(own[:-1], ratio * theirs[:-1], atol=0.005)
