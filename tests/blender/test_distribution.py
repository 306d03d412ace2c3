# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips as Blender builds, indexes and installs them. Wheels are tiny ones that are made here; the extension in them is the real one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "".join(map(str, sys.version_info[:2]))

#: Build a full zip from one wheel; prints the platform and what is wrong with the zip.
BUILD_FULL = """
import json, sys
from pathlib import Path
from installer.lock import Wheel
from tools.distribution import blender, checks, repository, targets
platform, sha256, path, out = sys.argv[1:]
target = targets.Target(platform, sys.version_info[:2])
archive = blender.build(Path(out), target, [Path(path)])
chosen = [Wheel("bonesetter-probe", "1.0", Path(path).as_uri(), Path(path).stat().st_size, sha256)]
repository.generate(Path(out))
print(json.dumps([str(archive), checks.problems(archive, target, chosen)]))
"""

#: Install a zip with `install-file` into the user's folder that the environment names; prints what then is there.
INSTALL = """
import json, os, sys
import bpy, addon_utils
addon_utils.enable("bl_pkg")
from bl_pkg import bl_extension_cli
code = bl_extension_cli.cli_extension_handler(["install-file", "--repo", "user_default", "--enable", sys.argv[1]])
probe = None
try:
    import bonesetter_probe
    probe = bonesetter_probe.__file__
except ImportError:
    pass
registered = hasattr(bpy.types, "BONESETTER_OT_solve_markers")
addon_utils.disable("bl_ext.user_default.bonesetter")
print("told", json.dumps([code, registered, probe]), flush=True)
os._exit(0)
"""


def python(code, *arguments, **environment):
    """What a Python of its own prints last."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, env={**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1], done.stdout + done.stderr


@pytest.fixture(scope="module")
def here():
    """Blender's name of the platform that runs this."""
    names = {"linux-x86_64": "linux-x64", "darwin-arm64": "macos-arm64", "win32-amd64": "windows-x64"}
    if (own := f"{sys.platform}-{platform.machine().lower()}") not in names:
        pytest.skip(f"there is no full zip for {own}")
    return names[own]


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    out = tmp_path_factory.mktemp("light")
    command = [sys.executable, "-m", "tools.distribution", "--light", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = out.glob("*.zip")
    assert f"{archive}  {archive.stat().st_size / 1e6:.1f} MB" in done.stdout
    return archive


def test_the_light_zip_is_offered_to_every_blender(light):
    (item,) = json.loads((light.parent / "index.json").read_text())["data"]
    assert item["archive_url"] == f"./{light.name}"
    assert item["archive_hash"] == f"sha256:{hashlib.sha256(light.read_bytes()).hexdigest()}"
    assert not {"platforms", "python_versions", "wheels"} & item.keys()


def test_the_light_zip_holds_what_a_solve_needs_and_nothing_else(light):
    with zipfile.ZipFile(light) as archive:
        names = archive.namelist()
    assert {"batch.py", "ui/panel.py", "operators/solve_markers.py", "model/engine/worker.py", "model/marker_sets/cmu41.json"} <= set(names)
    unwanted = ("tests/", "docs/", "tools/", "out/", ".", "Makefile", "pyproject.toml", "README.md")
    assert [name for name in names if name.startswith(unwanted) or "__pycache__" in name or name.endswith(".whl")] == []


def test_the_light_zip_installs_and_registers(light, tmp_path):
    last, said = python(INSTALL, light, BLENDER_USER_RESOURCES=str(tmp_path))
    assert last == "told [0, true, null]", said
    assert (tmp_path / "extensions" / "user_default" / "bonesetter" / "batch.py").is_file()


@pytest.fixture
def probe(tmp_path):
    """A wheel of one module that imports only in this Python."""
    path = tmp_path / f"bonesetter_probe-1.0-cp{PYTHON}-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("bonesetter_probe.py", "")
        wheel.writestr("bonesetter_probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: bonesetter-probe\nVersion: 1.0\n")
        wheel.writestr("bonesetter_probe-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp{PYTHON}-none-any\n")
        wheel.writestr("bonesetter_probe-1.0.dist-info/RECORD", "bonesetter_probe.py,,\n")
    return path


@pytest.fixture
def full(probe, here, tmp_path):
    sha256 = hashlib.sha256(probe.read_bytes()).hexdigest()
    last, said = python(BUILD_FULL, here, sha256, probe, tmp_path / "full")
    archive, wrong = json.loads(last)
    assert wrong == [], said
    return Path(archive)


def test_a_full_zip_is_offered_to_its_python_on_its_platform(full, here):
    (item,) = json.loads((full.parent / "index.json").read_text())["data"]
    assert (item["platforms"], item["python_versions"]) == ([here], [f"{PYTHON[0]}.{PYTHON[1:]}"])
    assert {path.name for path in full.parent.iterdir()} == {full.name, "index.json"}, "the copied source was left behind"


def test_the_wheels_of_a_full_zip_are_imported_once_it_is_installed(full, tmp_path):
    last, said = python(INSTALL, full, BLENDER_USER_RESOURCES=str(tmp_path / "user"))
    code, registered, module = json.loads(last.removeprefix("told "))
    assert (code, registered) == (0, True), said
    assert Path(module).is_relative_to(tmp_path / "user" / "extensions" / ".local")


def test_a_full_zip_of_another_python_is_refused(light, probe, here, tmp_path):
    """By what Blender says of the wheels' tags, so that nobody ends with a solver that does not load."""
    other = probe.with_name(probe.name.replace(f"cp{PYTHON}", "cp39"))
    other.write_bytes(probe.read_bytes())
    last, said = python(BUILD_FULL, here, hashlib.sha256(other.read_bytes()).hexdigest(), other, tmp_path / "full")
    archive, wrong = json.loads(last)
    assert wrong == [f"wheels/{other.name} is not for {here}-py{PYTHON}"]
    last, said = python(INSTALL, archive, BLENDER_USER_RESOURCES=str(tmp_path / "user"))
    assert last != "told [0, true, null]"
    assert "isn't compatible with" in said
