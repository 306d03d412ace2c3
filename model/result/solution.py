# SPDX-License-Identifier: GPL-3.0-or-later
"""What a solve returns, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..actors.actor import Actor
from ..core.findings import Finding, sentences
from ..core.take import CleanTake, FloatArray
from .contacts import Contact


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved take: poses of the actor and the solver's own markers, on the take's own axes, in metres.

    Attributes:
        clean: The cleaned input, its labels put right.
        actor: The actor fitted or given.
        rotations: (frames, joints, 4) local unit quaternions w x y z from the zero pose; the root's turns the ASF's axes
            (y up, facing +z, left +x) onto the take's.
        positions: (frames, joints, 3).
        markers_model: (frames, labels, 3): where the solver puts each marker, for every frame.
        seconds: {stage: seconds}, disjoint.
        contacts: When which sole of a foot stands.
        findings: What the user should know, from the reading of the file to the last stage.
    """

    clean: CleanTake
    actor: Actor
    rotations: FloatArray
    positions: FloatArray
    markers_model: FloatArray
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    contacts: tuple[Contact, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> list[str]:
        """The findings in sentences; see `sentences`."""
        return sentences(self.findings, self.clean.take.number)
