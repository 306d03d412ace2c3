# SPDX-License-Identifier: GPL-3.0-or-later
"""What the noise filter flags, as Blender shows it before a solve."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.bench.evaluate import CORRUPTED
from model.core.settings import Settings
from model.core.take import Take
from model.marker_sets.marker_set import MarkerSet
from model.markers.cleaning import clean
from model.markers.flags import NoiseFilter
from model.markers.preview import Preview
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import Noise, synthesise

ROOT = Path(__file__).resolve().parents[2]
ALL_SETTINGS = (
    Settings(),
    Settings(max_speed=2.0),
    Settings(max_speed=2.0, rigid_tolerance=15.0),
    Settings(max_residual=1.0),
    Settings(max_speed=1e5, rigid_tolerance=1e5, max_residual=1e5),
)


@pytest.fixture(scope="module")
def noisy() -> Take:
    take = synthesise(seconds=3.0, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=1)).take
    corrupted = corrupt(take, CORRUPTED, seed=1)
    residuals = np.random.default_rng(0).uniform(0.0, 2e-3, take.residuals.shape)
    residuals[::50] = 30e-3
    return replace(corrupted, residuals=np.where(corrupted.present, residuals, 0.0))


def test_blender_flags_what_the_engine_flags(noisy: Take, marker_set: MarkerSet) -> None:
    preview = Preview(noisy)
    flagged = preview.flagged(Settings())
    for settings in ALL_SETTINGS:
        flagged, cleaned = preview.flagged(settings), clean(noisy, marker_set, settings)
        rows = [noisy.labels.index(label) for label in cleaned.take.labels]
        np.testing.assert_array_equal(flagged.any[:, rows], cleaned.take.present & ~cleaned.trusted)
        assert sum(flagged.counts.values()) == sum(sum(counts.values()) for counts in cleaned.flagged.values())
        assert flagged.findings == cleaned.findings
    assert not flagged.any.any(), "without thresholds nothing is noise"


def test_what_a_threshold_does_not_change_is_not_computed_again(
    noisy: Take, marker_set: MarkerSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = NoiseFilter(noisy, marker_set.rigid_groups.values())
    noise.flags(Settings())
    monkeypatch.setattr("model.markers.flags.jumping", lambda *_: pytest.fail("jumps were looked for again"))
    tight = noise.flags(Settings(rigid_tolerance=1.0))
    monkeypatch.undo()
    fresh = NoiseFilter(noisy, marker_set.rigid_groups.values()).flags(Settings(rigid_tolerance=1.0))
    for reason, flags in fresh.reasons.items():
        np.testing.assert_array_equal(tight.reasons[reason], flags)


def test_labels_of_a_file_are_kept_and_unknown_takes_have_no_rigid_groups(noisy: Take) -> None:
    prefixed = replace(noisy, labels=tuple(f"Actor:{label}" for label in noisy.labels))
    preview, plain = Preview(prefixed), Preview(noisy)
    assert len(preview.rows) == len(plain.rows)
    assert preview.rigid_groups == plain.rigid_groups
    assert preview.rigid_groups
    assert max(len(group) for group in preview.rigid_groups) >= 3
    np.testing.assert_array_equal(preview.flagged(Settings()).any, plain.flagged(Settings()).any)
    nameless = Preview(replace(noisy, labels=tuple(f"*{row}" for row in range(len(noisy.labels)))))
    assert nameless.rigid_groups == ()
    assert len(nameless.rows) == len(noisy.labels)


def test_blender_needs_numpy_alone_for_it() -> None:
    code = (
        "import sys\nimport model.markers.preview\n"
        "print(sorted(name for name in ('torch', 'scipy', 'safetensors', 'ezc3d') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
