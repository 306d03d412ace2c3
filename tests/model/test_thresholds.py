# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.core.findings import Finding
from model.core.settings import Settings
from model.core.take import Take
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.synthetic.synthesis import Noise, synthesise


@pytest.fixture(scope="module")
def take() -> Take:
    return synthesise(seconds=3.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take


def with_residuals(take: Take, residuals_mm: np.ndarray) -> Take:
    return replace(take, residuals=np.broadcast_to(residuals_mm * 1e-3, take.present.shape).copy())


def only_finding(findings: tuple[Finding, ...]) -> Finding:
    (found,) = findings
    assert found.kind == "threshold"
    return found


def test_residuals_that_are_large_throughout_are_usual(take: Take, marker_set: MarkerSet) -> None:
    residuals = np.random.default_rng(0).uniform(11.0, 13.0, size=take.present.shape)
    residuals[50, 7] = 80.0
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {take.labels[7]: {"residual": 1}}
    said = only_finding(cleaned.findings)
    assert "above the max residual of 10 mm in 100.0% of the samples" in said.text
    assert "raised to 36 mm" in said.text
    assert set(said.labels) == set(take.labels)


def test_a_marker_with_large_residuals_is_usual_by_itself(take: Take, marker_set: MarkerSet) -> None:
    residuals = np.random.default_rng(0).uniform(0.5, 1.5, size=take.present.shape)
    residuals[:, 3] += 14.0
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {}
    said = only_finding(cleaned.findings)
    assert said.labels == (take.labels[3],)
    # no other marker's residuals are judged more mildly for it
    residuals[60, 4] = 20.0
    assert clean(with_residuals(take, residuals), marker_set, Settings()).flagged == {take.labels[4]: {"residual": 1}}


def test_residuals_at_the_end_of_their_scale_tell_nothing(take: Take, marker_set: MarkerSet) -> None:
    random = np.random.default_rng(1)
    residuals = random.uniform(1.0, 5.0, size=take.present.shape)
    residuals[random.random(residuals.shape) < 0.43] = 12.35
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {}
    assert "tell no sample from another" in only_finding(cleaned.findings).text


@pytest.mark.parametrize("same", [0.0, -1.0, 25.0])
def test_residuals_that_are_the_same_throughout_tell_nothing(same: float, take: Take, marker_set: MarkerSet) -> None:
    residuals = np.zeros(take.present.shape)
    residuals[:, 5] = same
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {}
    assert [finding.labels for finding in cleaned.findings] == ([(take.labels[5],)] if same > 0 else [])


def test_a_few_large_residuals_are_noise_without_a_word(take: Take, marker_set: MarkerSet) -> None:
    residuals = np.random.default_rng(2).uniform(0.5, 1.5, size=take.present.shape)
    residuals[10:16, 2] = np.arange(15.0, 21.0)
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {take.labels[2]: {"residual": 6}}
    assert cleaned.findings == ()


def test_many_large_residuals_among_small_ones_are_noise_and_said(take: Take, marker_set: MarkerSet) -> None:
    residuals = np.random.default_rng(3).uniform(0.5, 1.5, size=take.present.shape)
    residuals[100:140, 2] = np.random.default_rng(4).uniform(15.0, 25.0, size=40)
    cleaned = clean(with_residuals(take, residuals), marker_set, Settings())
    assert cleaned.flagged == {take.labels[2]: {"residual": 40}}
    said = only_finding(cleaned.findings)
    assert said.labels == (take.labels[2],)
    assert said.text.startswith("The max residual of 10 mm removed 0.3% of the samples")


def test_a_speed_or_tolerance_that_removes_much_is_said_with_its_number(take: Take, marker_set: MarkerSet) -> None:
    positions = take.positions.copy()
    marker = take.labels.index("LKNE")
    positions[5:-5:4, marker] += [0.0, 0.3, 0.0]
    cleaned = clean(replace(take, positions=positions), marker_set, Settings())
    said = only_finding(cleaned.findings)
    assert said.labels == ("LKNE",)
    assert "max speed of 5 m/s removed 0.6% of the samples, above all of LKNE" in said.text
    strict = clean(take, marker_set, Settings(rigid_tolerance=0.5))
    assert any("rigid tolerance of 0.5 mm" in finding.text for finding in strict.findings)
