# SPDX-License-Identifier: GPL-3.0-or-later
"""Open Job Description, version 2023-09, as AWS Deadline Cloud, `openjd run` and others run it.

Paths are parameters of the type PATH, so that a farm whose machines see them elsewhere can map them, or can upload and download what
they name. Such a parameter may have no absolute default: values are in a file of their own beside the template.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..cli import UsageError
from .shoot import TAKES, Places, Shoot, as_json, commands, quoted

#: A worker of Deadline Cloud runs one task at a time.
WHOLE_MACHINE = True
VERSION = "jobtemplate-2023-09"
#: How a reference begins; a text can have this in no other way.
REFERENCE = "{{"
#: What a template is called in a job bundle, the folder that Deadline Cloud's own client is handed.
BUNDLE = "template"
#: The longest name of a job, in characters.
LONGEST_NAME = 128


def documents(shoot: Shoot, template: Path) -> dict[Path, str]:
    """The template, and its parameters' values; see `Farm`.

    Raises:
        UsageError: A name has what the template would take for a reference.
    """
    for word in (shoot.name, shoot.range_of_motion or "", *shoot.options, *shoot.engine[1:]):
        if REFERENCE in word:
            raise UsageError(f"{word} has {REFERENCE} in it, which a template takes for a reference: rename it.")
    values = parameters(shoot)
    written = {template: as_json(job_template(shoot)), values_beside(template): as_json(values)}
    if template.stem == BUNDLE:
        listed = [{"name": name, "value": value} for name, value in values.items()]
        written[template.with_name("parameter_values.json")] = as_json({"parameterValues": listed})
    return written


def told(_shoot: Shoot, template: Path) -> str:
    """See `Farm`."""
    return f"openjd run {quoted(template)} --job-param {quoted(f'file://{values_beside(template)}')}"


def values_beside(template: Path) -> Path:
    """The file of the values of a template's parameters."""
    return template.with_suffix(".parameters.json")


def parameters(shoot: Shoot) -> dict[str, str]:
    """{parameter that has no default: its value}."""
    given = {"Actor": shoot.actor, "MarkerSet": shoot.layout}
    return {"TakeFolder": str(shoot.folder), "OutFolder": str(shoot.out)} | {name: str(path) for name, path in given.items() if path}


def job_template(shoot: Shoot) -> dict[str, Any]:
    """The template as a document."""
    definitions = [
        _path("TakeFolder", "DIRECTORY", "IN", "The folder of the takes."),
        _path("TakeList", "FILE", "IN", "The takes, one a line, named from TakeFolder.") | {"default": shoot.list.name},
        _path("OutFolder", "DIRECTORY", "OUT", "The folder for all results."),
        *([_path("Actor", "FILE", "IN", "The actor to solve with.")] if shoot.actor else []),
        *([_path("MarkerSet", "FILE", "IN", "The marker set.")] if shoot.layout else []),
        {"name": "Engine", "type": "STRING", "default": shoot.engine[0], "description": "The program that solves."},
    ]
    names = ("TakeFolder", "TakeList", "OutFolder", "Actor", "MarkerSet")
    called = commands(shoot, Places(*(f"{REFERENCE}Param.{name}}}}}" for name in names)), f"{REFERENCE}Task.Param.Part}}}}")
    steps: list[dict[str, Any]] = []
    for name, arguments in called.items():
        action = {"command": f"{REFERENCE}Param.Engine}}}}", "args": [*shoot.engine[1:], *arguments]}
        step: dict[str, Any] = {"name": name, "script": {"actions": {"onRun": action}}}
        if steps:
            step["dependencies"] = [{"dependsOn": steps[-1]["name"]}]
        if name == TAKES:
            part = {"name": "Part", "type": "INT", "range": f"1-{shoot.parts}"}
            step["parameterSpace"] = {"taskParameterDefinitions": [part]}
        steps.append(step)
    return {
        "specificationVersion": VERSION,
        "name": shoot.name[:LONGEST_NAME],
        "description": f"Bonesetter solves {len(shoot.takes) + (shoot.range_of_motion is not None)} takes.",
        "parameterDefinitions": definitions,
        "steps": steps,
    }


def _path(name: str, kind: str, flow: str, description: str) -> dict[str, str]:
    return {"name": name, "type": "PATH", "objectType": kind, "dataFlow": flow, "description": description}
