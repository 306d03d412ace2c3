# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network says of poses beside where to begin: how sure it is of them, and which samples it believes.

Poses are pulled to it where they are hidden, weakly: it was trained on poses of others, and a coordinate whose markers are seen is
known better. Samples that it doubts count less while the robust kernel is too wide to tell: later it knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from .frames import Between
from .kinematics import Body
from .topology import ROOT_DOF

#: How much of the network's precision is believed of a coordinate whose markers are all hidden, and the power with which that falls as
#: more of them are seen. Its errors go on from frame to frame, and it has seen the samples that the fit sees.
ADVICE_WEIGHT, ADVICE_POWER = 0.1, 4
#: Reliabilities count while the robust kernel's scale is at least this, in metres.
WIDE_SCALE_M = 0.1


@dataclass(frozen=True, eq=False)
class Advice:
    """Of F frames that follow on one another.

    Attributes:
        q: (F, coordinates) in radians.
        precision: (F, coordinates) in 1/rad^2: how sure the network is.
        reliability: (F, labels): the probability that a sample is its marker's.
    """

    q: Tensor
    precision: Tensor
    reliability: Tensor

    def __getitem__(self, frames: Tensor | slice) -> Advice:
        return Advice(self.q[frames], self.precision[frames], self.reliability[frames])

    def to(self, like: Tensor) -> Advice:
        """With the type and on the device of that tensor."""
        return Advice(*(part.to(like) for part in (self.q, self.precision, self.reliability)))

    def on(self, labels: Sequence[str], wanted: Sequence[str]) -> Advice:
        """Of the `wanted` markers, from that of `labels`; nothing is held against a marker of which nothing was said."""
        reliability = self.reliability.new_ones(len(self.q), len(wanted))
        for row, label in enumerate(wanted):
            if label in labels:
                reliability[:, row] = self.reliability[:, labels.index(label)]
        return replace(self, reliability=reliability)

    def where_hidden(self, body: Body, visible: Tensor) -> Advice:
        """Believed as far as a coordinate's markers are hidden; `visible` (F, 6 + coordinates) is the part of them that is seen."""
        moves_some = (body.topology.joint_influence.sum(1) > 0)[body.topology.coordinate_joints]
        hidden = (1 - visible[:, ROOT_DOF:]) ** ADVICE_POWER * moves_some
        return replace(self, precision=ADVICE_WEIGHT * hidden * self.precision)

    def of_all(self, between: Between) -> Advice:
        """Of all frames, from those that it is of."""
        return Advice(*(between.values(part) for part in (self.q, self.precision, self.reliability)))
