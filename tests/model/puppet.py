# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer that knows the truth, and the script that lets it take part in a contest: `python puppet.py KEY ACTORS FOLDER RUNS`.

The repository's root must be on its path. It prints as libraries do, and gives up on what is no motion.
"""

from __future__ import annotations

import sys
from pathlib import Path

from model.actors.actor import Actor
from model.bench import contest, peers
from model.bench.peers import Solved
from model.core.errors import BonesetterError
from model.core.take import Take
from model.synthetic.synthesis import synthesise

SLOW = True


def version() -> str:
    return "1.0 of the puppet"


def solve(actor: Actor, take: Take) -> Solved:
    """The motion of which the tests' takes are made."""
    print("a library says something")
    if take.frames < 2:
        raise BonesetterError("A frame is no motion: take more.")
    motion = synthesise(seconds=take.frames / take.rate_hz).motion
    return Solved(motion, actor.only([actor.labels.index(label) for label in take.labels]).markers(motion))


if __name__ == "__main__":
    peers.PEERS["puppet"] = "Puppet"
    sys.modules["model.bench.peers.puppet"] = sys.modules["__main__"]
    contest.main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
