# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may choose as a Python, and the lock files that belong to it."""

from __future__ import annotations

import os
import sys
import venv
from pathlib import Path

import pytest

from installer.errors import InstallError
from installer.interpreters import ask, resolve
from installer.lock import CPU, CUDA, LOCKS, pythons, read_lock, target


def test_an_interpreter_is_itself():
    assert resolve(sys.executable) == sys.executable


def test_a_folder_of_a_venv_is_its_python(tmp_path):
    venv.create(tmp_path / "own", symlinks=os.name != "nt")
    assert ask(resolve(str(tmp_path / "own"))).version == sys.version_info[:2]


@pytest.mark.parametrize("place", ["bin/python3", "python.exe", "Scripts/python.exe"])
def test_a_folder_of_conda_or_windows_is_its_python(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    assert Path(resolve(str(tmp_path))) == tmp_path / place


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "There is no .*choose a Python"),
        (lambda path: path.mkdir() or path, "There is no Python in the folder"),
        (lambda path: path.write_text("x") and path, "is no program"),
    ],
)
def test_what_is_none_is_one_sentence(tmp_path, make, words):
    with pytest.raises(InstallError, match=words):
        resolve(str(make(tmp_path / "chosen")))


def test_a_program_that_is_no_python_is_one_sentence(tmp_path):
    with pytest.raises(InstallError, match="cannot be run"):
        ask(str(tmp_path / "missing"))
    program = tmp_path / "other"
    program.write_text("#!/bin/sh\necho hello\n")
    program.chmod(0o755)
    with pytest.raises(InstallError, match="does not answer as a Python does"):
        ask(str(program))


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.toml")), ids=lambda path: path.name)
def test_every_lock_is_whole(path):
    lock = read_lock(path.name.removeprefix("pylock.").removesuffix(".toml"))
    names = [wheel.name for wheel in lock.wheels]
    assert {"uv", "torch", "numpy", "scipy", "safetensors"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(wheel.url.startswith("https://") and len(wheel.sha256) == 64 and wheel.size > 0 for wheel in lock.wheels)
    tag = lock.target.split("-")[-2]
    system = {"linux": "manylinux", "windows": "win_amd64", "macos": "macosx"}[lock.target.split("-")[0]]
    for wheel in lock.wheels:
        python, abi, platform = wheel.filename.removesuffix(".whl").split("-")[-3:]
        assert python.startswith(("py3", tag)) or "py2.py3" in python or (abi == "abi3" and python <= tag), wheel.filename
        assert platform == "any" or system in platform, wheel.filename


def test_blenders_pythons_have_locks():
    for version in ((3, 11), (3, 13)):
        for platform, machine in (("linux", "x86_64"), ("win32", "AMD64"), ("darwin", "arm64")):
            assert target(version, machine, CPU, platform)
    for version in ((3, 11), (3, 12), (3, 13)):
        assert target(version, "x86_64", CUDA, "linux")
        assert target(version, "AMD64", CUDA, "win32")
    assert target((3, 14), "AMD64", CUDA, "win32") is None
    assert target((3, 13), "arm64", CUDA, "darwin") is None
    assert target((3, 13), "riscv64", CPU, "linux") is None
    assert target((3, 8), "x86_64", CPU, "linux") is None


def test_the_pythons_of_a_device_are_those_of_its_locks(tmp_path, monkeypatch):
    monkeypatch.setattr("installer.lock.LOCKS", tmp_path)
    for name in ("windows-x64-cp313-cuda", "windows-x64-cp39-cuda", "windows-x64-cp314-cpu", "linux-x64-cp312-cuda"):
        (tmp_path / f"pylock.{name}.toml").touch()
    assert pythons("AMD64", CUDA, "win32") == [(3, 9), (3, 13)]
    assert pythons("AMD64", CPU, "win32") == [(3, 14)]
    assert pythons("arm64", CUDA, "darwin") == []


def test_a_damaged_lock_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("installer.lock.LOCKS", tmp_path)
    for content in (b"\xff", b"packages = 1", b"[[packages]]\nname = 'a'"):
        (tmp_path / "pylock.x.toml").write_bytes(content)
        with pytest.raises(InstallError, match="install Bonesetter again"):
            read_lock("x")
