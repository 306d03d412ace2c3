# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while Blender solves: the scene is as it was, nothing runs on, and the next solve works."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

STAGES = ["clean", "propose", "pose", "results"]


@pytest.fixture
def imported(ext, scene, engine_python, synthetic_c3d):
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    take = scene.bonesetter.take
    yield take
    ext("operators.session").session.engine.close()


@pytest.fixture
def held(ext, scene, imported, holding_python, monkeypatch):
    """Begins a solve and comes back as soon as the engine speaks of the stage, at which it stays."""
    monkeypatch.setenv("BONESETTER_ENGINE_PYTHON", holding_python.path)

    def begin(stage):
        holding_python.at(stage)
        solve = ext("operators.solving").begin(scene, imported)
        while not solve.job.poll(timeout=0.01) and solve.job.stage != stage:
            pass
        assert solve.job.answer is None
        return solve

    return begin


def contents():
    """The scene as a user would miss it: names of everything, and every key."""
    kinds = ("actions", "armatures", "collections", "objects", "scenes")
    names = {kind: sorted(one.name for one in getattr(bpy.data, kind)) for kind in kinds}
    keys = {
        action.name: [
            tuple(point.co)
            for layer in action.layers
            for strip in layer.strips
            for bag in strip.channelbags
            for curve in bag.fcurves
            for point in list(curve.keyframe_points)[:5]
        ]
        for action in bpy.data.actions
    }
    return names, keys


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_the_engine_killed_at_every_stage(ext, imported, holding_python, held):
    """Each engine is one of its own, which is killed as soon as it speaks of the stage."""
    error = ext("model.core.errors").BonesetterError
    engine = ext("operators.session").session.engine
    before = contents()
    for stage in STAGES:
        solve = held(stage)
        pid = engine.pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(error, match="stopped unexpectedly"):
            solve.job.wait()
        assert not runs(pid)
        assert contents() == before
    holding_python.at()
    bpy.ops.bonesetter.solve_markers()
    assert imported.bonesetter.solved


@pytest.mark.parametrize("gone", ["armature", "action", "marker", "scene"])
def test_what_is_deleted_meanwhile(ext, scene, imported, gone):
    """Solved a second time, while what it is put into or made from is deleted."""
    module = ext("operators.solving")
    bpy.ops.bonesetter.solve_markers()
    take, armature = imported.bonesetter, imported.bonesetter.armature
    bones = len(armature.pose.bones)
    if gone == "scene":
        bpy.data.scenes.new("another")
    solve = module.begin(scene, imported)
    if gone == "armature":
        bpy.data.objects.remove(armature)
    elif gone == "action":
        bpy.data.actions.remove(armature.animation_data.action)
    elif gone == "marker":
        bpy.data.objects.remove(next(iter(imported.all_objects)))
    else:
        bpy.data.scenes.remove(scene)
    solve.job.wait()
    if gone == "scene":
        before = contents()
        with pytest.raises(ext("model.core.errors").BonesetterError, match="nothing was changed"):
            module.finish(bpy.context.scene, solve)
        assert contents() == before
        return
    module.finish(scene, solve)
    assert len(take.armature.pose.bones) == bones
    assert len(bpy.data.armatures) >= 1
    bpy.ops.bonesetter.solve_markers()
    assert take.solved


def test_another_scene_shown_meanwhile(ext, scene, imported):
    """The result goes by the units of the scene that the take lies in: of an older version's take nothing else tells them."""
    module = ext("operators.solving")
    imported.bonesetter.units_per_metre = 0.0
    solve = module.begin(scene, imported)
    other = bpy.data.scenes.new("another")
    other.unit_settings.scale_length = 0.01
    solve.job.wait()
    ((take, _),) = module.finish(other, solve)
    assert take.bonesetter.armature.name in scene.objects
    assert not other.objects
    heights = [bone.head_local.z for bone in take.bonesetter.armature.data.bones]
    assert max(heights) - min(heights) < 3.0, "metres"


def test_a_file_opened_meanwhile_gets_nothing_of_the_solve(ext, holding_python, held, synthetic_c3d):
    session = ext("operators.session").session
    session.solve = held("pose")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert session.solve is None, "given up"
    holding_python.at()
    assert not bpy.data.armatures
    bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
    bpy.ops.bonesetter.solve_markers()
    assert len(bpy.data.armatures) == 1


def test_the_folder_of_the_session_removed_meanwhile(ext, imported, holding_python, held):
    """A cleaner of temporary files takes what Blender and its engine exchange."""
    engine = ext("operators.session").session.engine
    before = contents()
    solve = held("pose")
    shutil.rmtree(engine.folder)
    holding_python.at()
    with pytest.raises(ext("model.core.errors").BonesetterError, match="cannot be written"):
        solve.job.wait()
    assert contents() == before
    bpy.ops.bonesetter.solve_markers()
    assert imported.bonesetter.solved


def test_two_blenders_at_once(engine_python, extension_folder, synthetic_c3d, tmp_path):
    """Both write into the same folder, each with an engine of its own; the one does not clear what the other uses."""
    environment = {**os.environ, "BONESETTER_ENGINE_PYTHON": engine_python}
    running = []
    for name in ("one", "two"):
        shutil.copy(synthetic_c3d, tmp_path / f"{name}.c3d")
        command = [sys.executable, str(extension_folder / "batch.py"), str(tmp_path / f"{name}.c3d"), "--out", str(tmp_path / "out")]
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, complained = process.communicate(timeout=240)
        assert process.returncode == 0, complained
    wanted = {f"{stem}.{kind}" for stem in ("one", "two") for kind in ("blend", "bvh", "json")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted
