# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model ends`: how well takes that are cut in mid-motion are solved at their ends, at many rates and with samples missing.

Windows are cut out of real takes, thinned or upsampled to a rate, robbed of samples, and solved as a user would: with the default
settings and an actor that is fitted to the window. The measure is the solve of the whole take at its own rate: joint positions as they
are, in the first and the last frames, so that the difference of the two actors counts too. Both ends of a window are a figure of their
own: the worst joint of these frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from scipy.interpolate import CubicSpline

from ..actors.actor import Actor
from ..core.settings import Settings
from ..core.take import FloatArray, Take
from ..datasets.lab_takes import data_folder, find_c3d
from ..files.c3d import read_c3d
from ..shell.terminal import progress_bar
from ..synthetic.corruptions import corrupt

if TYPE_CHECKING:
    from ..result.solution import Solution

TAKES = ("cmu_02_05", "cmu_85_02")
RATES_HZ = (24.0, 30.0, 60.0, 120.0, 240.0)
#: Parts of the samples that are missing: half of them one by one, half of them in gaps of several frames.
MISSING = (0.0, 0.1, 0.3)
#: How long windows are, in s, and how many frames make an end.
SHORTEST, LONGEST, END = 1.5, 4.0, 5
#: Gaps last from the one to the other, in s.
GAP_SECONDS = (0.04, 0.2)
#: What is wanted, in mm: so near is 95 of 100 ends, and never one so far.
WANTED_MM, NEVER_MM = 25.0, 50.0


@dataclass(frozen=True)
class Window:
    """One window's figures: the worst joint's distance in mm from the whole take's solve.

    Attributes:
        take, rate_hz, missing, start, seconds: Which window.
        first_mm, last_mm: In the first and in the last frames.
        middle_mm: Of the frames between, the 95th percentile of each frame's worst joint.
        flagged: Samples that were flagged as noise, though all are as the lab has them.
        first_joint, last_joint: The worst joints.
    """

    take: str
    rate_hz: float
    missing: float
    start: float
    seconds: float
    first_mm: float
    last_mm: float
    middle_mm: float
    flagged: int
    first_joint: str
    last_joint: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("takes", nargs="*", metavar="TAKE", help=f"folders of the data's takes (default: {' '.join(TAKES)})")
    parser.add_argument("--windows", type=int, default=16, metavar="N", help="of each take, rate and part missing (%(default)s)")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES_HZ, metavar="HZ")
    parser.add_argument("--missing", type=float, nargs="+", default=MISSING, metavar="PART")
    parser.add_argument("--given", action="store_true", help="with the whole take's actor instead of one that is fitted to the window")
    parser.add_argument("--each", action="store_true", help="also one line per window")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """Print a line per rate and part missing; the exit code is 1 where the ends are not as good as wanted."""
    names = arguments.takes or TAKES
    windows: list[Window] = []
    total = len(names) * len(arguments.rates) * len(arguments.missing) * arguments.windows
    with progress_bar("ends") as progress:
        for name in names:
            take = read_c3d(find_c3d(data_folder() / "takes" / name))
            for window in measured(replace(take, name=name), arguments):
                windows.append(window)
                progress(name, len(windows) / total)
                if arguments.each:
                    print(row_of(window), flush=True)
    print(table(windows))
    ends = ends_mm(windows)
    return 0 if np.percentile(ends, 95) <= WANTED_MM and ends.max() <= NEVER_MM else 1


def measured(take: Take, arguments: argparse.Namespace) -> Iterator[Window]:
    """The windows of one take."""
    whole = solved(take)
    actor = whole.actor if arguments.given else None
    for rate_hz, missing in product(arguments.rates, arguments.missing):
        random = np.random.default_rng([arguments.seed, crc32(take.name.encode())])
        resampled = at_rate(take, rate_hz)
        for number in range(arguments.windows):
            seconds = float(random.uniform(SHORTEST, LONGEST))
            start = float(random.uniform(0.0, take.frames / take.rate_hz - seconds))
            shown = robbed(cut(resampled, start, seconds), missing, (arguments.seed, number))
            yield compared(whole, shown, start, missing, actor)


def solved(take: Take, actor: Actor | None = None) -> Solution:
    """A take as a user would solve it."""
    from ..engine.pipeline import solve_take  # not above: `--help` shall not wait for torch

    return solve_take(take, Settings(), actor)


def at_rate(take: Take, rate_hz: float) -> Take:
    """The take as cameras of another rate had seen it: thinned, or on cubic splines through its samples; gaps stay gaps."""
    times = np.arange(take.frames) / take.rate_hz
    wanted = np.arange(int(times[-1] * rate_hz + 1e-6) + 1) / rate_hz
    positions = np.full((len(wanted), len(take.labels), 3), np.nan)
    nearest = np.clip(np.rint(wanted * take.rate_hz).astype(int), 0, take.frames - 1)
    for marker, known in enumerate(take.present.T):
        if known.sum() > 3:
            curve = CubicSpline(times[known], take.positions[known, marker])(wanted)
            positions[:, marker] = np.where(known[nearest, None], curve, np.nan)
    return replace(take, positions=positions, residuals=np.zeros(positions.shape[:2]), rate_hz=rate_hz)


def cut(take: Take, start: float, seconds: float) -> Take:
    """The frames of some seconds from `start` on."""
    first = round(start * take.rate_hz)
    part = slice(first, first + round(seconds * take.rate_hz))
    return replace(take, positions=take.positions[part], residuals=take.residuals[part], first_frame=first)


def robbed(take: Take, missing: float, seed: Sequence[int]) -> Take:
    """Without a part of its samples, half of them one by one and half of them in gaps."""
    if not missing:
        return take
    single = 1 - (1 - missing) ** 0.5
    left = corrupt(take, {"occlusion": {"part": single}}, seed)
    random = np.random.default_rng([*seed, 1])
    lost = np.zeros(left.present.shape, dtype=bool)
    while lost.mean() < single:
        length = max(2, round(random.uniform(*GAP_SECONDS) * take.rate_hz))
        # one that begins before the window or ends after it too
        first = int(random.integers(1 - length, take.frames))
        lost[max(0, first) : first + length, random.integers(len(take.labels))] = True
    return replace(left, positions=np.where(lost[..., None], np.nan, left.positions))


def compared(whole: Solution, shown: Take, start: float, missing: float, actor: Actor | None) -> Window:
    """Solve a window and compare it."""
    solution = solved(shown, actor)
    rate_hz = whole.clean.take.rate_hz
    curve = CubicSpline(np.arange(len(whole.positions)) / rate_hz, whole.positions)
    times = (shown.first_frame + np.arange(shown.frames)) / shown.rate_hz
    apart = np.linalg.norm(solution.positions - curve(times), axis=-1) * 1000
    worst = apart.max(axis=1)
    joints = whole.actor.skeleton.joints
    return Window(
        shown.name,
        shown.rate_hz,
        missing,
        start,
        shown.frames / shown.rate_hz,
        float(worst[:END].max()),
        float(worst[-END:].max()),
        float(np.percentile(worst[END:-END], 95)),
        sum(count for counts in solution.clean.flagged.values() for count in counts.values()),
        joints[int(apart[:END].max(axis=0).argmax())],
        joints[int(apart[-END:].max(axis=0).argmax())],
    )


def ends_mm(windows: Sequence[Window]) -> FloatArray:
    """(2 windows,): both ends of each."""
    return np.array([[window.first_mm, window.last_mm] for window in windows]).ravel()


def row_of(window: Window) -> str:
    """One window in a line."""
    which = f"{window.take:<10}{window.rate_hz:5.0f} Hz{window.missing:5.0%}{window.start:7.2f} s +{window.seconds:.2f}"
    figures = f"{window.first_mm:8.1f}{window.last_mm:8.1f}{window.middle_mm:8.1f}{window.flagged:6}"
    return f"{which}{figures} {window.first_joint} {window.last_joint}"


def table(windows: Sequence[Window]) -> str:
    """One line per rate and part missing, and one of all."""
    groups = {
        f"{rate:.0f} Hz, {missing:.0%} missing": (rate, missing) for rate, missing in sorted({(w.rate_hz, w.missing) for w in windows})
    }
    lines = [f"{'':<22}{'windows':>8}{'median':>8}{'95 %':>8}{'worst':>8}{'middle':>8}{'flagged':>9}"]
    for name, (rate, missing) in groups.items():
        lines.append(_line(name, [w for w in windows if (w.rate_hz, w.missing) == (rate, missing)]))
    return "\n".join([*lines, _line("all", windows)])


def _line(name: str, windows: Sequence[Window]) -> str:
    ends = ends_mm(windows)
    middle = np.median([window.middle_mm for window in windows])
    figures = "".join(f"{value:8.1f}" for value in (np.median(ends), np.percentile(ends, 95), ends.max(), middle))
    return f"{name:<22}{len(windows):8}{figures}{sum(w.flagged for w in windows):9}"
