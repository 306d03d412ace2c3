# SPDX-License-Identifier: GPL-3.0-or-later
"""What a solve returns, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..actors.actor import Actor
from ..core.findings import Finding, sentences
from ..core.take import BoolArray, CleanTake, FloatArray
from .contacts import Contact
from .prop import Prop
from .unheld import Unheld


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
        keyed: (frames, joints) whether markers tell of the joint's pose, so that it gets a key; None where all do.
        props: Objects in the take that markers sit on and nobody wears; of several people's take the first person's solution has them.
        floor_m: Where feet are found to stand, in metres on the take's axis; None where none does.
        unheld: The take before its feet were held; None where they were not.
    """

    clean: CleanTake
    actor: Actor
    rotations: FloatArray
    positions: FloatArray
    markers_model: FloatArray
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    contacts: tuple[Contact, ...] = ()
    findings: tuple[Finding, ...] = ()
    keyed: BoolArray | None = None
    props: tuple[Prop, ...] = ()
    floor_m: float | None = None
    unheld: Unheld | None = None

    def held(self) -> Solution:
        """With every guessed pose replaced by the joint's last known one, before that by its first: for formats that key every frame.

        A joint that no marker ever tells of stays in the zero pose. The joints' `positions` are the root's only: the others go unused.
        """
        if self.keyed is None or self.keyed.all():
            return self
        root = self.actor.skeleton.parents.index(-1)
        rotations, positions = self.rotations.copy(), self.positions
        # joint by joint, and copied only where something changes: both are large where a take is long
        for joint in np.flatnonzero(~self.keyed.all(axis=0)).tolist():
            known = self.keyed[:, joint]
            if not known.any():
                if joint != root:
                    rotations[:, joint] = (1.0, 0.0, 0.0, 0.0)
                continue
            last = np.maximum.accumulate(np.where(known, np.arange(len(known)), known.argmax()))
            rotations[:, joint] = self.rotations[last, joint]
            if joint == root:
                positions = self.positions.copy()
                positions[:, root] = self.positions[last, root]
        return replace(self, rotations=rotations, positions=positions)

    @property
    def warnings(self) -> list[str]:
        """The findings in sentences; see `sentences`."""
        return sentences(self.findings, self.clean.take.number)
