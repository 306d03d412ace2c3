# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m model settings`: the manual's page of all settings, docs/settings.md."""

from __future__ import annotations

import argparse

from ..core.settings import SETTINGS, Group, Setting
from .runs import option

TITLES: dict[Group, str] = {"markers": "Noise and gaps of the markers", "motion": "The solved motion", "run": "How the solver runs"}

HEAD = """# Settings

What can be set for a solve: in Blender in the panel *Noise Filter*, in the shell as options of `python -m model solve` and of `batch.py`.
Both begin with the same defaults. `python -m model settings > docs/settings.md` writes this page from `model/core/settings.py`.
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_arguments: argparse.Namespace) -> int:
    """Print the page."""
    print(page(), end="")
    return 0


def page() -> str:
    """The page, in Markdown: a table for each group of settings."""
    parts = [HEAD]
    for group, title in TITLES.items():
        rows = [_row(name, setting) for name, setting in SETTINGS.items() if setting.group == group]
        where = (
            "In the panel and the shell."
            if any(setting.shown for setting in SETTINGS.values() if setting.group == group)
            else "In the shell."
        )
        parts.append(
            "\n".join(
                [f"## {title}\n", where, "", "| setting | option | default | range | what it does |", "|---|---|---|---|---|", *rows, ""]
            )
        )
    return "\n".join(parts)


def _row(name: str, setting: Setting) -> str:
    text = setting.help.replace("|", "\\|")
    return f"| {setting.label} | `{option(name, setting)}` | {_default(setting)} | {_range(setting)} | {text}. |"


def _default(setting: Setting) -> str:
    if setting.kind is bool:
        return "on" if setting.default else "off"
    shown = f"{setting.default:g}" if setting.kind in (int, float) else str(setting.default)
    return f"{shown} {setting.unit}".rstrip()


def _range(setting: Setting) -> str:
    if setting.kind is bool:
        return "on, off"
    if setting.kind is str:
        return ", ".join(choice for choice, _, _ in setting.choices) or "text"
    whole = "whole, " if setting.kind is int else ""
    return whole + (f"{setting.low:.10g} to {setting.high:.10g}" if setting.bounded else f"at least {setting.low:.10g}")
