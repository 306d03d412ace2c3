# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that leads to the pages of the takes in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import BonesetterError
from ..core.findings import SEVERE
from ..storage.atomic import replacing
from ..storage.documents import read_json
from . import INDEX
from .markup import GENERATOR, Inside, document, link, section, table, tag
from .take_page import millimetres, shares, verdict

COLOURS = ("wrong", "look", "good")
#: Where the word stands that says whose page it is.
HEAD_BYTES = 1000


def write_index(folder: Path, failed: Mapping[str, str]) -> Path:
    """Write the index of all takes of a folder that have a report and a page, those to look at first; returns its path.

    Args:
        folder: Of the reports.
        failed: {name of a take that could not be solved: why}.

    Raises:
        BonesetterError: It cannot be written, or a page of somebody else's is there.
    """
    path = folder / INDEX
    if path.exists() and not _is_ours(path):
        raise BonesetterError(f"{path} is no page of Bonesetter, so it is not replaced: choose another folder for --out.")
    with replacing(path) as stream:
        stream.write(index_page(folder.resolve().name, reports(folder), failed))
    return path


def reports(folder: Path) -> dict[str, Mapping[str, Any]]:
    """{take: its report} of a folder's takes that have a page."""
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        if path.with_suffix(".html").is_file():
            try:
                document = read_json(path)
                _row(path.stem, document)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # an actor, or whatever else is called .json
            found[path.stem] = document
    return found


def index_page(title: str, takes: Mapping[str, Mapping[str, Any]], failed: Mapping[str, str]) -> str:
    """The index as HTML.

    Args:
        title: Of the page.
        takes: {name: report}; each has its page as `<name>.html` beside this one.
        failed: {name: why it has none}.
    """
    order = sorted(takes, key=lambda name: (COLOURS.index(verdict(takes[name])[1]), name))
    counts = [sum(verdict(report)[1] == colour for report in takes.values()) for colour in COLOURS]
    summary = f"{len(takes)} take{'' if len(takes) == 1 else 's'}: {counts[2]} good, {counts[1]} to look at, {counts[0]} wrong"
    parts: list[Inside] = [tag("h1", title), tag("p", f"{summary}{f'; {len(failed)} failed' if failed else ''}.", class_="verdict")]
    if failed:
        rows = [(tag("span", name, class_="wrong"), why) for name, why in failed.items()]
        parts.append(section("Failed", table(("Take", "Why"), rows)))
    heads = ("Take", "Verdict", "Frames", "Long", "Residual, mean", "95 %", "Flagged", "To look at")
    if order:
        parts.append(section("Takes", table(heads, [_row(name, takes[name]) for name in order])))
    return document(title, *parts, tag("footer", "Written by Bonesetter."))


def _row(name: str, report: Mapping[str, Any]) -> Sequence[Inside]:
    said, colour = verdict(report)
    severe = list(dict.fromkeys(str(each["kind"]) for each in report["findings"] if each["kind"] in SEVERE))
    residual = report["marker_residual_mm"]
    return (
        link(name, f"{name}.html"),
        tag("span", said.split(":")[0], class_=colour),
        f"{report['frames']}",
        f"{report['frames'] / report['rate_hz']:.1f} s",
        millimetres(residual["mean"]),
        millimetres(residual["p95"]),
        f"{sum(shares(report).values())}",
        ", ".join(severe),
    )


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return f'content="{GENERATOR}"'.encode() in stream.read(HEAD_BYTES)
    except OSError:
        return False
