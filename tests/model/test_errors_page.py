# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/errors.md has every sentence that the code can raise, and none that it no longer does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
#: What the page writes where a sentence has a name or a number of the case.
BLANK = "…"
#: Rooms whose sentences only developers meet; the page says where to look for them.
LEFT_OUT = ("model/bench", "model/core/scores.py", "model/datasets", "model/study", "model/synthetic", "model/training")
RAISED = ("BonesetterError", "InstallError", "TooFewLabelsError", "UsageError")
#: Functions that make a sentence for somebody else to raise.
MAKERS = {"lacking", "_unusable", "obituary", "_obituary", "_broken", "_refused", "_failed"}


def written(node: ast.expr) -> str | None:
    """A string as the page writes it; None for what is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else BLANK for part in node.values)
    return None


def raised(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for said in told(node):
            # of a sentence that is wholly made elsewhere there is nothing to compare
            if said is not None and re.search(r"\w{3}", said.replace(BLANK, "")):
                yield re.sub(rf"{BLANK}(?:\W?{BLANK})+", BLANK, said)


def told(node: ast.AST) -> list[str | None]:
    """What a node of the code tells the user."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
        return [written(node.args[0])]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "report":
        # Blender's operators, which say some errors themselves
        return [written(node.args[1])] if "ERROR" in ast.dump(node.args[0]) else []
    if isinstance(node, ast.FunctionDef) and node.name in MAKERS:
        return [written(each.value) for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None]
    return []


def sentences() -> dict[str, str]:
    """{sentence: the module that raises it}."""
    found: dict[str, str] = {}
    for folder in ("installer", "model", "operators", "ui"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith(LEFT_OUT):
                found |= dict.fromkeys(raised(ast.parse(path.read_text(encoding="utf-8"))), place)
    return found


def listed() -> set[str]:
    """The sentences of the page: the code in the first column of its tables."""
    rows = re.findall(r"^\| (`.+?`) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {sentence for row in rows for sentence in re.findall(r"`(.+?)`(?:<br>|$)", row)}


def test_every_sentence_is_on_the_page():
    missing = {sentence: place for sentence, place in sentences().items() if sentence not in listed()}
    assert not missing, f"describe these in docs/errors.md: {missing}"


def test_page_lists_no_other_sentence():
    assert listed(), "docs/errors.md lists nothing"
    assert not listed() - set(sentences())
