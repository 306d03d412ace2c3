#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep screenshots as the documentation's pictures: every PNG of a folder as WebP in another."""

import argparse
import sys
from pathlib import Path

from PIL import Image

#: Letters of the interface stay sharp, and a full screen stays below 100 kB.
QUALITY = 80


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
