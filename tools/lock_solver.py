#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# /// script
# requires-python = ">=3.11"
# dependencies = ["uv==0.13.9"]
# ///
"""Lock what the solver runs on, for every platform and Python: writes installer/locks/. Run by `uv run tools/lock_solver.py`.

The lock files are PEP 751's, so that any tool can read them. uv resolves from PyPI. PyTorch keeps its builds for Linux without CUDA and
for Windows with it on a server of its own; those wheels are named below, with the hashes that https://download.pytorch.org/whl/ publishes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

LOCKS = Path(__file__).resolve().parent.parent / "installer" / "locks"
TORCH = "2.13.0"
#: From 2.13 on, torch's wheel for Windows holds licences in folders so deep that Windows' limit of 259 characters is passed.
TORCH_OF = {"windows-x64": "2.12.1"}
#: uv is not installed beside them: it installs them.
PACKAGES = ("ezc3d", "numpy", "safetensors", "scipy", "uv==0.13.9")
#: What torch's metadata asks for besides CUDA.
TORCH_NEEDS = ("filelock", "typing-extensions", "setuptools>=77.0.3", "sympy>=1.13.3", "networkx>=2.5.1", "jinja2", "fsspec>=0.8.5")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: uv's names of the platforms.
PLATFORMS = {
    "linux-x64": "x86_64-manylinux_2_28",
    "windows-x64": "x86_64-pc-windows-msvc",
    "macos-arm64": "aarch64-apple-darwin",
}
WHEELS = "https://download.pytorch.org/whl"
#: Wheels of torch on PyTorch's own server: size, where known, and SHA-256.
OWN_TORCH = {
    ("linux-x64", "3.11", "cpu"): (191_794_682, "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"),
    ("linux-x64", "3.12", "cpu"): (191_817_609, "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2"),
    ("linux-x64", "3.13", "cpu"): (191_815_667, "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6"),
    ("linux-x64", "3.14", "cpu"): (191_822_516, "d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691"),
}
TAGS = {"linux-x64": "manylinux_2_28_x86_64", "windows-x64": "win_amd64"}


def main() -> None:
    """Write every lock file anew."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    for platform in PLATFORMS:
        for python in PYTHONS:
            for device in ("cpu", "cuda") if platform == "linux-x64" else ("cpu",):
                name = f"pylock.{platform}-cp{python.replace('.', '')}-{device}.toml"
                (LOCKS / name).write_text(lock(platform, python, device), encoding="utf-8", newline="\n")
                print(name)


def lock(platform: str, python: str, device: str) -> str:
    """One lock file's text."""
    own = OWN_TORCH.get((platform, python, device))
    if own is None:
        return resolved(platform, python, [f"torch=={TORCH_OF.get(platform, TORCH)}", *PACKAGES])
    tag = f"cp{python.replace('.', '')}"
    wheel = f"torch-{TORCH}%2B{device}-{tag}-{tag}-{TAGS[platform]}.whl"
    size, digest = own
    entry = f"""
[[packages]]
name = "torch"
version = "{TORCH}+{device}"
wheels = [{{ url = "{WHEELS}/{device}/{wheel}", size = {size}, hashes = {{ sha256 = "{digest}" }} }}]
"""
    return resolved(platform, python, [*TORCH_NEEDS, *PACKAGES]) + entry


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
