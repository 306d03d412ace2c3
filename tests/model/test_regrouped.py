# SPDX-License-Identifier: GPL-3.0-or-later
"""A take as read, its samples under labels that were found for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from model.core.take import Take
from model.markers.regrouped import regrouped


def test_samples_go_under_their_labels_and_none_is_lost() -> None:
    random = np.random.default_rng(0)
    positions, residuals = random.normal(size=(20, 4, 3)), random.uniform(size=(20, 4))
    positions[5, 2] = np.nan
    take = Take("walk", ("*0", "*1", "*2", "LFHD"), positions, residuals, 120.0, first_frame=7)
    # LFHD is what *0 has first and *1 has later; RFHD is *2; the column of the name LFHD is nobody's
    found = np.stack([np.where(np.arange(20)[:, None] < 12, positions[:, 0], positions[:, 1]), positions[:, 2]], axis=1)
    of = np.stack([np.where(np.arange(20) < 12, residuals[:, 0], residuals[:, 1]), residuals[:, 2]], axis=1)
    labelled = replace(take, labels=("LFHD", "RFHD"), positions=found, residuals=of, tracks_from={"LFHD": ("*0", "*1"), "RFHD": ("*2",)})
    whole = regrouped(take, labelled)
    assert whole.labels == ("LFHD", "RFHD", "*0", "*1", "LFHD*")
    assert (whole.name, whole.first_frame, whole.tracks_from) == ("walk", 7, {})
    np.testing.assert_array_equal(whole.positions[:, :2], found)
    np.testing.assert_array_equal(whole.residuals[:, :2], of)
    np.testing.assert_array_equal(whole.positions[12:, 2], positions[12:, 0])
    np.testing.assert_array_equal(whole.positions[:12, 3], positions[:12, 1])
    np.testing.assert_array_equal(whole.positions[:, 4], positions[:, 3])
    assert np.isnan(whole.positions[:12, 2]).all()
    assert np.isfinite(whole.positions).all(axis=-1).sum() == np.isfinite(positions).all(axis=-1).sum()
    assert (whole.residuals[:12, 2] == 0).all()
