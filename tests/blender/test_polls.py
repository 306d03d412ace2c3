# SPDX-License-Identifier: GPL-3.0-or-later
"""A grey button says why."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest

#: All that the panel greys while a take is being solved.
LOCKED = (
    "solve_markers",
    "solve_range",
    "solve_all",
    "hold_feet",
    "set_contact",
    "calibrate_actor",
    "import_actor",
    "export_actor",
    "remove_actor",
    "reset_filter",
    "filter_all_takes",
    "swap_markers",
    "delete_samples",
    "cut_markers",
    "fill_from_solve",
    "pin_samples",
    "mute_markers",
    "rename_marker",
    "problem_range",
    "apply_correction",
    "refuse_correction",
    "export_motion",
)


@pytest.mark.parametrize("name", LOCKED)
def test_while_a_take_is_solved_a_button_says_so(ext, load, make_take, monkeypatch, name):
    load(make_take())
    job = SimpleNamespace(cancel=lambda: None)
    monkeypatch.setattr(ext("operators.session").session, "solve", SimpleNamespace(job=job))
    operator = getattr(bpy.ops.bonesetter, name)
    assert not operator.poll()
    with pytest.raises(RuntimeError, match="A take is being solved: press Esc to cancel it"):
        operator()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("solve_markers", "Import a take first"),
        ("solve_all", "Import a take first"),
        ("calibrate_actor", "Import a take first"),
        ("hold_feet", "Import a take first"),
        ("next_problem", "Import a take first"),
        ("swap_markers", "Select"),
        ("export_motion", "Select an armature, or solve a take first"),
        ("apply_to_rig", "Solve a take first"),
    ],
)
def test_without_a_take_a_button_says_what_is_needed(name, why):
    operator = getattr(bpy.ops.bonesetter, name)
    assert not operator.poll()
    with pytest.raises(RuntimeError, match=why):
        operator()


def test_without_an_actor_a_button_says_what_is_needed(load, make_take):
    load(make_take())
    for name in ("export_actor", "remove_actor"):
        with pytest.raises(RuntimeError, match="Choose an actor first, or calibrate one"):
            getattr(bpy.ops.bonesetter, name)()
