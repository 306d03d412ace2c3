# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes say which version made them, and an older one says that it is older."""

import pytest


def test_a_take_knows_who_made_it(ext, load, make_take):
    version = ext("operators.version")
    assert load(make_take()).bonesetter.made_by == version.own_version()
    assert version.newer(version.own_version()) == ""


@pytest.mark.parametrize("made_by", ["", "0.0.9", "nonsense"])
def test_older_and_unknown_makers_are_nothing_to_speak_of(ext, made_by):
    assert ext("operators.version").newer(made_by) == ""


@pytest.mark.parametrize("made_by", ["99.0.0", "0.99.0-beta.1"])
def test_a_newer_maker_is_one_sentence(ext, made_by):
    assert ext("operators.version").newer(made_by).startswith(f"Made with Bonesetter {made_by}, which is newer")
