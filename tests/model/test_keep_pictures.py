# SPDX-License-Identifier: GPL-3.0-or-later
"""Screenshots become the documentation's pictures, and a folder of them one that moves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_docs import LARGEST_MOVING, LARGEST_PICTURE, largest_of

ROOT = Path(__file__).resolve().parents[2]


def test_screenshots_are_kept_and_a_folder_of_them_moves(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    source, target = tmp_path / "from", tmp_path / "to"
    (source / "tour").mkdir(parents=True)
    (source / "empty").mkdir()
    target.mkdir()
    image.new("RGB", (1000, 600), "navy").save(source / "still.png")
    for number, colour in enumerate(("navy", "maroon", "green")):
        image.new("RGB", (1000, 600), colour).save(source / "tour" / f"{number:03d}.png")
    run = subprocess.run([sys.executable, ROOT / "tools" / "keep_pictures.py", source, target], capture_output=True, text=True, check=True)
    assert sorted(path.name for path in target.iterdir()) == ["still.webp", "tour.webp"]
    assert "tour.webp: 3 frames" in run.stdout
    # a picture that moves may be larger
    assert (largest_of(target / "still.webp"), largest_of(target / "tour.webp")) == (LARGEST_PICTURE, LARGEST_MOVING)
    with image.open(target / "still.webp") as still:
        assert still.size == (1000, 600)
    with image.open(target / "tour.webp") as moving:
        assert (moving.n_frames, moving.size, moving.info["loop"]) == (3, (720, 432), 0)
        moving.seek(1)
        red, green, blue = moving.convert("RGB").getpixel((300, 200))
        assert red > 100 > max(green, blue)
