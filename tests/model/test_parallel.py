# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of the work in several threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.linalg import LinAlgError, solveh_banded

from model.core.parallel import both, each, run_each, side_by_side
from model.core.progress import Steps
from model.solver.banded import scratch, solve_banded, solve_unit_triangle
from model.solver.frames import LONGEST_WINDOW, OVERLAP, windows


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order(threads: int) -> None:
    with side_by_side(threads):
        assert list(each(lambda part: part * part, range(40))) == [part * part for part in range(40)]


def test_two_threads_work_at_the_same_time() -> None:
    meet = threading.Barrier(2, timeout=10)

    def work(_: int) -> None:
        meet.wait()

    with side_by_side(2):
        run_each(work, range(2))


def test_no_more_parts_are_begun_than_keep_the_threads_busy() -> None:
    begun: list[int] = []
    with side_by_side(2):
        results = each(begun.append, range(100))
        next(results)
        results.close()
    assert len(begun) <= 4


def test_an_error_ends_the_work() -> None:
    begun: list[int] = []

    def work(part: int) -> None:
        begun.append(part)
        if part == 3:
            raise ValueError("part 3")

    with side_by_side(2), pytest.raises(ValueError, match="part 3"):
        run_each(work, range(1000))
    assert max(begun) < 10


def test_both_of_two_run_at_once_and_may_use_the_threads_themselves() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def one() -> list[int]:
        meeting.wait()
        return list(each(lambda part: 2 * part, range(3)))

    def other() -> str:
        meeting.wait()
        return "said"

    with side_by_side(2):
        assert both(one, other) == ([0, 2, 4], "said")
    assert both(lambda: 1, lambda: 2) == (1, 2)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_either_is_raised(threads: int, failing: int) -> None:
    def fail() -> int:
        raise ValueError("one of both")

    works = (fail, int) if failing == 0 else (int, fail)
    with side_by_side(threads), pytest.raises(ValueError, match="one of both"):
        both(*works)


def test_parts_of_parts_are_done_one_after_the_other() -> None:
    """Threads that waited for threads of their own kind would wait for ever."""
    with side_by_side(2):
        assert list(each(lambda part: sum(each(lambda inner: inner * part, range(10))), range(8))) == [45 * part for part in range(8)]


def test_steps_are_told_one_at_a_time() -> None:
    told: list[float] = []
    steps = Steps(told.append, 200)
    with side_by_side(4):
        run_each(lambda _: steps.done(), range(200))
    assert told == [step / 200 for step in range(1, 201)]
    Steps(None, 3).done()


@pytest.mark.parametrize("frames", [1, 64, LONGEST_WINDOW, LONGEST_WINDOW + 1, 3 * LONGEST_WINDOW + 7, 20_000])
def test_windows_cover_every_frame_once(frames: int) -> None:
    cuts = windows(frames)
    every = np.concatenate([np.arange(frames)[window.frames] for window in cuts])
    np.testing.assert_array_equal(every, np.arange(frames))
    lengths = [window.frames.stop - window.frames.start for window in cuts]
    assert max(lengths) <= LONGEST_WINDOW
    assert max(lengths) - min(lengths) <= 1
    # several cores share them evenly
    assert len(cuts) == 1 or len(cuts) % 2 == 0
    for window in cuts:
        np.testing.assert_array_equal(np.arange(frames)[window.whole][window.own], np.arange(frames)[window.frames])
        assert window.whole.start == max(0, window.frames.start - OVERLAP)
        assert window.whole.stop == min(frames, window.frames.stop + OVERLAP)


def banded(random: np.random.Generator, kind: type = np.float32, count: int = 300, width: int = 13) -> np.ndarray:
    band = random.normal(size=(count, width)).astype(kind)
    band[:, 0] = 30.0
    return band


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_banded_system_is_solved_as_scipy_solves_it(kind: type) -> None:
    random = np.random.default_rng(0)
    band, right = banded(random, kind), random.normal(size=300).astype(kind)
    wanted = solveh_banded(band.T.copy(), right.copy(), lower=True)
    solve_banded(band, right)
    np.testing.assert_array_equal(right, wanted)


def test_a_matrix_that_is_not_positive_definite_is_refused() -> None:
    band = banded(np.random.default_rng(0))
    band[200, 0] = -1.0
    with pytest.raises(LinAlgError, match="row 201"):
        solve_banded(band, np.ones(300, np.float32))


def test_what_lapack_would_misread_is_refused() -> None:
    band = banded(np.random.default_rng(0))
    with pytest.raises(TypeError, match="one floating type"):
        solve_banded(band, np.ones(300))
    with pytest.raises(TypeError, match="contiguous"):
        solve_banded(np.asfortranarray(band), np.ones(300, np.float32))
    with pytest.raises(ValueError, match="299"):
        solve_banded(band, np.ones(299, np.float32))
    with pytest.raises(TypeError, match="double precision"):
        solve_unit_triangle(band, np.ones((2, 300), np.float32))


def test_scratch_memory_is_a_threads_own_and_is_used_again() -> None:
    like = torch.zeros(1)
    first = scratch(1000, like)
    assert scratch(10, like).data_ptr() == first.data_ptr()
    assert len(scratch(10, like)) == 10
    with ThreadPoolExecutor(1) as other:
        assert other.submit(scratch, 10, like).result().data_ptr() != first.data_ptr()
    assert scratch(10, like.double()).dtype == torch.float64
    assert len(scratch(2000, like)) == 2000
