# SPDX-License-Identifier: GPL-3.0-or-later
"""Flamenco, version 3, Blender's farm manager: a job type in its JavaScript, and a job of that type as its web interface takes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .shoot import Shoot, as_json, places_of, quoted

#: A worker of Flamenco runs one task at a time.
WHOLE_MACHINE = True
#: The job type; the manager calls a type by its file's name.
JOB_TYPE = Path(__file__).with_name("bonesetter.js")
#: Python's names of systems that Flamenco calls otherwise.
SYSTEMS = {"win32": "windows"}


def documents(shoot: Shoot, template: Path) -> dict[Path, str]:
    """The job, and the job type; see `Farm`."""
    places = places_of(shoot)
    # settings are texts, numbers and switches: what has several words is JSON
    settings = {
        "engine": shoot.engine[0],
        "engine_arguments": json.dumps(shoot.engine[1:], ensure_ascii=False),
        "take_folder": places.folder,
        "take_list": places.list,
        "parts": shoot.parts if shoot.takes else 0,
        "out_folder": places.out,
        "range_of_motion": shoot.range_of_motion or "",
        "actor": places.actor,
        "marker_set": places.layout,
        "options": json.dumps(shoot.options, ensure_ascii=False),
    }
    job = {
        "name": shoot.name,
        "type": JOB_TYPE.stem,
        "priority": 50,
        "submitter_platform": SYSTEMS.get(sys.platform, sys.platform),
        "settings": settings,
        "metadata": {"project": shoot.name},
    }
    return {template: as_json(job), template.with_name(JOB_TYPE.name): JOB_TYPE.read_text(encoding="utf-8")}


def told(_shoot: Shoot, template: Path) -> str:
    """See `Farm`."""
    return (
        f"copy {quoted(template.with_name(JOB_TYPE.name))} into the folder scripts beside the Flamenco Manager, and restart that; then\n"
        f"curl --json {quoted(f'@{template}')} http://MANAGER:8080/api/v3/jobs"
    )
