# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension says to people in Blender, found in its source: texts of panels and tooltips, reports, errors and findings.

A part of a sentence that is only known at run time is written {0}, {1} and so on; what stands side by side counts as one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Rooms and files whose sentences nobody meets in Blender.
LEFT_OUT = (
    "model/bench",
    "model/core/scores.py",
    "model/datasets",
    "model/files/asf_amc.py",
    "model/files/bvh.py",
    "model/files/npz.py",
    "model/pages",
    "model/shell",
    "model/study",
    "model/synthetic",
    "model/training",
    "operators/batch.py",
    "operators/batch_rig.py",
    "installer/__main__.py",
    "model/files/output.py",
)
RAISED = ("BonesetterError", "InstallError", "TooFewLabelsError")
#: Functions of Blender's side that show their arguments, and which.
SHOWING = {"wrapped": 2, "_draw_missing": 2, "_row": 1, "report": 1, "poll_message_set": 0, "status_text_set": 0}
#: Functions whose strings are shown by others.
MAKERS = {"repair", "_spoken", "out_of_date", "newer", "settle", "lacking", "_unusable", "obituary", "_obituary", "_broken", "_refused"}
MAKERS |= {"_failed", "description", "_said"}
#: Tables and texts that are shown from elsewhere.
TABLES = {"STAGES", "JUDGED", "NAMES", "PARTS", "OTHER", "GROUPED", "LACKING", "OFFLINE", "NOTHING", "GONE", "TRAVEL", "FILES"}
KEYWORDS = ("text", "placeholder", "heading")
#: Sentences of findings end so, wherever they are made.
SENTENCE = re.compile(r"^[A-Z{].* .*\.$", re.DOTALL)
WORD = re.compile(r"[A-Za-z]{2}")


def messages() -> dict[str, str]:
    """{text: the file that says it}."""
    found: dict[str, str] = {}
    for folder in ("installer", "model", "operators", "ui"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith(LEFT_OUT):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            said = of_blender(tree) if folder in ("operators", "ui") else of_engine(tree)
            for text in said:
                if WORD.search(re.sub(r"\{\d\}", "", text)):
                    found.setdefault(text, place)
    return found


def written(node: ast.AST | None) -> Iterator[str]:
    """The texts that an expression may be."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield template(node)
    elif isinstance(node, ast.IfExp):
        yield from written(node.body)
        yield from written(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from written(value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("translated", "reported"):
        yield from written(node.args[0])


def template(node: ast.JoinedStr) -> str:
    """A text with {0}, {1}, ... for what is only known at run time."""
    parts = [part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "\0" for part in node.values]
    pieces = re.split("\0+", "".join(parts))
    return "".join(piece + (f"{{{number}}}" if number < len(pieces) - 1 else "") for number, piece in enumerate(pieces))


def of_engine(tree: ast.Module) -> Iterator[str]:
    """What the engine or the installer raises or finds."""
    documents = {id(document) for node in ast.walk(tree) for document in _documents(node)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in RAISED and node.args:
            yield from written(node.args[0])
        elif isinstance(node, ast.Call) and _name(node.func) == "report" and node.args:
            # a stage of the installation
            yield from written(node.args[0])
        elif isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in documents | inside:
            yield from (text for text in written(node) if SENTENCE.match(text) and WORD.search(text))
        yield from _made(node)


def of_blender(tree: ast.Module) -> Iterator[str]:
    """What the panel and the operators show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _called(node)
        if isinstance(node, ast.ClassDef):
            yield from _declared(node)
        if isinstance(node, ast.FunctionDef):
            yield from _named_first(node)
        if isinstance(node, ast.For):
            # rows of a box
            yield from _items(node.iter)
        yield from _made(node)


def _called(call: ast.Call) -> Iterator[str]:
    name = _name(call.func)
    for keyword in call.keywords:
        if keyword.arg in KEYWORDS:
            yield from written(keyword.value)
    if name in SHOWING and len(call.args) > SHOWING[name]:
        yield from written(call.args[SHOWING[name]])
    if name in RAISED or name == "translated":
        yield from written(call.args[0])
    if name.endswith("Property"):
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        # of what has no name nothing is shown
        if "name" in given:
            yield from written(given["name"])
            yield from written(given.get("description"))
        if isinstance(given.get("items"), ast.Tuple):
            yield from _items(given["items"])
    if name == "Setting":
        yield from (text for argument in call.args for text in written(argument))


def _named_first(function: ast.FunctionDef) -> Iterator[str]:
    """Of texts that a function gives a name before it shows them."""
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign | ast.NamedExpr) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            named.setdefault(_name(target), []).append(node.value)
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and (place := SHOWING.get(_name(call.func))) is not None and len(call.args) > place:
            shown = call.args[place]
            if isinstance(shown, ast.Call) and _name(shown.func) == "translated":
                shown = shown.args[0]
            for value in named.get(_name(shown), []):
                yield from written(value)


def _declared(node: ast.ClassDef) -> Iterator[str]:
    for part in node.body:
        if isinstance(part, ast.Assign) and _name(part.targets[0]) in ("bl_label", "wanted"):
            yield from written(part.value)
    if "_OT_" in node.name and (said := ast.get_docstring(node)):
        yield " ".join(said.split())


def _made(node: ast.AST) -> Iterator[str]:
    """Of functions that make a sentence, and of tables."""
    if isinstance(node, ast.FunctionDef) and node.name in MAKERS:
        for each in ast.walk(node):
            if isinstance(each, ast.Return):
                yield from written(each.value)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if _name(target) in TABLES and node.value is not None:
            yield from _items(node.value, short=_name(target) == "NAMES")


def _items(node: ast.AST, short: bool = False) -> Iterator[str]:
    """The words in a table, not its keys: texts of several words, or beginning with a capital and going on in small letters."""
    skipped = {id(key) for part in ast.walk(node) if isinstance(part, ast.Dict) for key in part.keys}
    skipped |= {id(inner) for part in ast.walk(node) if isinstance(part, ast.JoinedStr) for inner in ast.walk(part)}
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in skipped:
            text = part.value
            yield from [text] if short or " " in text or re.match(r"[A-Z][a-z]", text) else []


def _documents(node: ast.AST) -> Iterator[ast.expr]:
    """The docstring of a module, a class or a function."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body and isinstance(node.body[0], ast.Expr):
        yield node.body[0].value


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
