# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user can set for a solve: the panel, the shell and the engine process share these names and defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields

from .take import BonesetterError


@dataclass(frozen=True)
class Settings:
    """Thresholds of the noise filter, and how to run.

    Attributes:
        max_speed: A sample that jumps off its neighbours' path faster than this between frames is noise, in m/s. The motion
            itself may be faster: no sample of our clean takes leaves its path at more than 3 m/s.
        rigid_tolerance: A distance inside a rigid group may leave its usual length by this much, in mm. Soft tissue reaches
            about 38 on our clean takes.
        max_residual: A sample whose C3D residual is larger is noise, in mm.
        max_gap: Gaps up to this long are filled from the markers around them, in s; longer ones are left to the solver.
        smooth: 0 keeps every wiggle of the markers, 1 smooths most.
        lock_feet: Hold heels and balls of feet at one place while they stand, instead of as still as their markers.
        device: A torch device, or "auto" for a GPU where torch finds one.
        workers: Threads that solve windows of frames side by side; 0 for one a core, and for one alone on a GPU. The result is the
            same, to the bit, for any number of them.
        seed: Of every random choice; the same input and seed give the same output.
    """

    max_speed: float = 5.0
    rigid_tolerance: float = 40.0
    max_residual: float = 10.0
    max_gap: float = 0.5
    smooth: float = 0.3
    lock_feet: bool = False
    device: str = "auto"
    workers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for threshold in fields(self):
            value = getattr(self, threshold.name)
            if isinstance(value, float) and not value >= 0:
                raise BonesetterError(f"{threshold.name} must be a number of at least 0, not {value}.")
        if self.smooth > 1:
            raise BonesetterError(f"smooth must lie between 0 and 1, not {self.smooth}.")
        if self.workers < 0:
            raise BonesetterError(f"workers must be a whole number of at least 0, not {self.workers}.")
        if not 0 <= self.seed < 2**32:
            raise BonesetterError(f"seed must be a whole number from 0 to {2**32 - 1}, not {self.seed}.")
