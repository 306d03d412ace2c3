# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as long as wanted: a synthetic minute played to and fro, in formats of bytes and of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from model.core.take import Take
from model.synthetic.synthesis import synthesise
from tests.model.c3d_bytes import C3D
from tests.model.text_files import trc, y_up


def write_long(path: str, frames: int) -> None:
    """Write a take as C3D, TRC or Motive's CSV, by the name's suffix; in a process of its own, since C3D takes much memory."""
    take = synthesise(60.0, seed=1).take
    there = np.concatenate([np.arange(take.frames), np.arange(take.frames - 2, 0, -1)])
    if path.endswith(".c3d"):
        Path(path).write_bytes(_c3d(take, np.resize(there, frames)))
        return
    delimiter = "\t" if path.endswith(".trc") else ","
    head, first = (_trc_head(take, frames), 1) if path.endswith(".trc") else (_csv_head(take, frames), 0)
    cells = [delimiter.join("" if np.isnan(cell) else f"{cell:.5f}" for cell in row.ravel()) for row in y_up(take.positions) * 1000]
    with Path(path).open("w", encoding="utf-8") as stream:
        stream.write(head)
        stream.writelines(_rows(cells, there, frames, first, take.rate_hz, delimiter))


def _rows(cells: list[str], there: np.ndarray, frames: int, first: int, rate_hz: float, delimiter: str) -> Iterator[str]:
    for frame in range(frames):
        yield f"{frame + first}{delimiter}{frame / rate_hz:.6f}{delimiter}{cells[there[frame % len(there)]]}\n"


def _c3d(take: Take, rows: np.ndarray) -> bytes:
    positions, frames = take.positions[rows], len(rows)
    quality = np.where(np.isnan(positions).any(axis=-1), -1.0, 0.0)
    points = np.nan_to_num(positions * 1000).astype(np.float32)
    more = {"POINT": {"LONG_FRAMES": float(frames)}}
    return C3D(points, take.labels, quality, parameters=more, rate=take.rate_hz, header={"last": min(frames, 65_535)}).bytes()


def _trc_head(take: Take, frames: int) -> str:
    lines = trc(take.positions[:1], take.labels, rate=f"{take.rate_hz:.2f}").split("\n")
    lines[2] = lines[2].replace("\t1\t", f"\t{frames}\t", 1)
    return "\n".join(lines[:6]) + "\n"


def _csv_head(take: Take, frames: int) -> str:
    count, rate = len(take.labels), f"{take.rate_hz:.6f}"
    said = f"Format Version,1.23,Take Name,hour,Capture Frame Rate,{rate},Export Frame Rate,{rate},Total Exported Frames,{frames}"
    names = ",".join(f"{label},{label},{label}" for label in take.labels)
    rows = (",Type" + ",Marker" * 3 * count, f",Name,{names}", "," + ",Position" * 3 * count, "Frame,Time (Seconds)" + ",X,Y,Z" * count)
    return "\n".join([f"{said},Length Units,Millimeters,Coordinate Space,Global", "", *rows]) + "\n"
