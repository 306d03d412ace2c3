# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of settings, and what is made of it without Blender."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from model.core.errors import BonesetterError
from model.core.settings import SETTINGS, Setting, Settings
from model.shell.cli import main
from model.shell.runs import add_setting_arguments
from model.shell.settings import page

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_the_manual_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    assert capsys.readouterr().out == page()
    assert MANUAL.read_text(encoding="utf-8") == page(), "run `python -m model settings > docs/settings.md`"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_described_and_in_the_manual(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.problem(setting.default) == ""
    # Blender adds the full stop
    assert setting.help
    assert not setting.help.endswith(".")
    assert page().count(f"| {setting.label} | `--{name.replace('_', '-')}` |") == 1


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"max_speed": -1.0}, "max_speed must be a number of at least 0, not -1.0."),
        ({"max_gap": float("nan")}, "max_gap must be a number of at least 0, not nan."),
        ({"rigid_tolerance": "wide"}, "rigid_tolerance must be a number of at least 0, not wide."),
        ({"max_residual": True}, "max_residual must be a number of at least 0, not True."),
        ({"smooth": 1.5}, "smooth must be a number from 0 to 1, not 1.5."),
        ({"lock_feet": 1}, "lock_feet must be true or false, not 1."),
        ({"device": 0}, "device must be a text, not 0."),
        ({"workers": -1}, "workers must be a whole number of at least 0, not -1."),
        ({"workers": 1.5}, "workers must be a whole number of at least 0, not 1.5."),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295, not 4294967296."),
    ],
)
def test_what_a_setting_cannot_be(values: dict[str, Any], why: str) -> None:
    with pytest.raises(BonesetterError) as caught:
        Settings(**values)
    assert str(caught.value) == why


def test_thresholds_may_be_infinite_and_whole() -> None:
    settings = Settings(max_speed=float("inf"), max_gap=1)
    assert Settings(**json.loads(json.dumps(asdict(settings)))) == settings


def test_options_of_every_kind() -> None:
    settings = {
        "keep_toes": Setting(True, "Keep Toes", "Keep 100% of the toes", "motion"),
        "way": Setting("far", "Way", "Which way", "motion", choices=(("near", "Near", "Nearest"), ("far", "Far", "Farthest"))),
        "count": Setting(3, "Count", "How many", "run", unit="s"),
    }
    parser = argparse.ArgumentParser()
    add_setting_arguments(parser, settings)
    assert vars(parser.parse_args([])) == {"keep_toes": True, "way": "far", "count": 3}
    given = vars(parser.parse_args(["--no-keep-toes", "--way", "near", "--count", "7"]))
    assert given == {"keep_toes": False, "way": "near", "count": 7}
    with pytest.raises(SystemExit):
        parser.parse_args(["--way", "sideways"])
    told = parser.format_help()
    assert "100% of the toes" in told
    assert "--count S" in told
    assert settings["way"].problem("sideways") == "must be one of near, far, not 'sideways'."


def test_a_threshold_in_a_sentence() -> None:
    assert SETTINGS["max_speed"].said(5.0) == "max speed of 5 m/s"
    assert SETTINGS["smooth"].said(0.25) == "smooth of 0.25"
