# SPDX-License-Identifier: GPL-3.0-or-later
"""`make soak`: many takes, many solves in one Blender, an hour in one take. Some hours on a busy machine; Linux only.

Writes figures (`soak.json`) and curves (`soak_*.png`) into a folder, and exits with 1 where a bound of docs/reliability.md is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: The bounds: growth of memory over a session in percent, and what an hour may take.
MOST_GROWTH, MOST_LONG_MB = 5.0, 2560.0
#: Solves after which Blender and the engine hold what they keep anyway.
SETTLED = 50

#: Ends a worker that opens a file of that name, as a crash in a library does.
CRASH = """
import os, signal, sys
def audit(event, arguments):
    worker = any(argument.startswith("--serve") for argument in sys.orig_argv)
    if event == "open" and worker and str(arguments[0]).endswith("crash.c3d"):
        os.kill(os.getpid(), signal.SIGSEGV)
sys.addaudithook(audit)
"""


def many(out: Path, takes: int = 200) -> dict[str, Any]:
    """A batch of takes with 5 broken ones and one that crashes whoever reads it, in two orders and by several numbers of workers."""
    from model.files.c3d_writer import write_c3d
    from model.synthetic.synthesis import synthesise

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(CRASH)
        originals = [synthesise(0.4, seed=seed).take for seed in range(5)]
        paths = [folder / f"take{number:03d}.c3d" for number in range(takes - 6)]
        for number, path in enumerate(paths):
            write_c3d(originals[number % len(originals)], path)
        broken = [folder / f"broken{number}.c3d" for number in range(5)]
        for number, path in enumerate(broken):
            path.write_bytes(paths[0].read_bytes()[: 700 * number])
        crash = folder / "crash.c3d"
        shutil.copy(paths[0], crash)
        every = [*paths, *broken, crash]
        random.Random(0).shuffle(every)
        begin = time.perf_counter()
        first = _solve(every, folder / "first", folder, "--workers", "2")
        seconds = time.perf_counter() - begin
        again = _solve(every[::-1], folder / "first", folder, "--workers", "3", "--resume")
        other = _solve(every[::-1], folder / "other", folder, "--workers", "3")
        results = len(list((folder / "first").glob("*.bvh")))
        found = {
            "takes": takes,
            "results": results,
            "sentences": len(first.stderr.splitlines()),
            "code": first.returncode,
            "seconds": round(seconds, 1),
            "resumed": again.stdout.splitlines()[0],
            "same": _contents(folder / "first") == _contents(folder / "other"),
            "other_code": other.returncode,
        }
    whole = found["sentences"] == 6 and results == takes - 6 and found["code"] == 1 and found["same"]
    return found | {"held": whole and found["resumed"] == f"{takes - 6} of {takes} takes are up to date."}


def _solve(takes: Sequence[Path], out: Path, site: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", "solve", *map(str, takes), "--out", str(out), *more]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


def session(out: Path, solves: int = 300) -> dict[str, Any]:
    """Many solves in one Blender."""
    python = subprocess.run([ROOT / "tools" / "environment", "bpy-5.2"], capture_output=True, text=True, check=True).stdout.strip()
    take, noted = out / "soak_walk.c3d", out / "soak_session.json"
    subprocess.run([sys.executable, "-m", "model", "synthesise", str(take), "--seconds", "2"], cwd=ROOT, check=True, capture_output=True)
    environment = {**os.environ, "BONESETTER_ENGINE_PYTHON": sys.executable}
    command = [python, str(ROOT / "tests" / "soak" / "session.py"), str(take), str(noted), str(solves)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return judge_session(json.loads(noted.read_text()), out)


def judge_session(rows: list[dict[str, float]], out: Path) -> dict[str, Any]:
    """What a session's notes say; draws them."""
    settled = min(SETTLED, len(rows) // 3)
    part = max(1, min(20, len(rows) // 5))

    def growth(name: str) -> float:
        before = statistics.median(row[name] for row in rows[settled : settled + part])
        return round(100 * (statistics.median(row[name] for row in rows[-part:]) / before - 1), 2)

    _draw(
        out / "soak_session.png", "solves", [(name, range(len(rows)), [row[name] for row in rows]) for name in ("blender_mb", "engine_mb")]
    )
    _draw(out / "soak_seconds.png", "solves", [("seconds", range(1, len(rows)), [row["seconds"] for row in rows[1:]])])
    counted = ("blender_files", "engine_files", "datablocks")
    found: dict[str, Any] = {"solves": len(rows), "growth_percent": {name: growth(name) for name in ("blender_mb", "engine_mb", "seconds")}}
    found["grown"] = {name: rows[-1][name] - rows[settled][name] for name in counted}
    grown = [found["growth_percent"][name] for name in ("blender_mb", "engine_mb")]
    return found | {"held": max(grown) < MOST_GROWTH and not any(found["grown"].values())}


def long(out: Path, frames: int = 432_000) -> dict[str, Any]:
    """An hour at 120 Hz in one take, as C3D."""
    return _long(out, frames, ".c3d", ("bvh", "npz"))


def trc(out: Path, frames: int = 432_000) -> dict[str, Any]:
    """The same read from TRC, and its cleaned markers written as TRC, too."""
    return _long(out, frames, ".trc", ("bvh", "npz", "trc"))


def csv(out: Path, frames: int = 432_000) -> dict[str, Any]:
    """The same read from Motive's CSV."""
    return _long(out, frames, ".csv", ("bvh", "npz"))


def _long(out: Path, frames: int, suffix: str, formats: Sequence[str]) -> dict[str, Any]:
    from tests.soak.processes import watched

    with tempfile.TemporaryDirectory() as name:
        path, results = Path(name) / f"hour{suffix}", Path(name) / "out"
        maker = f"from tests.soak.long_takes import write_long; write_long({str(path)!r}, {frames})"
        subprocess.run([sys.executable, "-c", maker], cwd=ROOT, check=True)
        done = watched([sys.executable, "-m", "model", "solve", str(path), "--out", str(results), "--format", *formats], ROOT)
        report = results / "hour.json"
        seconds = json.loads(report.read_text())["seconds"] if report.is_file() else {}
    _draw(out / f"soak_long{suffix.replace('.', '_')}.png", "s", [("memory in MB", done.times_s, done.memory_mb)])
    found = {"frames": frames, "code": done.code, "most_mb": round(done.most_mb), "seconds": seconds, "said": done.said + done.complained}
    return found | {"held": done.code == 0 and done.most_mb < MOST_LONG_MB}


def _draw(path: Path, below: str, curves: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for name, across, up in curves:
        axes.plot(across, up, label=name.replace("_mb", " in MB"), linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(below)
    axes.legend()
    figure.savefig(path, dpi=110)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {"many": many, "session": session, "long": long, "trc": trc, "csv": csv}


def main() -> int:
    """Run the parts that are asked for; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless given")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "soak")
    parser.add_argument("--size", type=int, help="of each part, instead of 200 takes, 300 solves, 432000 frames")
    arguments = parser.parse_args()
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    figures = json.loads((out / "soak.json").read_text()) if (out / "soak.json").is_file() else {}
    for part in arguments.parts or PARTS:
        figures[part] = PARTS[part](out, *([arguments.size] if arguments.size else []))
        print(f"{part}: {json.dumps(figures[part])}", flush=True)
        (out / "soak.json").write_text(json.dumps(figures, indent=1))
    return 0 if all(figures[part]["held"] for part in arguments.parts or PARTS) else 1


if __name__ == "__main__":
    sys.exit(main())
