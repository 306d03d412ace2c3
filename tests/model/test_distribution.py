# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips and their wheels without Blender and without a network: wheels are tiny ones in a folder, and pip is real."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from tools.distribution import checks, project
from tools.distribution.blender import full_manifest
from tools.distribution.full import chosen
from tools.distribution.project import CudaOnlyError, DistributionError
from tools.distribution.targets import Target
from tools.distribution.wheels import Wheel, download, resolve

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


# --- wheels, from an index that is a folder

Index = Callable[..., Path]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Adds a wheel to the only folder in which pip looks."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

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


def names(found: list[Wheel]) -> set[str]:
    return {f"{wheel.name} {wheel.version}" for wheel in found}


def test_requirements_are_followed_for_the_target_not_for_this_machine(index: Index) -> None:
    index("torch", "2.0", "numpy>=1.20", "helper<2", "setuptools", 'wincolour; sys_platform == "win32"', 'old; python_version < "3.11"')
    index("helper", "1.5", "deep")
    index("helper", "2.0")
    index("deep", "0.1", "helper")
    index("wincolour", "3.0", tag="cp311-cp311-win_amd64")
    wanted = ["torch>=1", "old; sys_platform == 'darwin' and sys_platform != 'darwin'"]
    common = {"torch 2.0", "helper 1.5", "deep 0.1"}
    assert names(resolve(wanted, LINUX, {"numpy": "1.26.4"}, without=["setuptools"])) == common
    assert names(resolve(wanted, WINDOWS, {"numpy": "1.26.4"}, without=["setuptools"])) == {*common, "wincolour 3.0"}


def test_extras_are_followed(index: Index) -> None:
    index("kit", "1.0", 'part; extra == "parts"', 'rest; extra == "rest"')
    index("part", "1.0")
    assert names(resolve(["kit[parts]"], LINUX, {})) == {"kit 1.0", "part 1.0"}


def test_a_wheel_that_wants_another_numpy_than_blenders_is_refused(index: Index) -> None:
    index("scipy", "9.0", "numpy>=2")
    with pytest.raises(DistributionError, match=r"^scipy-9.0-py3-none-any.whl needs numpy>=2, and Blender has numpy 1.26.4$"):
        resolve(["scipy"], LINUX, {"numpy": "1.26.4"})


def test_a_build_for_cuda_is_taken_only_when_asked_for(index: Index) -> None:
    index("torch", "2.0", 'nvidia_blas; platform_system == "Linux"')
    index("nvidia_blas", "13.0")
    with pytest.raises(CudaOnlyError, match=r"torch-2.0-py3-none-any.whl only, a build for CUDA of several GB"):
        resolve(["torch"], LINUX, {})
    assert names(resolve(["torch"], LINUX, {}, cuda=True)) == {"torch 2.0", "nvidia_blas 13.0"}
    assert names(resolve(["torch"], MAC, {})) == {"torch 2.0"}


def test_what_the_index_lacks_is_said(index: Index) -> None:
    index("torch", "2.0", tag="cp313-cp313-win_amd64")
    with pytest.raises(DistributionError, match=r"choosing wheels for windows-x64-py311: pip failed: ERROR: .*torch"):
        resolve(["torch"], WINDOWS, {})


def test_downloads_are_the_files_that_were_chosen(index: Index, tmp_path: Path) -> None:
    made = index("torch", "2.0+cpu", tag="cp311-cp311-manylinux_2_28_x86_64")
    found = resolve(["torch"], LINUX, {})
    (path,) = download(found, LINUX, tmp_path / "cache")
    assert (path.name, path.read_bytes()) == (made.name, made.read_bytes())
    make_wheel(made, files=("torch/other.py",))
    path.unlink()
    with pytest.raises(DistributionError, match=r"downloading wheels for linux-x64-py311: pip failed: .*HASHES"):
        download(found, LINUX, tmp_path / "cache")


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


def as_chosen(path: Path, sha256: str = "") -> Wheel:
    name, version, _ = path.stem.split("-", 2)
    return Wheel(name, version, path.as_uri(), sha256 or hashlib.sha256(path.read_bytes()).hexdigest(), ())


def full_problems(source: Path, folder: Path, target: Target, *inside: Path, expected: list[Wheel] | None = None) -> list[str]:
    archive = pack(folder / "full.zip", source, target, inside)
    return checks.problems(archive, target, expected or [as_chosen(one) for one in inside], ["numpy", "setuptools"], source=source)


def test_a_full_zip_as_it_should_be_has_no_problems(source: Path, index: Index, tmp_path: Path) -> None:
    torch = index(
        "torch", "2.0+cpu", "numpy", "setuptools", "helper", 'x; sys_platform == "win32"', tag="cp311-cp311-manylinux_2_28_x86_64"
    )
    assert full_problems(source, tmp_path, LINUX, torch, index("helper", "1.0")) == []


def test_what_is_wrong_with_wheels_is_said(source: Path, index: Index, tmp_path: Path) -> None:
    other, fine = index("torch", "2.0", tag="cp313-cp313-win_amd64"), index("helper", "1.0")
    assert full_problems(source, tmp_path, WINDOWS, other) == [f"wheels/{other.name} is not for windows-x64-py311"]
    numpy = index("numpy", "1.26.4")
    told = full_problems(source, tmp_path, LINUX, numpy)
    assert f"wheels/{numpy.name} is to be left out" in told
    assert f"wheels/{numpy.name}: holds numpy/__init__.py" in told
    wrong = as_chosen(fine, "0" * 64)
    assert full_problems(source, tmp_path, LINUX, fine, expected=[wrong]) == [f"wheels/{fine.name} does not have the index's SHA-256"]
    assert f"wheels/{other.name} is missing" in full_problems(source, tmp_path, LINUX, fine, expected=[as_chosen(fine), as_chosen(other)])
    assert f"wheels/{fine.name} is not among the wheels that were chosen" in full_problems(
        source, tmp_path, LINUX, fine, expected=[as_chosen(other)]
    )


def test_what_is_wrong_inside_a_wheel_is_said(source: Path, index: Index, tmp_path: Path) -> None:
    needy = index("needy", "1.0", "numpy", "lost")
    assert full_problems(source, tmp_path, LINUX, needy) == [f"wheels/{needy.name}: requires lost, which is not there"]
    stray = index("stray", "1.0", files=("tests/test_a.py", "stray/tests/test_b.py", "../out.py"))
    assert full_problems(source, tmp_path, LINUX, stray) == [
        f"wheels/{stray.name}: holds {name}" for name in ("tests/test_a.py", "../out.py")
    ]
    deep = index("deep", "1.0", files=("deep/" + "d" * 140,))
    assert full_problems(source, tmp_path, MAC, deep) == []
    assert full_problems(source, tmp_path, WINDOWS, deep) == [f"wheels/{deep.name}: deep/{'d' * 140} is too long a path for Windows"]
