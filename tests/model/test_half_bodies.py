# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes without labels of people who wear the markers of their legs only, or of all else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.actors import prior as priors
from model.core.settings import Settings
from model.engine.pipeline import solve_take
from model.labelling.label import label_take
from model.labelling.template import template_of_set
from model.marker_sets.marker_set import load_marker_set
from model.synthetic.synthesis import Noise, synthesise
from model.synthetic.unlabelled import score, strip_labels

CMU = load_marker_set()
LEGS, UPPER = template_of_set(CMU, priors.bundled()).halves()


def test_halves_share_the_pelvis_and_have_every_label() -> None:
    assert set(LEGS.labels) | set(UPPER.labels) == set(CMU.labels)
    assert set(LEGS.labels) & set(UPPER.labels) == {"LFWT", "RFWT", "LBWT", "RBWT"}
    for half in (LEGS, UPPER):
        assert half.actor.labels == half.labels
        assert len(half.deviation) == len(half.labels)
    assert LEGS.halves() == ()


@pytest.mark.parametrize(("labels", "unseen"), [(LEGS.labels, "the upper body"), (UPPER.labels, "the legs")])
def test_half_a_body_gets_its_labels_and_the_other_half_no_keys(labels: tuple[str, ...], unseen: str) -> None:
    take = synthesise(8.0, 60.0, seed=4, noise=Noise(gaps=0.0, long_gaps=0, spikes=0.0, swaps=0)).take
    some = take.only([take.labels.index(label) for label in labels])
    stripped = strip_labels(some, 2)
    found = label_take(stripped.take)
    result = score(stripped, found.take.positions[:, : len(labels)], list(found.take.labels[: len(labels)]))
    assert result.right > 0.98
    solved = solve_take(stripped.take, Settings())
    assert any(unseen in finding.text for finding in solved.findings if finding.kind == "unseen")
    named = solve_take(replace(some, source=None), Settings())
    assert solved.keyed is not None
    assert named.keyed is not None
    assert (solved.keyed == named.keyed).all()
    assert abs(solved.positions - named.positions)[solved.keyed].max() < 0.02
