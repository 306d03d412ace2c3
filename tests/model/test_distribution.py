# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips and their wheels without Blender and without a network: wheels are tiny ones in a folder."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from installer.errors import InstallError
from installer.lock import Wheel
from tools.distribution import checks, project
from tools.distribution.blender import full_manifest
from tools.distribution.full import chosen
from tools.distribution.project import DistributionError
from tools.distribution.targets import Target
from tools.distribution.wheels import UnreachableError, download, locked

LINUX, MAC, WINDOWS = (Target(platform, (3, 11)) for platform in ("linux-x64", "macos-arm64", "windows-x64"))

MANIFEST = 'id = "bonesetter"\nversion = "1.2.3"\n\n[permissions]\nfiles = "Read files"\n'


# --- targets


def test_there_is_something_that_blender_has_for_each_of_its_pythons() -> None:
    settings = project.full_settings()
    names = {target.name for target in chosen(None, settings)}
    assert len(names) == 6
    assert {"windows-x64-py311", "macos-arm64-py313", "linux-x64-py313"} <= names
    with pytest.raises(DistributionError, match=r"no such target: amiga-py27; there are linux-x64-py311, "):
        chosen(["amiga-py27"], settings)


@pytest.mark.parametrize(
    ("wheel", "runs_on"),
    [
        ("a-1-py3-none-any.whl", {"linux", "macos", "windows"}),
        ("a-1-cp311-cp311-win_amd64.whl", {"windows"}),
        ("a-1-cp310-abi3-win_amd64.whl", {"windows"}),
        ("a-1-cp312-abi3-win_amd64.whl", set()),
        ("a-1-cp313-cp313-win_amd64.whl", set()),
        ("a-1-cp311-cp311t-win_amd64.whl", set()),
        ("a-1-cp311-cp311-win_arm64.whl", set()),
        ("a-1-cp311-cp311-macosx_14_0_arm64.whl", {"macos"}),
        ("a-1-cp311-cp311-macosx_11_0_universal2.whl", {"macos"}),
        ("a-1-cp311-cp311-macosx_15_0_arm64.whl", set()),
        ("a-1-cp311-cp311-macosx_11_0_x86_64.whl", set()),
        ("a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {"linux"}),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", {"linux"}),
        ("a-1-cp311-cp311-manylinux_2_31_x86_64.whl", set()),
        ("a-1-cp311-cp311-musllinux_1_2_x86_64.whl", set()),
        ("a-1-cp311-cp311-manylinux_2_28_aarch64.whl", set()),
    ],
)
def test_a_wheel_runs_where_its_tags_say(wheel: str, runs_on: set[str]) -> None:
    tags = parse_wheel_filename(wheel)[3]
    assert {target.platform.partition("-")[0] for target in (LINUX, MAC, WINDOWS) if target.tags() & tags} == runs_on


# --- wheels, as they are locked

Make = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Makes a wheel in a folder of wheels."""
    folder = tmp_path / "wheels"
    folder.mkdir()

    def add(name: str, version: str, *requires: str, tag: str = "py3-none-any", files: tuple[str, ...] = ()) -> Path:
        return make_wheel(folder / f"{name}-{version}-{tag}.whl", *requires, files=files)

    return add


def make_wheel(path: Path, *requires: str, files: tuple[str, ...] = ()) -> Path:
    name, version, tag = path.stem.split("-", 2)
    metadata = "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(path, "w") as wheel:
        for file in (f"{name}/__init__.py", *files):
            wheel.writestr(file, "")
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
        wheel.writestr(f"{name}-{version}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return path


def test_a_full_zip_takes_what_install_solver_takes_but_what_blender_has() -> None:
    settings = project.full_settings()
    for target in chosen(None, settings):
        has, without = settings["blender_has"][target.python_version], settings["left_out"]
        wheels = {wheel.name: wheel for wheel in locked(target, (*has, *without))}
        assert {"torch", "scipy", "safetensors"} <= wheels.keys(), target
        assert not wheels.keys() & {"uv", "numpy", "setuptools"}, target
        assert ("typing-extensions" in wheels) == (target.python < (3, 13)), target
        assert all(parse_wheel_filename(wheel.filename)[3] & target.tags() for wheel in wheels.values()), target
        assert not any(name.startswith("nvidia") for name in wheels), target
    assert any(wheel.name.startswith("nvidia") for wheel in locked(LINUX, (), cuda=True))
    assert "2.8.0+cu128" in {wheel.version for wheel in locked(WINDOWS, (), cuda=True) if wheel.name == "torch"}
    assert locked(MAC, (), cuda=True) == locked(MAC, ())


def test_a_target_without_a_lock_file_is_said() -> None:
    with pytest.raises(InstallError, match=r"lock file for linux-x64-cp399-cpu cannot be read"):
        locked(Target("linux-x64", (3, 99)), ())


def test_downloads_are_the_locked_files(made: Make, tmp_path: Path) -> None:
    torch = made("torch", "2.0+cpu", tag="cp311-cp311-manylinux_2_28_x86_64")
    wheel = as_locked(torch)
    (path,) = download([wheel], tmp_path / "cache", torch.parent)
    assert (path.name, path.read_bytes()) == (torch.name, torch.read_bytes())
    assert download([wheel], tmp_path / "cache") == [path], "it is kept"
    make_wheel(torch, files=("torch/other.py",))
    path.unlink()
    with pytest.raises(UnreachableError, match=r"(?s)cannot be had from .*is not the file that Bonesetter was locked to.*--wheels"):
        download([wheel], tmp_path / "cache", torch.parent)


# --- zips


def test_a_full_manifest_is_the_manifest_with_a_platform_and_wheels() -> None:
    text = full_manifest(MANIFEST, LINUX, ["b-1-py3-none-any.whl", "a-1-py3-none-any.whl"])
    assert text == (
        'id = "bonesetter"\nversion = "1.2.3"\n\nplatforms = ["linux-x64"]\nwheels = [\n  "./wheels/a-1-py3-none-any.whl",\n'
        '  "./wheels/b-1-py3-none-any.whl",\n]\n\n[permissions]\nfiles = "Read files"\n'
    )
    with pytest.raises((DistributionError, ValueError)):
        full_manifest(text, WINDOWS, ["a-1-py3-none-any.whl"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An extension as small as the checks allow."""
    root = tmp_path / "source"
    for name in checks.REQUIRED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(MANIFEST if name == project.MANIFEST else name, encoding="utf-8")
    return root


def pack(
    path: Path, source: Path, target: Target | None = None, inside: tuple[Path, ...] = (), changed: Mapping[str, str | None] | None = None
) -> Path:
    """A zip of a source with wheels; `changed` gives other contents, or None for what is left out."""
    contents = {name: (source / name).read_bytes() for name in checks.REQUIRED}
    if target:
        contents[project.MANIFEST] = full_manifest(MANIFEST, target, (wheel.name for wheel in inside)).encode()
    contents |= {f"wheels/{wheel.name}": wheel.read_bytes() for wheel in inside}
    for name, text in (changed or {}).items():
        contents.pop(name, None)
        if text is not None:
            contents[name] = text.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def test_a_zip_as_it_should_be_has_no_problems(source: Path, tmp_path: Path) -> None:
    assert checks.problems(pack(tmp_path / "a.zip", source), source=source) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"LICENSE": None}, "LICENSE is missing"),
        ({"LICENSE": "all rights reserved"}, "LICENSE is not as in the source"),
        ({"stray.py": ""}, "stray.py is not in the source"),
        *[
            ({name: ""}, f"{name} does not belong in it")
            for name in (
                "tests/a.py",
                ".git/config",
                "ui/__pycache__/a.pyc",
                "model/.hidden",
                "model/take.c3d",
                "a.so",
                "ui/a.pyd",
                "other.whl",
            )
        ],
        ({"wheels/a-1-py3-none-any.whl": ""}, "wheels/a-1-py3-none-any.whl: the light zip has no wheels"),
        ({"blender_manifest.toml": MANIFEST.replace("1.2.3", "1.2.4")}, "blender_manifest.toml differs from the source's in more than"),
        (
            {"blender_manifest.toml": 'platforms = ["linux-x64"]\n' + MANIFEST},
            "blender_manifest.toml says platforms = ['linux-x64'], not None",
        ),
        ({"blender_manifest.toml": "id ="}, "blender_manifest.toml cannot be read"),
    ],
)
def test_what_is_wrong_with_a_light_zip_is_said(source: Path, tmp_path: Path, changed: dict[str, str | None], problem: str) -> None:
    found = checks.problems(pack(tmp_path / "a.zip", source, changed=changed), source=source)
    assert any(one.startswith(problem) for one in found), found


def test_a_damaged_zip_is_told(source: Path, tmp_path: Path) -> None:
    (source / "batch.py").write_text("to be damaged", encoding="utf-8")
    archive = pack(tmp_path / "a.zip", source)
    archive.write_bytes(archive.read_bytes().replace(b"to be damaged", b"to be changed"))
    assert checks.problems(archive, source=source) == ["batch.py is damaged"]


def as_locked(path: Path, sha256: str = "") -> Wheel:
    name, version, _ = path.stem.split("-", 2)
    return Wheel(name, version, path.as_uri(), path.stat().st_size, sha256 or hashlib.sha256(path.read_bytes()).hexdigest())


def full_problems(source: Path, folder: Path, target: Target, *inside: Path, expected: list[Wheel] | None = None) -> list[str]:
    archive = pack(folder / "full.zip", source, target, inside)
    return checks.problems(
        archive, target, expected or [as_locked(one) for one in inside], {"numpy": "1.26.4"}, ["setuptools"], source=source
    )


def test_a_full_zip_as_it_should_be_has_no_problems(source: Path, made: Make, tmp_path: Path) -> None:
    torch = made("torch", "2.0+cpu", "numpy", "setuptools", "helper", 'x; sys_platform == "win32"', tag="cp311-cp311-manylinux_2_28_x86_64")
    assert full_problems(source, tmp_path, LINUX, torch, made("helper", "1.0")) == []


def test_what_is_wrong_with_wheels_is_said(source: Path, made: Make, tmp_path: Path) -> None:
    other, fine = made("torch", "2.0", tag="cp313-cp313-win_amd64"), made("helper", "1.0")
    assert full_problems(source, tmp_path, WINDOWS, other) == [f"wheels/{other.name} is not for windows-x64-py311"]
    numpy = made("numpy", "1.26.4")
    told = full_problems(source, tmp_path, LINUX, numpy)
    assert f"wheels/{numpy.name} is to be left out" in told
    assert f"wheels/{numpy.name}: holds numpy/__init__.py" in told
    wrong = as_locked(fine, "0" * 64)
    assert full_problems(source, tmp_path, LINUX, fine, expected=[wrong]) == [f"wheels/{fine.name} does not have the locked SHA-256"]
    assert f"wheels/{other.name} is missing" in full_problems(source, tmp_path, LINUX, fine, expected=[as_locked(fine), as_locked(other)])
    assert f"wheels/{fine.name} is not among the wheels that were chosen" in full_problems(
        source, tmp_path, LINUX, fine, expected=[as_locked(other)]
    )


def test_what_is_wrong_inside_a_wheel_is_said(source: Path, made: Make, tmp_path: Path) -> None:
    needy = made("needy", "1.0", "numpy", "lost")
    assert full_problems(source, tmp_path, LINUX, needy) == [f"wheels/{needy.name}: requires lost, which is not there"]
    newer = made("newer", "1.0", "numpy>=2")
    assert full_problems(source, tmp_path, LINUX, newer) == [f"wheels/{newer.name}: requires numpy>=2, and Blender has 1.26.4"]
    stray = made("stray", "1.0", files=("tests/test_a.py", "stray/tests/test_b.py", "../out.py"))
    assert full_problems(source, tmp_path, LINUX, stray) == [
        f"wheels/{stray.name}: holds {name}" for name in ("tests/test_a.py", "../out.py")
    ]
    deep = made("deep", "1.0", files=("deep/" + "d" * 140,))
    assert full_problems(source, tmp_path, MAC, deep) == []
    assert full_problems(source, tmp_path, WINDOWS, deep) == [f"wheels/{deep.name}: deep/{'d' * 140} is too long a path for Windows"]
