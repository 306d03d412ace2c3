# SPDX-License-Identifier: GPL-3.0-or-later
"""Elements of a page. All of it is a tree until it is written, so that no name of a file or a marker can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

from .style import STYLE

#: What stands in an element: other elements, and text.
Inside = Element | str
#: Says which pages are ours, and may be replaced.
GENERATOR = "Bonesetter"
#: The page runs nothing and loads nothing, whatever its content.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def tag(name: str, /, *inside: Inside, **attributes: str | float) -> Element:
    """An element. Attributes are named as in HTML, but for `class_`, and with underscores for hyphens."""
    element = Element(name, {key.rstrip("_").replace("_", "-"): _written(value) for key, value in attributes.items()})
    for each in inside:
        if isinstance(each, Element):
            element.append(each)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + each
        else:
            element.text = (element.text or "") + each
    return element


def table(heads: Sequence[str], rows: Iterable[Sequence[Inside]], **attributes: str) -> Element:
    """A table; cells that begin with a digit stand at the right."""
    body = [tag("tr", *(_cell(each) for each in row)) for row in rows]
    head = tag("thead", tag("tr", *(tag("th", each, scope="col") for each in heads)))
    # a wide table scrolls by itself, not the page with it
    return tag("div", tag("table", head, tag("tbody", *body), **attributes), class_="wide")


def _cell(content: Inside) -> Element:
    number = isinstance(content, str) and content[:1].isdigit()
    return tag("td", content, **({"class_": "number"} if number else {}))


def link(text: str, file_name: str) -> Element:
    """A link to a file in the same folder, whatever it is called."""
    return tag("a", text, href=f"./{quote(file_name.encode('utf-8', 'surrogateescape'))}")


def section(title: str, *inside: Inside, about: str = "") -> Element:
    """A part of a page under a heading, with a sentence on what is seen there."""
    said = [tag("p", about, class_="about")] if about else []
    return tag("section", tag("h2", title), *said, *inside)


def document(title: str, *inside: Inside) -> str:
    """A whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("title", title),
        tag("style", STYLE),
    )
    text = tostring(tag("html", head, tag("body", tag("main", *inside)), lang="en"), encoding="unicode", method="html")
    # names of files need not be text
    return "<!DOCTYPE html>\n" + text.encode("utf-8", "replace").decode("utf-8") + "\n"


def _written(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
