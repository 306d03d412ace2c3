# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release and a repository of zips must be."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tools.distribution import project, release, repository

ROOT = Path(__file__).resolve().parents[2]
#: Where the comment that names the licence must be.
SOURCES = (".py", ".sh", ".cff", "Makefile")


def test_every_file_that_tells_the_version_tells_the_manifests() -> None:
    assert set(release.versions().values()) == {project.version()}


def test_every_source_file_names_its_licence() -> None:
    files = [name for name in project.tracked_files() if name.endswith(SOURCES) or name.startswith((".ci/", "tools/"))]
    assert len(files) > 200
    heads = {name: (ROOT / name).read_text(encoding="utf-8").split("\n", 2)[:2] for name in files}
    assert [name for name, head in heads.items() if "# SPDX-License-Identifier: GPL-3.0-or-later" not in head] == []


# --- repositories


def offered(archive: Path, **more: object) -> dict[str, object]:
    size, sha256 = archive.stat().st_size, repository.sha256(archive)
    return {
        "archive_url": f"./{archive.name}",
        "archive_size": size,
        "archive_hash": f"sha256:{sha256}",
        "version": project.version(),
        **more,
    }


def test_an_index_offers_the_zips_beside_it_and_one_to_each_blender(tmp_path: Path) -> None:
    archives = [tmp_path / name for name in ("a.zip", "b.zip")]
    for archive in archives:
        archive.write_bytes(archive.name.encode())

    def wrong(*items: dict[str, object]) -> list[str]:
        (tmp_path / "index.json").write_text(json.dumps({"data": items}))
        return repository.problems(tmp_path)

    first = offered(archives[0], platforms=["linux-x64"], python_versions=["3.11"])
    second = offered(archives[1], platforms=["linux-x64"], python_versions=["3.13"])
    assert wrong(first, second) == []
    assert wrong(first) == ["does not offer b.zip"]
    assert wrong(first, {**second, "python_versions": ["3.11"]}) == ["offers several zips for linux-x64 3.11"]
    assert wrong(first, {**second, "version": "0.0.1"}) == ["offers b.zip as version 0.0.1"]
    archives[0].write_bytes(b"a.zap")
    assert wrong(first, second) == ["a.zip is not the file that was indexed"]
    archives[0].unlink()
    assert wrong(first, second) == ["offers a.zip, which is not there"]


# --- releases

LOG = "# Changes\n\n## Unreleased\n\n## 1.2.3 - 2026-11-28\n\n### Added\n- A thing.\n\n## 1.2\n- Older.\n"


@pytest.mark.parametrize(
    ("section", "text"), [("1.2.3", "### Added\n- A thing."), ("1.2", "- Older."), ("Unreleased", ""), ("1.2.4", ""), ("2", "")]
)
def test_the_changes_of_a_version(section: str, text: str) -> None:
    assert release.changes(LOG, section) == text


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An extension as far as a release asks of it, all of it of one version."""
    root = tmp_path / "source"
    root.mkdir()
    (root / "blender_manifest.toml").write_text('version = "1.2.3"\n')
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (root / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 1.2.3\n")
    (root / "CHANGELOG.md").write_text(LOG)
    (root / "LICENSE").write_text("free")
    return root


@pytest.fixture
def checkout(source: Path) -> Path:
    """A repository that is ready for release."""
    git(source, "init", "--quiet")
    commit(source)
    return source


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A change")


def test_a_release_is_made_of_what_is_committed_and_told_of(checkout: Path) -> None:
    assert release.obstacles(checkout) == []
    (checkout / "CHANGELOG.md").write_text(LOG.replace("## Unreleased\n", "## Unreleased\n- More.\n").replace("1.2.3", "1.2.2"))
    assert release.obstacles(checkout) == [
        "the working tree has changes that are not committed",
        "CHANGELOG.md says nothing of 1.2.3",
        "CHANGELOG.md has unreleased changes: give them a version, and blender_manifest.toml the same, or move them to 1.2.3",
    ]


def test_a_release_has_one_version_and_its_tag_is_not_moved(checkout: Path) -> None:
    git(checkout, "tag", "v1.2.3")
    assert release.obstacles(checkout) == []
    (checkout / "pyproject.toml").write_text('[project]\nversion = "1.2.4"\n')
    commit(checkout)
    assert release.obstacles(checkout) == [
        "pyproject.toml says version 1.2.4, blender_manifest.toml 1.2.3",
        "v1.2.3 is another commit already",
    ]


def test_a_source_archive_cannot_be_released(source: Path) -> None:
    assert release.obstacles(source) == ["this is no checkout: releases are made of what is committed"]


def test_a_release_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(release, "obstacles", lambda: ["the tree is dirty"])
    assert release.main(["--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"No release:\n- the tree is dirty\n- {tmp_path} is there already\n"


def fake_zip(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(name.encode())
    return folder / name


def test_a_release_is_whole_or_not_there(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With checks and builds that only say that they ran."""
    ran: list[tuple[str, ...]] = []
    skipped, failing = ["linux-x64-py313"], ["tools/test"]

    def run(*command: str, **environment: str) -> None:
        ran.append((command[0], *environment))
        if command[0] in failing:
            raise project.DistributionError(f"{command[0]} failed")

    def build_all(out: Path, *, cuda: bool, given: Path | None) -> list[str]:
        fake_zip(out, "full.zip")
        return skipped

    monkeypatch.setattr(release, "_run", run)
    monkeypatch.setattr(release, "extension_command", list)
    monkeypatch.setattr(release, "build_light", lambda out: fake_zip(out, "light.zip"))
    monkeypatch.setattr(release, "build_all", build_all)
    monkeypatch.setattr(release, "lay_out", lambda folder: (folder / "SHA256SUMS").write_text("sums\n"))
    out = tmp_path / "releases" / "1.2.3"
    with pytest.raises(project.DistributionError, match=r"^tools/test failed$"):
        release.make(out, partial=True, cuda=False, given=None)
    assert ran == [("make",), ("tools/test", "BONESETTER_ZIP")]
    failing.clear()
    with pytest.raises(project.DistributionError, match=r"^no full zip for linux-x64-py313; --partial releases without$"):
        release.make(out, partial=False, cuda=False, given=None)
    assert list(out.parent.iterdir()) == []
    release.make(out, partial=True, cuda=False, given=None)
    assert [path.name for path in out.parent.iterdir()] == ["1.2.3"]
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {"light.zip", "full/full.zip", "SHA256SUMS"}


def test_everything_of_a_release_has_its_sum(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    (folder / "full").mkdir(parents=True)
    (folder / "full" / "a.zip").write_bytes(b"a zip")
    release.lay_out(folder, checkout)
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {"CHANGES.md", "CITATION.cff", "LICENSE", "bonesetter-1.2.3-source.tar.gz", "full/a.zip"}
    assert [sum_ for sum_, name in lines if name == "full/a.zip"] == [hashlib.sha256(b"a zip").hexdigest()]
    assert (folder / "CHANGES.md").read_text() == "# Bonesetter 1.2.3\n\n### Added\n- A thing.\n"


def test_the_source_of_an_archive_without_git_is_copied_without_what_was_made_here(source: Path, tmp_path: Path) -> None:
    kept = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    for name in ("build/a.zip", ".venv/a", "model/__pycache__/a.pyc"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    project.copy_source(tmp_path / "copy", source)
    assert {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*") if path.is_file()} == kept
