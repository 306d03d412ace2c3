# SPDX-License-Identifier: GPL-3.0-or-later
"""Check, build and lay out a release in one folder, ready for upload.

    python -m tools.distribution.release [--out DIR] [--partial] [--wheels DIR] [--cuda]

The folder is there once everything in it is built and checked, and not before. `docs/release.md` says what is in it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from .blender import extension_command
from .full import build_all
from .light import build_light
from .project import ROOT, DistributionError, is_checkout, version
from .repository import sha256

SUMS = "SHA256SUMS"


def main(arguments: list[str] | None = None) -> int:
    """Make a release; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.distribution.release", description=__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, help="folder to make, build/release/VERSION by default")
    parser.add_argument("--partial", action="store_true", help="release without the full zips of which a wheel cannot be had here")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="as in python -m tools.distribution")
    parser.add_argument("--cuda", action="store_true", help="as in python -m tools.distribution")
    options = parser.parse_args(arguments)
    out = options.out or ROOT / "build" / "release" / version()
    if reasons := [*obstacles(), *([f"{out} is there already"] if out.exists() else [])]:
        print("No release:\n" + "\n".join(f"- {reason}" for reason in reasons), file=sys.stderr)
        return 1
    try:
        make(out, partial=options.partial, cuda=options.cuda, given=options.wheels)
    except DistributionError as error:
        print(f"No release: {error}.", file=sys.stderr)
        return 1
    return 0


def obstacles(root: Path = ROOT) -> list[str]:
    """Why the source cannot be released as it is."""
    if not is_checkout(root):
        return ["this is no checkout: releases are made of what is committed"]
    wanted = version(root)
    reasons = [f"{name} says version {there}, blender_manifest.toml {wanted}" for name, there in versions(root).items() if there != wanted]
    if _git(root, "status", "--porcelain"):
        reasons.append("the working tree has changes that are not committed")
    if (tagged := _git(root, "tag", "--list", f"v{wanted}")) and _git(root, "rev-parse", f"{tagged}^{{commit}}") != _git(
        root, "rev-parse", "HEAD"
    ):
        reasons.append(f"v{wanted} is another commit already")
    log = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not changes(log, wanted):
        reasons.append(f"CHANGELOG.md says nothing of {wanted}")
    if changes(log, "Unreleased"):
        reasons.append(
            f"CHANGELOG.md has unreleased changes: give them a version, and blender_manifest.toml the same, or move them to {wanted}"
        )
    return reasons


def versions(root: Path = ROOT) -> dict[str, str]:
    """What files beside the manifest say the version is."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = re.search(r'^version: "?([^"\n]+)"?$', (root / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    return {"pyproject.toml": project["version"], "CITATION.cff": cited[1] if cited else "none"}


def changes(log: str, section: str) -> str:
    """What a changelog says of a version, without its heading; a date may stand behind the version."""
    found = re.search(rf"^## \[?{re.escape(section)}\]?(?: [^\n]*)?\n(.*?)(?=^## |\Z)", log, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def make(out: Path, *, partial: bool, cuda: bool, given: Path | None) -> None:
    """Check, build, and lay out everything.

    Raises:
        DistributionError: A check failed, or something could not be built.
    """
    extension_command()
    _run("make", "--no-print-directory", "lint")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".release-") as folder:
        staging = Path(folder) / out.name
        archive = build_light(staging)
        _run("tools/test", BONESETTER_ZIP=str(archive))
        skipped = build_all(staging / "full", cuda=cuda, given=given)
        if skipped and not partial:
            raise DistributionError(f"no full zip for {', '.join(skipped)}; --partial releases without")
        lay_out(staging)
        staging.rename(out)
    print((out / SUMS).read_text(encoding="utf-8") + f"{out} is ready for upload.")


def lay_out(folder: Path, root: Path = ROOT) -> None:
    """Put beside the zips what belongs to a release: source, changes, licence, citation, and the sums of everything."""
    name = f"bonesetter-{version(root)}"
    _git(root, "archive", "--format=tar.gz", f"--prefix={name}/", "--output", str((folder / f"{name}-source.tar.gz").resolve()), "HEAD")
    text = changes((root / "CHANGELOG.md").read_text(encoding="utf-8"), version(root))
    (folder / "CHANGES.md").write_text(f"# Bonesetter {version(root)}\n\n{text}\n", encoding="utf-8")
    for document in ("LICENSE", "CITATION.cff"):
        shutil.copy(root / document, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _run(*command: str, **environment: str) -> None:
    """Run a check from the root, with its output shown."""
    print(f"== {' '.join(command)}", flush=True)
    if subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode:
        raise DistributionError(f"{' '.join(command)} failed")


if __name__ == "__main__":
    sys.exit(main())
