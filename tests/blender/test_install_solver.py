# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Solver in Blender: what is asked, what is said, and which Python solves before and after.

The process is a small one that says what the real one says: tests/installer has the real one.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy
import pytest

from .drawing import drawn

#: Stands for installer.process: reads the request, says the lines of the test's file, then waits for the end where a line asks for it.
SMALL = """
import json, pathlib, sys
request = sys.stdin.readline()
folder = pathlib.Path({folder!r})
(folder / "request.json").write_text(request)
for line in (folder / "words.txt").read_text().splitlines():
    if line == "wait":
        sys.stdin.read()
        break
    print(line, flush=True)
"""


@pytest.fixture(autouse=True)
def nothing_chosen(ext, monkeypatch, tmp_path):
    """A computer without a solver, whose own things are not looked at."""
    monkeypatch.delenv("BONESETTER_ENGINE_PYTHON")
    python, session = ext("operators.solver_python"), ext("operators.session").session
    monkeypatch.setattr(python, "stores", lambda: [tmp_path / "solver"])
    monkeypatch.setattr(python, "store", lambda: tmp_path / "solver")
    session.engine.verdicts.clear()
    python.forget_installed()
    bpy.context.preferences.system.use_online_access = True
    yield
    session.installation, session.install_error, session.just_installed = None, "", False
    session.engine.verdicts.clear()
    python.forget_installed()
    bpy.context.preferences.system.use_online_access = False


@pytest.fixture
def says(ext, tmp_path, monkeypatch):
    """Have the process say these lines."""
    monkeypatch.setattr(ext("operators.installation"), "BOOT", SMALL.format(folder=str(tmp_path)))

    def say(*words: object) -> None:
        lines = [word if isinstance(word, str) else json.dumps(word) for word in words]
        (tmp_path / "words.txt").write_text("\n".join(lines), encoding="utf-8")

    return say


@pytest.fixture
def put(ext, tmp_path):
    """Put an environment into the store, as an installation does; returns its Python."""

    def make(target: str = "nowhere", digest: str = "0") -> str:
        store, folder = ext("installer.store"), tmp_path / "solver" / digest
        python = store.python_of(folder)
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        store.mark(folder, target, digest)
        ext("operators.solver_python").forget_installed()
        return str(python)

    return make


def test_without_a_solver_the_panel_offers_it_and_solving_is_refused(ext):
    python = ext("operators.solver_python")
    if python.blender_has_torch():
        pytest.skip("this Blender's Python can solve")
    assert python.is_lacking()
    assert python.engine_python() == sys.executable
    assert python.download_size("cpu") > 100e6
    assert python.download_size("cuda") > 2e9 or sys.platform == "darwin"
    assert not bpy.ops.bonesetter.solve_markers.poll()
    assert bpy.ops.bonesetter.install_solver.poll()


def test_the_preferences_offer_what_can_be_done_and_say_what_solves(ext, put):
    python, preferences, show = ext("operators.solver_python"), bpy.context.preferences, ext("ui.preferences").BONESETTER_AP_preferences
    if python.blender_has_torch():
        pytest.skip("this Blender's Python can solve")
    online = drawn(show)
    assert "The solver is not installed." in online.said
    assert not any(said.startswith("Solves with") for said in online.said)
    assert online.buttons["bonesetter.install_solver"]
    assert not bpy.ops.bonesetter.remove_solver.poll(), "there is nothing to remove"
    preferences.system.use_online_access = False
    offline = drawn(show)
    assert not offline.buttons["bonesetter.install_solver"]
    assert offline.buttons["bonesetter.install_solver From Folder..."]
    installed = put()
    python.forget_installed()
    assert f"Solves with {installed}" in drawn(show).said
    assert bpy.ops.bonesetter.remove_solver.poll()


def test_what_is_installed_solves(ext, says, put, tmp_path):
    python = put()
    says({"stage": "Downloading torch", "done": 5, "total": 10}, {"python": python})
    assert bpy.ops.bonesetter.install_solver() == {"FINISHED"}
    request = json.loads((tmp_path / "request.json").read_text())
    assert request == {
        "store": str(tmp_path / "solver"),
        "base": sys.executable,
        "device": "cpu",
        "wheels": "",
        "index": "",
        "proxy": "",
        "online": True,
    }
    which = ext("operators.solver_python")
    assert which.engine_python() == python
    assert not which.is_lacking()
    # of a lock that this version does not have
    assert which.is_outdated()


def test_preferences_reach_the_process(ext, says, put, tmp_path):
    own = ext("operators.preferences").own()
    own.python_path, own.package_index, own.proxy, own.device = sys.executable, " http://mirror/simple ", "http://proxy:1", "cuda"
    try:
        says({"python": put()})
        bpy.ops.bonesetter.install_solver(directory=str(tmp_path))
        # the chosen Python is what the solver was built on: from now on the solver is used
        assert own.python_path == ""
    finally:
        own.python_path, own.package_index, own.proxy, own.device = "", "", "", "cpu"
    request = json.loads((tmp_path / "request.json").read_text())
    assert (request["index"], request["proxy"], request["device"], request["wheels"]) == (
        "http://mirror/simple",
        "http://proxy:1",
        "cuda",
        str(tmp_path),
    )


def test_a_failure_is_said_in_the_panel(ext, says):
    says({"error": "pypi.org cannot be reached: check the network."})
    with pytest.raises(RuntimeError, match=r"pypi\.org cannot be reached"):
        bpy.ops.bonesetter.install_solver()
    assert ext("operators.session").session.install_error == "pypi.org cannot be reached: check the network."
    assert bpy.ops.bonesetter.install_solver.poll()


def test_the_panel_says_one_thing_of_a_failure_and_forgets_it_with_another_python(ext, says, tmp_path):
    python, panel, session = ext("operators.solver_python"), ext("ui.panel").BONESETTER_PT_main, ext("operators.session").session
    if python.blender_has_torch():
        pytest.skip("this Blender's Python can solve")
    before = drawn(panel).said
    assert "The solver is not installed." in before
    assert any("MB" in said for said in before)
    says({"error": "The folder lacks torch.whl."})
    with pytest.raises(RuntimeError):
        bpy.ops.bonesetter.install_solver()
    assert drawn(panel).said == ["The folder lacks torch.whl."]
    ext("operators.preferences").own().python_path = str(tmp_path / "missing")
    assert session.install_error == ""
    ext("operators.preferences").own().python_path = ""


def test_words_are_broken_only_where_they_are_longer_than_a_line(ext):
    lines = ext("ui.text").lines
    assert lines("The folder of wheels lacks ezc3d-1.7.2-cp314-abi3.whl and 5 more.", 30) == [
        "The folder of wheels lacks",
        "ezc3d-1.7.2-cp314-abi3.whl and",
        "5 more.",
    ]
    long = lines("It lacks ezc3d-1.7.2-cp314-cp314-manylinux_2_28_x86_64.whl here.", 30)
    assert long[:2] == ["It lacks", "ezc3d-1.7.2-cp314-cp314-"]
    assert max(map(len, long)) <= 30


def test_the_panel_says_that_the_solver_is_installed_until_something_is_solved(ext, says, put, make_take, load, monkeypatch):
    python, panel, session = put(digest="1"), ext("ui.panel").BONESETTER_PT_main, ext("operators.session").session
    monkeypatch.setattr(ext("operators.solver_python"), "is_outdated", lambda: False)
    says({"python": python})
    assert bpy.ops.bonesetter.install_solver() == {"FINISHED"}
    assert drawn(panel).said == ["The solver is installed."]
    take = load(make_take())
    monkeypatch.setattr(session.engine, "submit", lambda *_request: None)
    ext("operators.solving").begin(bpy.context.scene, take)
    assert "The solver is installed." not in drawn(panel).said
    session.engine.close()


def test_a_process_that_dies_is_one_sentence(ext, says):
    says({"stage": "Unpacking", "done": 0, "total": 0})
    with pytest.raises(RuntimeError, match=r"ended unexpectedly .*press Install Solver again"):
        bpy.ops.bonesetter.install_solver()


def test_without_online_access_only_a_folder_will_do(ext, says, put, tmp_path):
    bpy.context.preferences.system.use_online_access = False
    says({"python": put()})
    with pytest.raises(RuntimeError, match="may not use the network"):
        bpy.ops.bonesetter.install_solver()
    assert not (tmp_path / "request.json").exists()
    assert bpy.ops.bonesetter.install_solver(directory=str(tmp_path)) == {"FINISHED"}
    assert json.loads((tmp_path / "request.json").read_text())["online"] is False


def test_progress_is_taken_in_and_cancelling_ends_the_process(ext, says):
    module = ext("operators.install_solver")
    session = ext("operators.session").session
    says({"stage": "Downloading torch", "done": 50, "total": 200}, "wait")
    session.installation = installation = module.begin()
    while installation.stage != "Downloading torch":
        assert installation.poll(timeout=1.0) is None
    assert (installation.done, installation.total, installation.part) == (50, 200, 0.25)
    assert not bpy.ops.bonesetter.install_solver.poll()
    assert module.watch() == module.INTERVAL
    bpy.ops.bonesetter.cancel_install()
    assert session.installation is None
    assert installation._process.poll() is not None
    assert module.watch() is None


def test_the_timer_ends_with_the_installation(ext, says, put):
    module, session = ext("operators.install_solver"), ext("operators.session").session
    for words, error in (({"python": put()}, ""), ({"error": "No."}, "No.")):
        says(words)
        session.install_error = ""
        session.installation = module.begin()
        while module.watch() is not None:
            pass
        assert session.installation is None
        assert session.install_error == error


def test_removing(ext, put, tmp_path):
    put()
    assert bpy.ops.bonesetter.remove_solver() == {"FINISHED"}
    assert ext("operators.solver_python").engine_python() == sys.executable
    assert list((tmp_path / "solver").iterdir()) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path / "missing", "There is no"),
        (lambda path: path, "There is no Python in the folder"),
        (lambda path: Path(os.__file__), "is no program"),
    ],
)
def test_what_is_wrong_with_a_chosen_python_is_said_at_once(ext, tmp_path, make, words):
    own, session = ext("operators.preferences").own(), ext("operators.session").session
    try:
        own.python_path = str(make(tmp_path))
        assert words in session.engine.verdicts[ext("operators.solver_python").engine_python()]
        with pytest.raises(RuntimeError, match=words):
            bpy.ops.bonesetter.install_solver()
    finally:
        own.python_path = ""


def test_a_chosen_python_without_torch_is_said_with_a_way_on(ext):
    own, session = ext("operators.preferences").own(), ext("operators.session").session
    bare = Path(sys.base_prefix) / ("python.exe" if os.name == "nt" else "bin/python3")
    try:
        own.python_path = str(bare)
        assert "lacks " in session.engine.verdicts[str(bare)]
        assert "Install Solver" in session.engine.verdicts[str(bare)]
    finally:
        own.python_path = ""


def test_the_store_is_the_extensions_own_folder(ext, package, monkeypatch):
    monkeypatch.undo()
    store = ext("operators.solver_python").store()
    assert store.parts[-3:] == (*package.split(".")[1:], "solver")
    assert os.environ["BLENDER_USER_RESOURCES"] in str(store)
