# SPDX-License-Identifier: GPL-3.0-or-later
"""`make fuzz`: what comes of many damaged files of every format. Each must give a take or one sentence: no crash, no hang, no traceback.

First every byte of a parameter section takes every value, then files of all kinds are damaged at random, the real ones among them where
there are any. They are read in processes of their own, with a limit of time for each file and one of memory, so that a crash is counted.
Some of those that can be read are solved.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from model.core.threads import share_the_machine

share_the_machine()

import numpy as np

from model.files.readers import read_take
from model.core.errors import BonesetterError
from tests.fuzz.kinds import KINDS, mutants, sound
from tests.model.c3d_bytes import C3D, DEC, INTEL, MIPS, figure
from tests.model.damage import damaged, one_byte_changes
from tests.model.text_files import motive, qualisys, trc

ROOT = Path(__file__).resolve().parents[2]
#: Seconds that a file may take to be read and to be solved, and bytes that its process may take.
READ_SECONDS, SOLVE_SECONDS, MOST_BYTES = 5, 120, 2 << 30
#: How the names of a portion's files end, where they are no C3D.
SUFFIXES = {"portion_of_trc": ".trc", "portion_of_csv": ".csv", "portion_of_tsv": ".tsv"}
#: Files that a process is given at once.
PORTION = 2000


@dataclass
class Tally:
    """What came of some files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    sentences: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0
    most_memory_mb: float = 0.0

    def add(self, other: Tally) -> None:
        """Count another's files, too."""
        self.outcomes += other.outcomes
        self.sentences += other.sentences
        self.faults += other.faults
        self.slowest = max(self.slowest, other.slowest)
        self.most_memory_mb = max(self.most_memory_mb, other.most_memory_mb)


def originals() -> list[bytes]:
    """Sound files of every kind, and the real ones that are at hand, cut short."""
    files = [
        C3D(figure(30), processor=processor, scale=scale, analog=analog, parameters={"ANALOG": {"USED": words, "RATE": 100.0}}).bytes()
        for processor, scale in itertools.product((INTEL, DEC, MIPS), (-1.0, 0.1))
        for words, analog in ((0, None), (3, np.ones((30, 3))))
    ]
    shared = ROOT.parent / "shared"
    folders = (os.environ.get("BONESETTER_CASES") or shared / "cases", Path(os.environ.get("BONESETTER_DATA") or shared / "data") / "takes")
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.c3d")):
        content = path.read_bytes()
        if len(content) < 200_000:
            files.append(content)
    return files


def portion_of_changes(start: int) -> Iterator[bytes]:
    """The one-byte changes from that number on."""
    small = C3D(figure(8), parameters={"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0])}}).bytes()
    return itertools.islice(one_byte_changes(small, every=True), start, start + PORTION)


def portion_of_damage(seed: int) -> Iterator[bytes]:
    """Files that are damaged at random."""
    random, files = np.random.default_rng(seed), originals()
    return (damaged(files[random.integers(len(files))], random) for _ in range(PORTION))


def portion_of_trc(seed: int) -> Iterator[bytes]:
    """TRC files that are damaged at random."""
    return _damaged_text(seed, [trc(figure(30)), trc(figure(30), numbers=range(100, 130)).replace("\n", "\r\n")])


def portion_of_csv(seed: int) -> Iterator[bytes]:
    """Motive's CSV files that are damaged at random."""
    return _damaged_text(seed, [motive(figure(30)), motive(figure(30), titles=("Type", "Name", "ID", "Parent"), time_code=True)])


def portion_of_tsv(seed: int) -> Iterator[bytes]:
    """QTM's TSV files that are damaged at random."""
    return _damaged_text(seed, [qualisys(figure(30)), qualisys(figure(30), lead=2, titled=True, types=False)])


def portion_of_kind(seed: int, name: str) -> Iterator[bytes]:
    """Files of another kind than takes, damaged at random."""
    return mutants(name, seed, PORTION)


def _damaged_text(seed: int, texts: list[str]) -> Iterator[bytes]:
    random, files = np.random.default_rng(seed), [text.encode() for text in texts]
    return (damaged(files[random.integers(len(files))], random) for _ in range(PORTION))


def portion_of_takes(seed: int) -> Iterator[bytes]:
    """A person's take, damaged where it can still be read."""
    from model.files.c3d_writer import write_c3d
    from model.synthetic.synthesis import synthesise

    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.c3d"
        write_c3d(synthesise(0.5, seed=seed).take, path)
        content = path.read_bytes()
    last = 512 * (1 + content[514])
    for _ in range(25):
        changed = bytearray(content)
        for place in random.integers(512, (last, len(content))[random.integers(2)], size=4).tolist():
            changed[place] = random.integers(256)
        yield bytes(changed)


def judge(portion: str, start: int, solve: bool, kind: str = "") -> Tally:
    """Read, or solve, a portion; in a process of its own. Of a kind beside takes, its name."""
    suffix = KINDS[kind].suffix if kind else SUFFIXES.get(portion, ".c3d")
    contents = portion_of_kind(start, kind) if kind else globals()[portion](start)
    read = KINDS[kind].read if kind else read_take
    if kind:
        # once, so that what is loaded once is not counted as a file's
        sound(kind)
    signal.signal(signal.SIGALRM, _too_long)
    # of what the process has already, and no more than the limit on top
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_BYTES, resource.RLIM_INFINITY))
    warnings.simplefilter("error")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged{suffix}"
        for number, content in enumerate(contents):
            path.write_bytes(content)
            begin = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, SOLVE_SECONDS if solve else READ_SECONDS)
            try:
                take = read(path)
                if solve:
                    _solve(take)
                tally.outcomes["take"] += 1
            except BonesetterError as error:
                tally.outcomes["sentence"] += 1
                tally.sentences[re.sub(r"[\d.]+|\(.*\)|'.*'", "#", str(error).removeprefix(path.name))] += 1
                if "\n" in str(error):
                    tally.faults.append(f"{portion} {start} {number}: more than one line: {error}")
            except BaseException:
                tally.faults.append(f"{portion} {start} {number}: {traceback.format_exc()}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            tally.slowest = max(tally.slowest, time.perf_counter() - begin)
    tally.most_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return tally


def _solve(take) -> None:
    from model.engine.pipeline import solve_take
    from model.core.settings import Settings

    solution = solve_take(take, Settings(workers=1))
    assert np.isfinite(solution.positions).all()
    assert np.isfinite(solution.rotations).all()


def _too_long(*_arguments: object) -> None:
    raise TimeoutError("too long")


def run(name: str, portion: str, starts: range, solve: bool = False, kind: str = "") -> int:
    """Judge portions and say what came of them; returns how many faults there were."""
    tally, begin = Tally(), time.perf_counter()
    # by fork: the pool of 3.11 waits for ever for spawned processes that ended while they started
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 1)), mp_context=context) as pool:
        futures = {pool.submit(judge, portion, start, solve, kind): start for start in starts}
        for future in as_completed(futures):
            try:
                tally.add(future.result())
            except BrokenProcessPool:
                tally.faults.append(f"{portion} {futures[future]}: the process crashed")
    count = sum(tally.outcomes.values()) + len(tally.faults)
    print(
        f"{name}: {count} files, {dict(tally.outcomes)}, {len(tally.faults)} faults; the slowest {tally.slowest:.2f} s, "
        f"at most {tally.most_memory_mb:.0f} MB a process, {time.perf_counter() - begin:.0f} s in all",
        flush=True,
    )
    for sentence, times in tally.sentences.most_common(12):
        print(f"  {times:7d} x{sentence}")
    for fault in tally.faults[:5]:
        print(fault)
    return len(tally.faults)


def main() -> int:
    """Run all; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--files", type=int, default=40_000, help="damaged at random (%(default)s)")
    parser.add_argument("--takes", type=int, default=500, help="that are solved, too (%(default)s)")
    parser.add_argument("--no-sweep", action="store_true", help="leave out the changes of every byte of a parameter section")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    changes = sum(1 for _ in one_byte_changes(C3D(figure(8), parameters={"TRIAL": {"ACTUAL_START_FIELD": np.array([1, 0])}}).bytes(), True))
    faults = 0
    if not arguments.no_sweep:
        faults += run("every byte of a parameter section", "portion_of_changes", range(0, changes, PORTION))
    first = arguments.seed * 1_000_000
    faults += run("damaged at random", "portion_of_damage", range(first, first + -(-arguments.files // PORTION)))
    for portion, suffix in SUFFIXES.items():
        faults += run(f"{suffix} damaged at random", portion, range(first, first + -(-arguments.files // (10 * PORTION))))
    for kind in KINDS:
        faults += run(f"{kind} damaged at random", kind, range(first, first + 1), kind=kind)
    faults += run("solved", "portion_of_takes", range(first, first + -(-arguments.takes // 25)), solve=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
