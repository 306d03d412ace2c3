#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep screenshots as the documentation's pictures: every PNG of a folder as WebP in another, and every folder in it as one that moves."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

#: Letters of the interface stay sharp, and a full screen stays below 100 kB.
QUALITY = 80
#: Of a picture that moves: its width, how well it is kept, ms for a frame, and for the last one before it begins anew.
MOVING_WIDTH, MOVING_QUALITY, FRAME_MS, LAST_MS = 720, 55, 100, 1500


def main() -> int:
    """Convert; returns an exit code."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("source", type=Path, metavar="FROM")
    parser.add_argument("target", type=Path, metavar="TO")
    arguments = parser.parse_args()
    for path in sorted(arguments.source.glob("*.png")):
        kept = arguments.target / f"{path.stem}.webp"
        with Image.open(path) as picture:
            picture.convert("RGB").save(kept, quality=QUALITY, method=6)
        print(f"{kept}: {kept.stat().st_size / 1000:.0f} kB")
    for folder in sorted(path for path in arguments.source.iterdir() if path.is_dir()):
        if frames := sorted(folder.glob("*.png")):
            kept = arguments.target / f"{folder.name}.webp"
            keep_moving(frames, kept)
            print(f"{kept}: {len(frames)} frames, {kept.stat().st_size / 1000:.0f} kB")
    return 0


def keep_moving(frames: Sequence[Path], kept: Path) -> None:
    """Put frames into one picture that moves, for ever."""
    pictures: list[Image.Image] = []
    for path in frames:
        with Image.open(path) as picture:
            height = round(picture.height * MOVING_WIDTH / picture.width)
            pictures.append(picture.convert("RGB").resize((MOVING_WIDTH, height), Image.Resampling.LANCZOS))
    lasting = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
    pictures[0].save(kept, save_all=True, append_images=pictures[1:], duration=lasting, loop=0, quality=MOVING_QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main())
