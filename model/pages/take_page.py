# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a solved take: what a supervisor looks at before the motion is used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ..actors.joint_names import side_of
from ..core.findings import GROUPED, SEVERE, gravity
from ..result.report import LOOK_MM, USUAL_MM, judged
from .charts import bar, curve, figure, key, strip
from .markup import Inside, document, section, table, tag
from .shown import FLAGGED, Shown, shown

KINDS = (("gap", "gap, filled"), ("missing", "missing"), ("flagged", "flagged as noise"))
#: Why a sample was flagged, for people.
REASONS = {"residual": "the cameras disagree", "jump": "jumps", "rigid": "leaves its rigid group"}
#: What a verdict is called on a page, and its colour.
VERDICTS = {"usual": ("Good", "good"), "look at it": ("To be looked at", "look"), "wrong": ("Wrong", "wrong")}


def take_page(name: str, arrays: Mapping[str, NDArray], report: Mapping[str, Any]) -> str:
    """The page, as HTML that needs nothing else.

    Args:
        name: Of the take.
        arrays: As in an npz: see `npz.arrays_of`.
        report: Of the same solve: see `build_report`.

    Raises:
        ValueError: They are of different takes.
        KeyError, TypeError, AttributeError: The report is none.
    """
    take = shown(name, arrays, report)
    # reports of older versions lack the second
    findings = [*report["findings"], *report.get("doubtful", ())]
    return document(
        name,
        *_head(take),
        _findings([each for each in findings if each["kind"] not in GROUPED]),
        _over_time(take),
        _worst(take),
        _samples(take),
        _by_marker(take),
        _corrections([each for each in findings if each["kind"] in GROUPED]),
        _contacts(take),
        _actor(take),
        tag("footer", "Written by Bonesetter. Frames are numbered as in the file, in Blender as in the scene."),
    )


def verdict(report: Mapping[str, Any]) -> tuple[str, str]:
    """What is to be said of a solve in a few words, and the class of its colour."""
    residual = report["marker_residual_mm"]["mean"]
    severe = sum(each["kind"] in SEVERE for each in report["findings"])
    if residual is None:
        return "No sample of a marker was used", "wrong"
    words, colour = VERDICTS["look at it" if severe and judged(residual) == "usual" else judged(residual)]
    usual = ", which is usual" if judged(residual) == "usual" else ""
    found = f", and {severe} finding{'s say' if severe > 1 else ' says'} what may be wrong" if severe else ""
    return f"{words}: the markers are {residual:.1f} mm from where they are solved{usual}{found}", colour


def shares(report: Mapping[str, Any]) -> dict[str, int]:
    """How many samples were flagged, by reason."""
    counts: dict[str, int] = {}
    for reasons in report["flagged"].values():
        for reason, count in reasons.items():
            counts[reason] = counts.get(reason, 0) + count
    return counts


def millimetres(value: float | None) -> str:
    """A distance for people."""
    return "none" if value is None else f"{value:.1f} mm"


def _head(take: Shown) -> list[Element]:
    residual, counts = take.report["marker_residual_mm"], shares(take.report)
    said, colour = verdict(take.report)
    lacking = np.mean(~take.present) if take.present.size else 0.0
    tiles = (
        (f"{take.frames}", f"frames at {take.rate_hz:g} Hz"),
        (f"{take.frames / take.rate_hz:.1f} s", "long"),
        (f"{len(take.labels)}", "markers"),
        (millimetres(residual["mean"]), "marker residual, mean"),
        (millimetres(residual["p95"]), "marker residual, 95 %"),
        (f"{100 * lacking:.1f} %", "samples missing"),
        (f"{sum(counts.values())}", "samples flagged"),
    )
    about = f"Up to {USUAL_MM:g} mm is usual, up to {LOOK_MM:g} mm is to be looked at, more is wrong."
    return [
        tag("h1", take.name),
        tag("p", said, class_=f"verdict {colour}"),
        tag("p", about, class_="about"),
        tag("div", *(tag("div", tag("b", value), tag("span", what), class_="tile") for value, what in tiles), class_="tiles"),
    ]


def _findings(findings: Sequence[Mapping[str, Any]]) -> Element:
    if not findings:
        return section("Findings", tag("p", "None."))
    ordered = sorted(findings, key=lambda each: (each["kind"] not in SEVERE, gravity(each["kind"])))
    rows: list[Sequence[Inside]] = []
    for each in ordered:
        kind = tag("span", str(each["kind"]), **({"class_": "look"} if each["kind"] in SEVERE else {}))
        rows.append((kind, str(each["text"]), _spans(each["frames"])))
    return section("Findings", table(("Kind", "What was found", "Frames"), rows), about="Those that the result may be wrong for first.")


def _over_time(take: Shown) -> Element:
    worst = np.where(
        take.trusted.any(axis=1), np.nanmax(np.where(take.trusted, take.residual_mm, -np.inf), axis=1, initial=-np.inf), np.nan
    )
    chart = curve(take.frame_residual_mm, worst, take.number, USUAL_MM)
    legend = key(("bar", "mean over the markers"), ("worst", "worst marker"))
    about = f"How far the samples are from where the solver puts their markers, by frame. The dashed line is at {USUAL_MM:g} mm."
    return section("Residual over time", chart, legend, about=about)


def _worst(take: Shown) -> Element:
    pictures: list[Element] = []
    for frame in take.worst_frames:
        residual = take.residual_mm[frame]
        far = [row for row in np.argsort(-np.nan_to_num(residual, nan=-1.0)).tolist() if np.isfinite(residual[row])][:3]
        named = ", ".join(f"{take.labels[row]} {residual[row]:.0f} mm" for row in far)
        said = f"Frame {take.number(frame)}: mean {take.frame_residual_mm[frame]:.1f} mm; {named}"
        pictures.append(tag("figure", figure(take, frame), tag("figcaption", said)))
    about = "From the front and from the left. Dots are samples, circles where the solver puts them; a line joins those that are far apart."
    legend = key(("left", "bones of the left"), ("right", "bones of the right"), ("sample", "samples"))
    return section("Worst frames", tag("div", *pictures, class_="figures"), legend, about=about)


def _samples(take: Shown) -> Element:
    rows = [(label, take.codes[:, row]) for row, label in enumerate(take.labels)]
    counts = shares(take.report)
    parts = [f"{count} {REASONS.get(reason, reason)}" for reason, count in sorted(counts.items(), key=lambda each: -each[1])]
    flagged = f"Flagged: {'; '.join(parts)}." if parts else "Nothing was flagged."
    return section("Gaps and flags", tag("p", flagged), strip(rows, KINDS, take.number), key(*KINDS), about="A row a marker, over time.")


def _by_marker(take: Shown) -> Element:
    means = take.report["marker_residual_mm"]["per_label"]
    most = max((value for value in means.values() if value is not None), default=0.0)
    order = sorted(range(len(take.labels)), key=lambda row: -(means[take.labels[row]] or 0.0))
    rows: list[Sequence[Inside]] = []
    for row in order:
        label, gaps = take.labels[row], take.gaps(row)
        known = take.residual_mm[:, row][take.trusted[:, row]]
        reasons = take.report["flagged"].get(label, {})
        longest = (gaps[:, 1] - gaps[:, 0]).max() / take.rate_hz if len(gaps) else 0.0
        rows.append(
            (
                label,
                millimetres(means[label]),
                bar(means[label], most),
                millimetres(float(np.percentile(known, 95)) if len(known) else None),
                f"{100 * np.mean(~take.present[:, row]):.1f} %",
                f"{len(gaps)}",
                f"{longest:.2f} s",
                f"{int((take.codes[:, row] == FLAGGED).sum())}",
                ", ".join(f"{count} {REASONS.get(reason, reason)}" for reason, count in reasons.items()),
            )
        )
    heads = ("Marker", "Mean", "", "95 %", "Missing", "Gaps", "Longest", "Flagged", "Why")
    about = "Residuals of the samples that are trusted, the farthest first."
    return section("By marker", table(heads, rows), about=about)


def _corrections(findings: Sequence[Mapping[str, Any]]) -> Element:
    if not findings:
        return section("Corrections of labels", tag("p", "None."))
    rows = [(str(each["kind"]), ", ".join(map(str, each["labels"])), _spans(each["frames"])) for each in findings]
    return section("Corrections of labels", table(("Kind", "Markers", "Frames"), rows))


def _contacts(take: Shown) -> Element:
    contacts = take.report["contacts"]
    rows: list[Sequence[Inside]] = []
    strips: list[tuple[str, NDArray[np.uint8]]] = []
    numbers = np.array([take.number(frame) for frame in range(take.frames)])
    for foot, soles in contacts.items():
        for part, sole in soles.items():
            rows.append((f"{foot}, {part}", f"{sole['spans']}", f"{sole['seconds']:.2f} s"))
            stands = np.zeros(take.frames, dtype=np.uint8)
            for first, last in sole.get("frames", ()):
                stands[(numbers >= first) & (numbers <= last)] = 1
            strips.append((f"{foot} {part}" if len(foot) < 10 else part, stands))
    if not rows:
        return section("Contacts of the feet", tag("p", "No foot was found standing, or feet were not locked."))
    chart = strip(strips, (("stands", "stands"),), take.number)
    return section("Contacts of the feet", chart, table(("Sole", "Contacts", "Stands"), rows))


def _actor(take: Shown) -> Element:
    lengths = np.linalg.norm(take.bones, axis=-1) * 100
    sides: dict[str, dict[str, float]] = {}
    for joint, parent in enumerate(take.parents):
        if parent >= 0 and lengths[joint] > 0:
            side = side_of(take.joints[joint])
            plain = re.sub(r"(?i)left|right", "", take.joints[joint]) if side else take.joints[joint]
            # one-letter sides only where the other side is called the same
            plain = plain[1:] if side and plain == take.joints[joint] else plain
            sides.setdefault(plain, {})[side or ""] = float(lengths[joint])
    rows: list[Sequence[Inside]] = []
    for name, found in sides.items():
        both = [f"{found[side]:.1f} cm" if side in found else "" for side in ("Left", "Right")]
        rows.append((name, *(both if "" not in found else (f"{found['']:.1f} cm", ""))))
    sigma = list(take.report["marker_sigma_mm"].items())[:5]
    least = f"Markers whose places are least sure: {', '.join(f'{label} ± {value:.1f} mm' for label, value in sigma)}." if sigma else ""
    parts: list[Inside] = [tag("p", least)] if least else []
    return section(
        "Actor", *parts, table(("From its parent to", "Left, or middle", "Right"), rows), about="Lengths of the bones as solved."
    )


def _spans(frames: Sequence[Sequence[int]]) -> str:
    """Frames in words; of many the first."""
    said = [f"{first} to {last}" if last != first else f"{first}" for first, last in frames[:8]]
    more = f" and {len(frames) - len(said)} more" if len(frames) > len(said) else ""
    return ", ".join(said) + more if said else "all"
