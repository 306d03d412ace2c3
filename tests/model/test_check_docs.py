# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/check_docs.py finds what is wrong with links, of pages and of a built site, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("check_docs", Path(__file__).resolve().parents[2] / "tools" / "check_docs.py")
assert SPEC is not None
assert SPEC.loader is not None
check_docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_docs)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a page](other.md), [a place](other.md#two-words), [here](#own), [elsewhere](https://example.org/x)", ""),
        ("[제목](other.md#오프라인-설치)", ""),
        ("`[code](gone.md)`\n\n```\n[code](gone.md)\n```", ""),
        ("[a page](gone.md)", "gone.md, which is not there"),
        ("![a picture](images/gone.png)", "images/gone.png, which is not there"),
        ("[a place](other.md#three)", "no such heading"),
        ("[here](#nowhere)", "no such heading"),
    ],
)
def test_links_of_a_page(tmp_path, monkeypatch, text, wrong):
    monkeypatch.setattr(check_docs, "ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# Two words\n\n## 오프라인 설치\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(f"# Own\n\n{text}\n", encoding="utf-8")
    said = list(check_docs.problems_of_page(page, page.read_text(encoding="utf-8")))
    assert len(said) == bool(wrong), said
    assert all(wrong in one for one in said)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ('<a href="b.html#place">b</a><a href="https://example.org">out</a><img src="c.png">', ""),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
        ('<a href="gone.html">x</a>', "gone.html, which is not there"),
        ('<img src="gone.png">', "gone.png, which is not there"),
        ('<a href="b.html#gone">x</a>', "no such place"),
    ],
)
def test_what_a_site_refers_to(tmp_path, body, wrong):
    (tmp_path / "a.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    (tmp_path / "b.html").write_text('<h2 id="place">b</h2>', encoding="utf-8")
    (tmp_path / "c.png").write_bytes(b"")
    said = list(check_docs.problems_of_site(tmp_path))
    assert len(said) == bool(wrong), said
    assert all(wrong in one for one in said)


def test_a_site_without_pages_is_wrong(tmp_path):
    assert list(check_docs.problems_of_site(tmp_path))
