# SPDX-License-Identifier: GPL-3.0-or-later
"""Import, Solve Markers and Export write where the user said, and in folders of their own; nobody is asked by network.

Blender's Python and the engine's tell an auditor of every file that is opened to be written, made, moved or removed. What Blender itself
writes in C, such as a USD, they do not tell; that is looked for in the folders where it might be.
"""

import os
import sys
import tempfile
from pathlib import Path

import bpy
import pytest

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.rmtree"}
ASKING = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"}
#: The same in the engine's Python, which notes it in a file: there it is run before the engine is.
AUDIT = f"""
import os, sys
LOG = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND)
WRITING, CHANGING, ASKING = {WRITING}, {CHANGING!r}, {ASKING!r}
def audit(event, arguments):
    for place in changed(event, arguments):
        os.write(LOG, (place + chr(10)).encode())
def changed(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = flags & WRITING if isinstance(flags, int) else set(str(mode)) & set("wax+")
        return [os.path.abspath(os.fsdecode(path))] if writes and not isinstance(path, int) else []
    if event in CHANGING:
        return [os.path.abspath(os.fsdecode(one)) for one in arguments[:2] if isinstance(one, (str, bytes, os.PathLike))]
    return ["network: " + repr(arguments)] if event in ASKING else []
"""


class Auditor:
    """Hears what Blender's own Python does while it listens: a hook stays for the process's life."""

    def __init__(self):
        self.listens, self.heard, known = False, [], {}
        exec(AUDIT.replace('LOG = os.open(os.environ["AUDIT_LOG"], os.O_WRONLY | os.O_APPEND)', ""), known)
        self._changed = known["changed"]
        sys.addaudithook(self._audit)

    def _audit(self, event, arguments):
        if self.listens:
            self.heard += self._changed(event, arguments)


@pytest.fixture(scope="module")
def auditor():
    return Auditor()


@pytest.fixture
def watched_engine(ext, begin_with, tmp_path, monkeypatch):
    """An engine that notes what it writes; returns its notes."""
    log = tmp_path / "audit.log"
    log.touch()
    python = begin_with(AUDIT + "sys.addaudithook(audit)\n")
    # a folder for temporary files that nobody shares: a session looks after what others left behind
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    monkeypatch.setenv("AUDIT_LOG", str(log))
    monkeypatch.setenv("BONESETTER_ENGINE_PYTHON", str(python))
    engine = ext("operators.session").session.engine
    engine.close()
    yield lambda: log.read_text().splitlines()
    engine.close()


#: In a checkout: what tests that run beside this one, environments and builds make. A built extension has none of it.
OTHERS = {"build", "out", "runs", "tests", "tools"}


def names_in(folder):
    own = [path for path in Path(folder).iterdir() if not path.name.startswith(".") and path.name not in OTHERS]
    return {path for one in own for path in (one, *one.rglob("*")) if "__pycache__" not in path.parts}


def test_nothing_is_written_elsewhere_and_no_network_asked(
    ext, scene, auditor, watched_engine, extension_folder, synthetic_c3d, tmp_path, monkeypatch
):
    out, home = tmp_path / "out", tmp_path / "home"
    out.mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(home)
    read_only = (extension_folder, synthetic_c3d.parent)
    before = [names_in(folder) for folder in read_only]
    auditor.heard.clear()
    auditor.listens = True
    try:
        bpy.ops.bonesetter.import_c3d(filepath=str(synthetic_c3d))
        bpy.ops.bonesetter.solve_markers()
        assert scene.bonesetter.take.bonesetter.solved
        for kind in ("BVH", "FBX", "GLB", "USD"):
            assert bpy.ops.bonesetter.export_motion(filepath=str(out / f"take.{kind.lower()}"), kind=kind) == {"FINISHED"}
    finally:
        auditor.listens = False
    session = ext("operators.session").session.engine.folder
    assert {path.suffix for path in out.iterdir()} >= {".bvh", ".fbx", ".glb", ".usd"}
    assert any(place.startswith(f"{out}{os.sep}") for place in auditor.heard), "Blender is watched"
    assert any(place.startswith(f"{session}{os.sep}") for place in watched_engine()), "the engine is watched"
    # besides the chosen folder: what Blender and the engine exchange, and Blender's own temporary folder of the session
    allowed = tuple(f"{folder}{os.sep}" for folder in (out, session, bpy.app.tempdir.rstrip(os.sep)))
    places = (*auditor.heard, *watched_engine())
    assert [place for place in places if not place.startswith(allowed) and place not in (os.devnull, str(session), str(out))] == []
    assert [names_in(folder) for folder in read_only] == before
    assert list(home.iterdir()) == [], "nor by Blender itself"
    assert str(session).startswith(tempfile.gettempdir())
