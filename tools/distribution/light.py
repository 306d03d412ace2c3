# SPDX-License-Identifier: GPL-3.0-or-later
"""The light zip: the extension without wheels, so that it installs wherever Blender runs."""

from __future__ import annotations

from pathlib import Path

from . import checks, repository
from .blender import build, clear, report, run_extension
from .project import DistributionError


def build_light(out: Path) -> Path:
    """Build and check the light zip and the repository that offers it; returns the zip's path.

    Raises:
        DistributionError: It could not be built, or is not as it should be.
    """
    out.mkdir(parents=True, exist_ok=True)
    clear(out)
    archive = build(out)
    run_extension("validate", archive)
    if wrong := checks.problems(archive):
        archive.unlink()
        raise DistributionError(f"{archive.name} is not as it should be: {'; '.join(wrong)}")
    repository.generate(out)
    report(archive)
    return archive
