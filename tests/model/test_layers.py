# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of the house: each imports from rooms below it only, and what solves a take knows nothing of what trains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: From the top down; rooms of one line know nothing of each other.
MODEL = (
    {"__main__"},
    {"bench"},
    {"study"},
    {"training"},
    {"synthetic"},
    {"datasets", "shell"},
    {"engine"},
    {"files", "props", "review"},
    {"labelling", "pages"},
    {"feet", "proposer"},
    {"solver"},
    {"markers", "result"},
    {"rigs"},
    {"actors"},
    {"marker_sets"},
    {"storage"},
    {"core"},
)
EXTENSION = ({"ui"}, {"operators"}, {"installer"}, {"model"})
#: The repository's folders: of these `blender_manifest.toml` leaves out what is not the extension.
ROOMS = {".ci", "docs", "examples", "installer", "model", "operators", "presets", "tests", "tools", "ui"}
#: What may be taken away, and a take is solved all the same; in a Blender without torch the first of them are all there is.
REMOVABLE = {"bench", "study", "training", "synthetic", "datasets"}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[grimp.ImportGraph]:
    """Who imports whom, of the repository as the package that it is in Blender."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "bonesetter").symlink_to(ROOT, target_is_directory=True)
    sys.path.insert(0, str(folder))
    try:
        yield grimp.build_graph("bonesetter", cache_dir=None)
    finally:
        sys.path.remove(str(folder))


def layers(rows: tuple[set[str], ...]) -> list[grimp.Layer]:
    return [grimp.Layer(*row, independent=True) for row in rows]


def listed(found: set[grimp.PackageDependency]) -> list[str]:
    return sorted(f"{each.importer} -> {each.imported}: {[route.middle or route.heads for route in each.routes]}" for each in found)


def test_every_room_has_its_floor(graph: grimp.ImportGraph) -> None:
    rooms = {name.rpartition(".")[2] for name in graph.find_children("bonesetter.model")}
    assert rooms == set().union(*MODEL)


def test_rooms_import_only_from_rooms_below_them(graph: grimp.ImportGraph) -> None:
    assert listed(graph.find_illegal_dependencies_for_layers(layers(MODEL), containers={"bonesetter.model"})) == []
    assert listed(graph.find_illegal_dependencies_for_layers(layers(EXTENSION), containers={"bonesetter"})) == []


def test_what_trains_and_compares_is_nothing_to_a_solve(graph: grimp.ImportGraph) -> None:
    for room in REMOVABLE:
        importers = {
            name
            for module in {f"bonesetter.model.{room}", *graph.find_descendants(f"bonesetter.model.{room}")}
            for name in graph.find_modules_that_directly_import(module)
        }
        assert {name.split(".")[2] for name in importers} <= REMOVABLE


def test_the_engine_knows_nothing_of_blender(graph: grimp.ImportGraph) -> None:
    for room in ("operators", "ui"):
        for module in {f"bonesetter.{room}", *graph.find_descendants(f"bonesetter.{room}")}:
            assert not [name for name in graph.find_modules_that_directly_import(module) if name.startswith("bonesetter.model")]


def test_nothing_is_kept_in_a_room_that_nobody_knows() -> None:
    """What a scenario left behind, once committed, would be in the extension's zip."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    rooms = {name.split("/")[0] for name in tracked.stdout.splitlines() if "/" in name}
    assert rooms == ROOMS
