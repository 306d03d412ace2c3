# SPDX-License-Identifier: GPL-3.0-or-later
"""Solve takes in Blender without a window, each into files of its own.

    blender --background --python batch.py -- TAKE [TAKE ...] --out DIR [--format blend bvh fbx glb]

or, where the bpy wheel is installed, `python batch.py TAKE ...`. Options and exit codes are those of `python -m model solve`; the
report has Blender's stages too, and blend and bvh are what is written by default.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str]) -> int:
    """Solve the takes.

    Returns:
        The exit code: 0 when all were solved, 1 when some failed; wrong usage exits with 2.
    """
    with _extension() as load:
        runs, cli = load("model.shell.runs"), load("model.shell.cli")
        parser = argparse.ArgumentParser(prog="batch.py", description="Solve takes in Blender.", allow_abbrev=False)
        runs.add_arguments(parser, sorted([*load("model.files.output").WRITERS, *WRITERS]), ["blend", "bvh"])
        parsed = parser.parse_args(arguments)
        try:
            jobs, settings = runs.plan(parsed), runs.settings_from(parsed)
        except cli.UsageError as error:
            parser.error(str(error))
        try:
            if parsed.actor:
                load("model.actors.actor_file").read_actor(parsed.actor)
            if parsed.layout:
                load("model.marker_sets.marker_set").load_marker_set(parsed.layout)
            runs.make_folders(jobs)
            return runs.run_each(
                jobs,
                lambda job: _read(job, load),
                lambda: _warm_engine(load),
                lambda job, read: _solve_whole(job, read, settings, parsed, load),
                force=parsed.force,
            )
        except load("model.core.take").BonesetterError as error:
            print(error, file=sys.stderr)
            return cli.FAILED


def _warm_engine(load: Callable[[str], Any]) -> None:
    """Start the engine before the first take, so that no take is timed with it."""
    engine, preferences = load("operators.engine"), load("operators.preferences")
    engine.engine.submit(engine.interpreter(preferences.engine_python()), {"ping": True}).wait()


def _read(job: Any, load: Callable[[str], Any]) -> tuple[Any, dict[str, float]]:
    """A take, and the seconds that reading it took."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        take = load("model.files.readers").read_take(job.take)
    return take, seconds


def _solve_whole(
    job: Any, read: tuple[Any, dict[str, float]], settings: Any, given: argparse.Namespace, load: Callable[[str], Any]
) -> None:
    """Solve one take and say so; its files are there all together or not at all."""
    with load("model.storage.atomic").staged() as beside:
        report = _solve(job.staged(beside), read, settings, given, load)
    print(load("model.shell.runs").summary(read[0].name, report))


def _solve(
    job: Any, read: tuple[Any, dict[str, float]], settings: Any, given: argparse.Namespace, load: Callable[[str], Any]
) -> dict[str, Any]:
    """Import, solve and write one take, in a file of its own; returns its report."""
    import bpy

    importing, solving = load("operators.import_c3d"), load("operators.solve_markers")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene: Any = bpy.context.scene
    take, seconds = read
    with _timed(seconds, "import"):
        importing.set_rate(scene, take.rate_hz)
        timing = load("operators.space").Timing(1, 1, take.frames)
        options = load("operators.empties").ImportOptions()
        collection = load("operators.empties").build_take(scene, take, timing, options, job.take.resolve())
        importing.set_range(scene, [timing])
    with _timed(seconds, "engine"):
        exports = {name: str(path.resolve()) for name, path in job.exports.items() if name not in WRITERS}
        named = {"actor": given.actor, "layout": given.layout, "save_actor": job.save_actor}
        files = {name: str(path.resolve()) for name, path in named.items() if path}
        solve = solving.begin(scene, collection, settings, exports=exports, **files)
        with _bar(take.name) as progress:
            solve.job.wait(progress)
    with _timed(seconds, "keyframe"):
        report = solving.finish(scene, solve)
    with _timed(seconds, "write"):
        for name, path in job.exports.items():
            if name in WRITERS:
                _write(WRITERS[name], path, collection.bonesetter.armature, load)

    inside = report["seconds"]
    # What the engine does not count itself: gathering the markers and handing arrays over.
    transfer = max(0.0, seconds["engine"] - sum(inside.values()))
    report["seconds"] = {
        "read": seconds["read"],
        "import": seconds["import"],
        "transfer": transfer,
        **{stage: value for stage, value in inside.items() if stage != "write"},
        "keyframe": seconds["keyframe"],
        "write": inside.get("write", 0.0) + seconds["write"],
    }
    report["seconds"] = {stage: round(value, 6) for stage, value in report["seconds"].items()}
    load("model.result.report").write_report(report, job.report)
    return report


def _write_blend(path: Path, _armature: Any) -> None:
    import bpy

    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)


def _write_fbx(path: Path, armature: Any) -> None:
    import bpy

    _enable("io_scene_fbx")
    _select_only(armature)
    bpy.ops.export_scene.fbx(
        filepath=str(path),
        use_selection=True,
        object_types={"ARMATURE"},
        add_leaf_bones=False,
        bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False,
        bake_anim_simplify_factor=0.0,
    )


def _write_glb(path: Path, armature: Any) -> None:
    import bpy

    _enable("io_scene_gltf2")
    _select_only(armature)
    bpy.ops.export_scene.gltf(
        filepath=str(path), export_format="GLB", use_selection=True, export_animation_mode="ACTIVE_ACTIONS", export_frame_range=True
    )


#: What Blender writes; the engine writes the rest.
WRITERS: dict[str, Callable[[Path, Any], None]] = {"blend": _write_blend, "fbx": _write_fbx, "glb": _write_glb}


def _write(write: Callable[[Path, Any], None], path: Path, armature: Any, load: Callable[[str], Any]) -> None:
    """Write a file; what Blender says against it becomes a sentence."""
    try:
        write(path.resolve(), armature)
        if not path.is_file():
            raise RuntimeError("Blender wrote nothing")
    except (OSError, RuntimeError) as error:
        place = load("model.storage.atomic").place_of(path)
        why = " ".join(str(error).split()).replace(str(path.resolve()), str(place))
        raise load("model.core.take").BonesetterError(f"{place} cannot be written ({why}): choose another folder or format.") from error


def _enable(addon: str) -> None:
    """Exporters are add-ons, which a user may have switched off."""
    import addon_utils

    addon_utils.enable(addon)


def _select_only(armature: Any) -> None:
    import bpy

    for one in bpy.context.scene.objects:
        one.select_set(one == armature)
    bpy.context.view_layer.objects.active = armature


@contextmanager
def _extension() -> Iterator[Callable[[str], Any]]:
    """A function that imports modules of the extension: the one that is enabled, else the one around this file."""
    import bpy

    enabled = getattr(bpy.types, "BONESETTER_OT_solve_markers", None)
    package = "bonesetter" if enabled is None else enabled.__module__.removesuffix(".operators.solve_markers")
    if enabled is None:
        spec = importlib.util.spec_from_file_location(package, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
        assert spec is not None
        assert spec.loader is not None
        sys.modules[package] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.register()

    def load(name: str) -> Any:
        return importlib.import_module(f"{package}.{name}")

    try:
        yield load
    finally:
        load("operators.engine").engine.close()
        if enabled is None:
            # Blender 4.5's wheel hangs at exit while a Python class is registered.
            sys.modules[package].unregister()


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begin


@contextmanager
def _bar(name: str) -> Iterator[Callable[[str, float], None] | None]:
    """Progress on a terminal, nothing elsewhere. By hand: Blender's Python has no tqdm."""
    if not sys.stderr.isatty():
        yield None
        return

    def progress(stage: str, part: float) -> None:
        done = round(part * 30)
        print(f"\r{name}: {part:4.0%}|{'#' * done}{' ' * (30 - done)}| {stage:<12}", end="", file=sys.stderr, flush=True)

    yield progress
    print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _own_arguments() -> list[str]:
    """What is ours of the command line: all of it for Python, what stands behind `--` for Blender."""
    if sys.argv and Path(sys.argv[0]).name == Path(__file__).name:
        return sys.argv[1:]
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


if __name__ == "__main__":
    try:
        code = main(_own_arguments())
    except KeyboardInterrupt:
        code = 130
    except ImportError as error:
        # Blender would report success whatever happens in a script.
        print(f"batch.py cannot run here ({error}): run it in Blender, or where the bpy wheel is installed.", file=sys.stderr)
        code = 1
    except Exception as error:
        print(f"batch.py failed unexpectedly ({type(error).__name__}: {error}): please report it.", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.exit(code)
