# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine process: its life and its many deaths."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engine(ext, engine_python):
    engine = ext("operators.session").session.engine
    engine.close()
    yield engine
    engine.close()


@pytest.fixture
def request_for(ext, engine, synthetic_take):
    source = engine.folder / "take.npz"
    ext("model.files.exchange").save_take(synthetic_take, source)
    return {"take": str(source), "out": str(engine.folder / "pose.npz"), "settings": {}}


@pytest.fixture
def solving(engine, holding_python, request_for):
    """A job in the middle of its solve, where it stays."""
    holding_python.at("pose")
    job = engine.submit(holding_python.path, request_for)
    until(lambda: job.poll() or job.stage == "pose")
    assert job.answer is None
    return job


def until(condition):
    """Wait, but not for ever: longer than any machine takes for what is waited for here."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "nothing happened within two minutes"
        time.sleep(0.02)


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_stays_warm_between_requests(engine, engine_python):
    engine.submit(engine_python, {"ping": True}).wait()
    pid = engine.pid
    engine.submit(engine_python, {"ping": True}).wait()
    assert engine.pid == pid
    assert engine.alive


def test_starts_anew_after_death_and_for_another_interpreter(engine, engine_python, tmp_path):
    engine.submit(engine_python, {"ping": True}).wait()
    first = engine.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: not engine.alive)
    engine.submit(engine_python, {"ping": True}).wait()
    second = engine.pid
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec "{engine_python}" "$@"\n')
    other.chmod(0o755)
    engine.submit(str(other), {"ping": True}).wait()
    assert len({first, second, engine.pid}) == 3
    assert not runs(second)


def test_what_is_cancelled_is_given_up_and_the_engine_stays_warm(engine, holding_python, request_for, solving):
    pid = engine.pid
    solving.cancel()
    # the next request is answered by the same process, and what was cancelled is not
    engine.submit(holding_python.path, {"ping": True}).wait()
    assert engine.pid == pid
    assert not engine._cancelled
    assert not Path(request_for["out"]).exists()
    holding_python.at()
    answer = engine.submit(holding_python.path, request_for).wait()
    assert Path(answer["result"]).exists()


def test_an_engine_that_does_not_give_up_is_ended_for_the_next_request(ext, engine, holding_python, solving, monkeypatch):
    pid = engine.pid
    monkeypatch.setattr(ext("operators.engine"), "CANCEL_PATIENCE", -1.0)
    os.kill(pid, signal.SIGSTOP)
    solving.cancel()
    engine.submit(holding_python.path, {"ping": True}).wait()
    assert engine.pid != pid
    assert not runs(pid)


@pytest.mark.usefixtures("solving")
def test_a_file_that_is_opened_leaves_the_engine_warm(engine):
    pid, folder = engine.pid, engine.folder
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    assert runs(pid)
    assert folder.exists()


def test_folders_of_processes_that_are_gone_are_removed(ext, tmp_path, monkeypatch):
    module = ext("model.storage.session_folder")
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    script = (
        "import sys, tempfile, time; sys.path.insert(0, sys.argv[1]); tempfile.tempdir = sys.argv[2]\n"
        "from model.storage.session_folder import SessionFolder\n"
        "folder = SessionFolder(); print(folder.path, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(Path(module.__file__).parents[2]), str(tmp_path)]
    dead, living = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        left, used = (Path(process.stdout.readline().strip()) for process in (dead, living))
        dead.kill()
        dead.wait()
        (tmp_path / "bonesetter-of-somebody-else").mkdir()
        # a new one may be that of a process that is about to lock it
        module.SessionFolder().remove()
        assert left.exists()
        for folder in (left, used):
            os.utime(folder / module.LOCK, (0, 0))
        own = module.SessionFolder()
        assert not left.exists()
        assert used.exists()
        assert (tmp_path / "bonesetter-of-somebody-else").exists()
        # another one of the same process leaves the first alone
        another = module.SessionFolder()
        assert own.path.exists()
        for folder in (own, another):
            folder.remove()
            assert not folder.path.exists()
    finally:
        living.kill()
        living.wait()


@pytest.mark.usefixtures("solving")
def test_unregister_kills(ext, engine):
    pid = engine.pid
    ext("operators").unregister()
    try:
        assert not runs(pid)
    finally:
        ext("operators").register()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_dies_with_blender(holding_python, extension_folder, request_for):
    """A second Blender starts an engine and is killed in the middle of its solve, with no chance to clean up."""
    folder = str(extension_folder)
    holding_python.at("pose")
    code = f"""
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("bs", {folder + "/__init__.py"!r}, submodule_search_locations=[{folder!r}])
sys.modules["bs"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from bs.operators.session import session
job = session.engine.submit({holding_python.path!r}, {json.loads(json.dumps(request_for))!r})
while not job.poll() and job.stage != "pose":
    time.sleep(0.02)
print(session.engine.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", "import bpy\n" + code], stdout=subprocess.PIPE, text=True)
    lines = iter(parent.stdout.readline, "")
    pid = int(next(line for line in lines if line.strip().isdigit()))
    assert runs(pid)
    parent.kill()
    parent.wait()
    until(lambda: not runs(pid))


def test_crash_becomes_a_sentence(ext, engine, solving):
    os.kill(engine.pid, signal.SIGSEGV)
    with pytest.raises(ext("model.core.errors").BonesetterError, match="stopped unexpectedly"):
        solving.wait()


def test_bug_becomes_a_sentence_and_the_engine_lives(ext, engine, engine_python, request_for):
    job = engine.submit(engine_python, {**request_for, "settings": {"nonsense": 1}})
    with pytest.raises(ext("model.core.errors").BonesetterError, match="nonsense") as caught:
        job.wait()
    assert f"{engine.log} has more" in str(caught.value)
    assert "Traceback" in engine.log.read_text()
    engine.submit(engine_python, {"ping": True}).wait()
    # another engine of the session writes on in the same log
    engine.start(engine_python)
    assert "Traceback" in engine.log.read_text()


def test_interpreter_without_torch_is_named_with_the_cure(ext, engine, tmp_path):
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = str(bare / "bin" / "python")
    with pytest.raises(ext("model.core.errors").BonesetterError) as caught:
        engine.submit(python, {"ping": True}).wait()
    assert "torch" in str(caught.value)
    assert "choose another Python" in str(caught.value)
    assert engine.verdicts[python] == str(caught.value)
    assert not engine.alive
    assert engine.probe(python) == str(caught.value)


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_useless_interpreter_is_a_sentence(ext, engine, python):
    with pytest.raises(ext("model.core.errors").BonesetterError):
        engine.submit(python, {"ping": True}).wait()
    assert "cannot run the solver" in engine.probe(python)


def test_probe_is_content_with_the_engines_python(engine, engine_python):
    assert engine.probe(engine_python) == ""
    assert not engine.alive, "nobody waits until the engine has loaded all"
    assert bpy.ops.bonesetter.check_engine() == {"FINISHED"}


def test_prints_of_libraries_do_not_disturb_the_answers(ext, engine_python):
    module = ext("operators.engine")
    code = module.BOOT.replace(
        "main(", "import os; import model.engine.worker as w; w.warm_up = lambda wanted: (print('noise'), os.system('echo noise')); main("
    )
    command = [*module._command(engine_python)[:4], code, *module._command(engine_python)[5:]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdin.write('{"id": 1, "ping": true}\n')
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        assert process.stderr.read().count("noise") == 2
    assert answers[1] == {"id": 1, "result": None}


def test_progress_and_answer(ext, engine, engine_python, synthetic_take):
    source = engine.folder / "take.npz"
    ext("model.files.exchange").save_take(synthetic_take, source)
    told = []
    request = {"take": str(source), "out": str(engine.folder / "pose.npz"), "settings": {}}
    answer = engine.submit(engine_python, request).wait(lambda stage, part: told.append((stage, part)))
    assert [part for _, part in told] == sorted(part for _, part in told)
    assert len({stage for stage, _ in told}) >= 3
    pose = ext("model.files.exchange").load_pose(Path(answer["result"]))
    assert pose.positions.shape == (synthetic_take.frames, 31, 3)
    assert answer["report"]["frames"] == synthetic_take.frames
