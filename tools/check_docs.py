#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the documentation: links and pictures lead somewhere, pictures are small, and a built site loads nothing from elsewhere.

Without options the Markdown files that git knows, as a forge shows them, in a fraction of a second; `make docs` checks the site, too.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
#: In bytes, of a picture, and of one that moves.
LARGEST_PICTURE, LARGEST_MOVING = 200_000, 1_000_000
#: What a WebP that moves has in its first bytes.
MOVES = b"ANIM"
FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2[^\n]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"!?\[[^\]\n]*\]\(([^)\s]+)\)")
#: A page of docs/ that prose, code or a message names.
NAMED = re.compile(r"(?<![\w./-])docs/[\w./-]+?\.(?:md|csv|webp|png|svg)\b")


def main() -> int:
    """Check; returns an exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], allow_abbrev=False)
    parser.add_argument("--site", type=Path, help="check this built site instead")
    arguments = parser.parse_args()
    wrong = list(problems_of_site(arguments.site) if arguments.site else problems_of_sources())
    print("\n".join(wrong) if wrong else "documentation: every link leads somewhere")
    return 1 if wrong else 0


def problems_of_sources() -> Iterator[str]:
    """One sentence for each thing that is wrong in the files that git knows."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    for path in paths:
        if path.is_relative_to(ROOT / "docs/images") and path.stat().st_size > (largest := largest_of(path)):
            yield f"{path.relative_to(ROOT)} is larger than {largest // 1000} kB"
        if path.suffix in {".md", ".py", ".toml"} or path.name == "Makefile":
            text = path.read_text(encoding="utf-8")
            for name in sorted(set(NAMED.findall(text))):
                if not (ROOT / name).exists():
                    yield f"{path.relative_to(ROOT)} names {name}, which is not there"
            if path.suffix == ".md":
                yield from problems_of_page(path, text)


def largest_of(picture: Path) -> int:
    """How large a picture may be, in bytes."""
    with picture.open("rb") as stream:
        return LARGEST_MOVING if MOVES in stream.read(64) else LARGEST_PICTURE


def problems_of_page(path: Path, text: str) -> Iterator[str]:
    """What is wrong with the links of a Markdown page."""
    for link in LINK.findall(CODE.sub("", FENCED.sub("", text))):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
        if not target.exists():
            yield f"{path.relative_to(ROOT)} links to {link}, which is not there"
        elif parts.fragment and target.suffix == ".md" and unquote(parts.fragment) not in anchors(target):
            yield f"{path.relative_to(ROOT)} links to {link}, and {target.name} has no such heading"


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as forges and Python-Markdown make them of plain headings."""
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    explicit = re.findall(r"\{#([\w-]+)\}|<a id=\"([\w-]+)\"", text)
    plain = {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}
    return plain | {one or other for one, other in explicit}


class _Loaded(HTMLParser):
    """Collects what a page loads and where it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.linked.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "alternate", "prev", "next"):
            self.loaded.append(given.get("href", ""))
        elif "src" in given:
            self.loaded.append(given["src"])


def problems_of_site(site: Path) -> Iterator[str]:
    """What a built site loads from elsewhere, or links to in vain."""
    pages = {path.resolve(): _read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site} holds no pages"
    for path, page in pages.items():
        # it is shown in any folder, so that its own links begin at the site's root
        if path.name == "404.html":
            continue
        name = path.relative_to(site.resolve())
        for address in [*page.loaded, *page.linked]:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") or parts.netloc:
                if address in page.loaded:
                    yield f"{name} loads {address}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if parts.scheme == "" and not target.exists():
                yield f"{name} refers to {address}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name} refers to {address}, and there is no such place"


def _read(path: Path) -> _Loaded:
    page = _Loaded()
    page.feed(path.read_text(encoding="utf-8"))
    return page


if __name__ == "__main__":
    sys.exit(main())
