# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what to install into an environment of tools/environment, one requirement a line, from pyproject.toml."""

import sys
import tomllib
from pathlib import Path

#: The version that the numbers in the documents were measured with; it has wheels without CUDA for this Python.
MEASURED_TORCH = {(3, 11): "torch==2.13.0"}


def requirements(environment: str) -> list[str]:
    """The requirements of `engine` or of `bpy-<Blender's version>`."""
    document = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    extras = project["optional-dependencies"]
    if environment == "engine":
        wanted = [*project["dependencies"], *extras["demo"], *extras["test"], *extras["lint"]]
        torch = MEASURED_TORCH.get(sys.version_info[:2])
        return [torch if torch and name.startswith("torch") else name for name in wanted]
    blender = document["tool"]["bonesetter"]["blender"][environment.removeprefix("bpy-")]
    return [f"bpy=={blender['bpy']}", *extras["blender"]]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
