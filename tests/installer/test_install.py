# SPDX-License-Identifier: GPL-3.0-or-later
"""The installation as a whole, with a small solver: it is there whole or not at all."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from installer import download, store
from installer.errors import CancelledError, InstallError
from installer.install import Request, check_space, install, suitable
from installer.interpreters import Interpreter
from installer.lock import CUDA, PLATFORMS, Lock, Wheel, path_of
from installer.store import DOWNLOADS
from model.storage.locking import lock_file

from .conftest import write_lock

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PAUSES", ())


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "Bone setter ü" / "solver"


@pytest.fixture
def request_(small_solver, folder):
    return Request(folder, sys.executable)


def silent(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def said(python: str, code: str) -> str:
    """What a Python prints."""
    return subprocess.run([python, "-c", code], capture_output=True, check=True, text=True).stdout.strip()


def mount(folder: Path, options: str) -> None:
    """Mount a file system in memory, or skip the test where that is not allowed."""
    folder.mkdir()
    if os.name == "nt" or os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False).returncode:
        pytest.skip("mounting needs root")


def test_the_solver_is_installed_and_found(request_, folder):
    told = []
    done = install(request_, lambda *words: told.append(words))
    assert store.installed(folder) == done
    assert done.current
    assert (
        subprocess.run([done.python, "-c", "import muscle; print(muscle.STRENGTH)"], capture_output=True, check=True).stdout.strip() == b"1"
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted([store.BUSY, done.digest])
    stages = list(dict.fromkeys(stage for stage, _, _ in told if stage))
    assert stages == ["Looking around", "Downloading muscle", "Downloading uv", "Making the environment", "Unpacking", "Trying it"]
    assert max(part for _, part, _ in told) == next(total for _, _, total in told if total)


def test_an_environment_of_its_own_sees_no_packages_of_the_user(request_):
    done = install(request_, silent)
    site = subprocess.run(
        [done.python, "-c", "import site; print(site.ENABLE_USER_SITE)"], capture_output=True, check=True, text=True
    ).stdout
    assert site.strip() == "False"


def test_a_newer_lock_replaces_the_older_solver(request_, folder, small_solver, make_wheel):
    old = install(request_, silent)
    write_lock([make_wheel("muscle", {"muscle.py": b"STRENGTH = 2\n"}), small_solver[1]])
    assert not old.current
    assert store.installed(folder) == old
    new = install(request_, silent)
    assert new.digest != old.digest
    assert not old.folder.exists()
    assert store.installed(folder) == new


def test_installing_again_mends_a_broken_environment(request_, folder):
    done = install(request_, silent)
    next(done.folder.rglob("muscle.py")).unlink()
    shutil.rmtree(done.folder / "bin")
    assert store.installed(folder) is None
    assert install(request_, silent) == done
    assert store.installed(folder) == done


def test_a_solver_that_cannot_be_imported_is_not_installed(request_, folder, monkeypatch):
    before = install(request_, silent)
    monkeypatch.setattr("installer.install.TRIAL", "import sinew")
    with pytest.raises(InstallError, match=r"cannot be set up here .*No module named 'sinew'"):
        install(request_, silent)
    assert store.installed(folder) == before
    assert not (folder / store.BUILDING).exists()


def test_cancelling_leaves_nothing_half_made(request_, folder):
    def stop(stage: str, _done: int, _total: int) -> None:
        if stage == "Unpacking":
            raise CancelledError

    with pytest.raises(CancelledError):
        install(request_, stop)
    assert store.installed(folder) is None
    assert sorted(path.name for path in folder.iterdir()) == sorted([store.BUSY, store.DOWNLOADS])


def test_what_a_killed_installation_left_is_cleared(request_, folder):
    (folder / store.BUILDING / "environment").mkdir(parents=True)
    done = install(request_, silent)
    assert sorted(path.name for path in folder.iterdir()) == sorted([store.BUSY, done.digest])


def test_two_at_once_are_one_sentence(request_, folder):
    folder.mkdir(parents=True)
    with (folder / store.BUSY).open("ab") as stream:
        assert lock_file(stream)
        with pytest.raises(InstallError, match="Another installation of the solver"):
            install(request_, silent)
    assert install(request_, silent).current


def test_a_disk_without_space_is_said_before_the_download(request_, server, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 1000))
    with pytest.raises(InstallError, match=r"needs .* GB on the disk .*free some space"):
        install(request_, silent)
    assert server.asked == []


def test_a_disk_that_fills_is_one_sentence(request_, tmp_path, monkeypatch):
    mounted = tmp_path / "small"
    mounted.mkdir()
    if (
        os.name == "nt"
        or os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", mounted], check=False).returncode
    ):
        pytest.skip("mounting needs root")
    monkeypatch.setattr("installer.install.check_space", lambda *_arguments: None)
    try:
        with pytest.raises(InstallError, match=r"disk of .* is full: free some space"):
            install(Request(mounted / "solver", sys.executable), silent)
        assert store.installed(mounted / "solver") is None
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_a_folder_that_cannot_be_written_is_one_sentence(request_, tmp_path):
    mounted = tmp_path / "protected"
    mount(mounted, "ro")
    try:
        with pytest.raises(InstallError, match="cannot be written"):
            install(Request(mounted / "solver", sys.executable), silent)
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_without_the_network_a_folder_must_have_all(request_, server, small_solver, folder, tmp_path):
    offline = Request(folder, sys.executable, wheels=server.folder, online=False)
    (server.folder / small_solver[0].filename).rename(tmp_path / "aside")
    python = "{}.{}".format(*sys.version_info[:2])
    with pytest.raises(InstallError, match=rf'lacks {small_solver[0].filename}: .*"python3 -m installer wheels .*--python {python}"'):
        install(offline, silent)
    (tmp_path / "aside").rename(server.folder / small_solver[0].filename)
    assert install(offline, silent).current
    assert server.asked == []


def test_a_python_without_a_lock_asks_for_another(request_, monkeypatch):
    monkeypatch.setattr("installer.install.target", lambda *_arguments: None)
    with pytest.raises(InstallError, match=r"There is no solver for this computer .*choose a Python"):
        install(request_, silent)


def test_a_python_without_a_build_for_the_gpu_gets_another_one(request_, monkeypatch):
    known = PLATFORMS.setdefault((sys.platform, platform.machine().lower()), "here")
    for version in ("311", "313"):
        path_of(f"{known}-cp{version}-cuda").touch()
    monkeypatch.setattr("installer.install.ask", lambda _path: Interpreter("blender", (3, 14), platform.machine()))
    wanted = replace(request_, device=CUDA)
    assert suitable(wanted) == (None, f"{known}-cp313-cuda")
    with pytest.raises(InstallError, match=r"no solver for Python 3\.14, .*choose Python 3\.11 to 3\.13 in"):
        suitable(replace(wanted, online=False))


def test_space_is_asked_for_by_what_torch_is_built_for(tmp_path, monkeypatch):
    (tmp_path / DOWNLOADS).mkdir()
    torch = Wheel("torch", "2.0", "https://example.org/torch.whl", 3_500_000_000, "0")
    free = SimpleNamespace(free=11_500_000_000)
    monkeypatch.setattr("installer.install.shutil.disk_usage", lambda _folder: free)
    check_space(tmp_path, Lock("windows-x64-cp311-cuda", "0", (torch,)))
    with pytest.raises(InstallError, match=r"needs 16\.1 GB .* 11\.5 GB are free"):
        check_space(tmp_path, Lock("windows-x64-cp311-cpu", "0", (torch,)))
    free.free = 11_000_000_000
    with pytest.raises(InstallError, match=r"needs 11\.2 GB .* 11\.0 GB are free"):
        check_space(tmp_path, Lock("windows-x64-cp311-cuda", "0", (torch,)))


def test_removing_removes_all(request_, folder):
    install(request_, silent)
    store.remove(folder)
    assert store.installed(folder) is None
    assert [path.name for path in folder.iterdir()] == [store.BUSY]


BOOT = "import sys; sys.path.insert(0, sys.argv[1]); import installer.lock as l, pathlib; l.LOCKS = pathlib.Path(sys.argv[2]); "
BOOT += "import installer.install as i; i.TRIAL = 'import muscle'; from installer.process import main; main()"


@pytest.fixture
def process(small_solver, tmp_path, folder):
    """The installation as Blender starts it, with the small solver's lock."""
    started = []

    def start(**wanted: object) -> subprocess.Popen[str]:
        request = {"store": str(folder), "base": sys.executable, "device": "cpu", "wheels": "", "index": "", "proxy": "", "online": True}
        made = subprocess.Popen(
            [sys.executable, "-I", "-c", BOOT, str(ROOT), str(tmp_path / "locks")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert made.stdin
        made.stdin.write(json.dumps(request | wanted) + "\n")
        made.stdin.flush()
        started.append(made)
        return made

    yield start
    for each in started:
        each.kill()
        each.wait()


def test_the_process_tells_how_far_it_is(process, folder):
    made = process()
    words = [json.loads(line) for line in made.stdout]
    done = store.installed(folder)
    assert done
    assert words[-1] == {"python": done.python}
    assert {word["stage"] for word in words[:-1]} >= {"Downloading uv", "Unpacking"}


def test_the_process_says_what_went_wrong(process, server):
    server.status["muscle-1.0-py3-none-any.whl"] = 404
    assert "refuses muscle" in json.loads(list(process().stdout)[-1])["error"]


def test_the_process_ends_with_blender_and_goes_on_next_time(process, folder):
    made = process()
    while "uv" not in made.stdout.readline():
        pass
    made.stdin.close()
    made.wait(20)
    assert store.installed(folder) is None
    assert not (folder / store.BUILDING).exists()
    assert json.loads(list(process().stdout)[-1])["python"]


def test_a_killed_process_leaves_the_next_one_free(process, folder):
    made = process()
    while "Making" not in made.stdout.readline():
        pass
    made.kill()
    made.wait()
    time.sleep(0.2)
    assert store.installed(folder) is None
    assert json.loads(list(process().stdout)[-1])["python"]
