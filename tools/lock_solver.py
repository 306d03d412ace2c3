#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# /// script
# requires-python = ">=3.11"
# dependencies = ["uv==0.13.9"]
# ///
"""Lock what the solver runs on, for every platform and Python: writes installer/locks/. Run by `uv run tools/lock_solver.py [TARGET ...]`.

The lock files are PEP 751's, so that any tool can read them. uv resolves from PyPI. PyTorch keeps its builds for Linux without CUDA and
for Windows with it on a server of its own; those wheels are named below, with the hashes that https://download.pytorch.org/whl/ publishes.
A target is a lock file's name without `pylock.` and `.toml`, such as linux-x64-cp311-cpu; without any, all are locked anew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / "installer" / "locks"
TORCH = "2.13.0"
#: From 2.13 on, torch's wheel for Windows holds licences in folders so deep that Windows' limit of 259 characters is passed: with the 124
#: of Blender's folder for modules its longest path has 291, that of 2.12.1 and of 2.8.0 has 243. With CUDA, Windows takes 2.8.0: its hashes
#: could be confirmed, being the same in lock files of several projects, those of 2.12.1 could not. PyPI does not have these builds.
TORCH_OF = {("windows-x64", "cpu"): "2.12.1", ("windows-x64", "cuda"): "2.8.0"}
#: uv is not installed beside them: it installs them.
PACKAGES = ("ezc3d", "numpy", "safetensors", "scipy", "uv==0.13.9")
#: What the metadata of a torch from PyTorch's own server asks for besides CUDA.
TORCH_NEEDS = {
    "2.13.0": ("filelock", "typing-extensions", "setuptools>=77.0.3", "sympy>=1.13.3", "networkx>=2.5.1", "jinja2", "fsspec>=0.8.5"),
    "2.8.0": (
        "filelock",
        "typing-extensions>=4.10.0",
        "setuptools; python_version >= '3.12'",
        "sympy>=1.13.3",
        "networkx",
        "jinja2",
        "fsspec",
    ),
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: uv's names of the platforms.
PLATFORMS = {
    "linux-x64": "x86_64-manylinux_2_28",
    "windows-x64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}
WHEELS = "https://download.pytorch.org/whl"
#: The server's names of the builds that are taken from it: a folder there, and what stands behind the version.
BUILDS = {("linux-x64", "cpu"): "cpu", ("windows-x64", "cuda"): "cu128"}
#: Wheels of torch on PyTorch's own server: size and SHA-256.
OWN_TORCH = {
    ("linux-x64", "3.11", "cpu"): (191_794_682, "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"),
    ("linux-x64", "3.12", "cpu"): (191_817_609, "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2"),
    ("linux-x64", "3.13", "cpu"): (191_815_667, "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6"),
    ("linux-x64", "3.14", "cpu"): (191_822_516, "d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691"),
    ("windows-x64", "3.11", "cuda"): (3_461_420_395, "34c55443aafd31046a7963b63d30bc3b628ee4a704f826796c865fdfd05bb596"),
    ("windows-x64", "3.12", "cuda"): (3_461_384_651, "0ad925202387f4e7314302a1b4f8860fa824357f9b1466d7992bf276370ebcff"),
    ("windows-x64", "3.13", "cuda"): (3_461_390_892, "9e20646802b7fc295c1f8b45fefcfc9fb2e4ec9cbe8593443cd2b9cc307c8405"),
}
TAGS = {"linux-x64": "manylinux_2_28_x86_64", "windows-x64": "win_amd64"}


def main() -> None:
    """Write lock files anew: all, or those of the targets that are named."""
    known = targets()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("target", nargs="*", help="such as linux-x64-cp311-cpu")
    wanted = parser.parse_args().target or list(known)
    if unknown := [name for name in wanted if name not in known]:
        parser.error(f"there is no {', '.join(unknown)}: choose from {', '.join(known)}")
    LOCKS.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        path = LOCKS / f"pylock.{name}.toml"
        path.write_text(lock(*known[name]), encoding="utf-8", newline="\n")
        print(path.name)


def targets() -> dict[str, tuple[str, str, str]]:
    """By its name, the platform, the Python and the device of every lock file."""
    every = [(platform, python, device) for platform in PLATFORMS for python in PYTHONS for device in devices(platform, python)]
    return {f"{platform}-cp{python.replace('.', '')}-{device}": (platform, python, device) for platform, python, device in every}


def devices(platform: str, python: str) -> tuple[str, ...]:
    """What torch is built for there."""
    return ("cpu", "cuda") if platform == "linux-x64" or (platform, python, "cuda") in OWN_TORCH else ("cpu",)


def lock(platform: str, python: str, device: str) -> str:
    """One lock file's text."""
    torch = TORCH_OF.get((platform, device), TORCH)
    own = OWN_TORCH.get((platform, python, device))
    if own is None:
        return resolved(platform, python, [f"torch=={torch}", *PACKAGES])
    return resolved(platform, python, [*TORCH_NEEDS[torch], *PACKAGES]) + own_torch(torch, platform, python, device)


def own_torch(torch: str, platform: str, python: str, device: str) -> str:
    """A wheel from PyTorch's own server, as an entry of a lock file."""
    build, tag = BUILDS[platform, device], f"cp{python.replace('.', '')}"
    size, digest = OWN_TORCH[platform, python, device]
    wheel = f"torch-{torch}%2B{build}-{tag}-{tag}-{TAGS[platform]}.whl"
    return f"""
[[packages]]
name = "torch"
version = "{torch}+{build}"
wheels = [{{ url = "{WHEELS}/{build}/{wheel}", size = {size}, hashes = {{ sha256 = "{digest}" }} }}]
"""


def resolved(platform: str, python: str, requirements: list[str]) -> str:
    """What uv resolves, as the text of a PEP 751 file."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, out = Path(folder) / "requirements.in", Path(folder) / "pylock.toml"
        wanted.write_text("\n".join(requirements), encoding="utf-8")
        options = [
            "--format",
            "pylock.toml",
            "--only-binary",
            ":all:",
            "--no-header",
            "--quiet",
            "--default-index",
            "https://pypi.org/simple",
        ]
        target = ["--python-platform", PLATFORMS[platform], "--python-version", python]
        command = [sys.executable, "-m", "uv", "pip", "compile", wanted, *options, *target, "-o", out]
        # torch has wheels for this macOS and newer, the oldest that Blender 5 runs on
        subprocess.run(command, check=True, env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"})
        return out.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
