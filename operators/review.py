# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a take's markers beside where they are: what panel, overlay and strip draw.

Gathering a take and looking for its noise takes tenths of a second, so both are kept until markers, thresholds or the result change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

import bpy
import numpy as np

from ..model.core.errors import BonesetterError
from ..model.core.findings import Finding, finding_of
from ..model.core.settings import Settings
from ..model.core.take import FloatArray, IntArray, Take
from ..model.markers.preview import Flagged, Preview
from ..model.result.solved import SolvedMarkers
from ..model.review.states import Marks, States, across_gaps, states_of
from ..model.review.strip import Row, part_rows, without_subject
from .freshness import markers_digest
from .gather import gather_take
from .properties import settings_of
from .session import session
from .solved import solved_of
from .space import Space, Timing
from .takes import MUTED, markers, space_of, timing_of


@dataclass(eq=False)
class Review:
    """A take as it stands in the scene.

    Attributes:
        digest: Of the markers that were gathered.
        space: Where they lie in the scene.
        preview: The take, muted markers among them, and what the filter makes of it.
        marks: What the user says of its samples.
        world: (frames, labels, 3) in Blender units: where the markers are, NaN in gaps.
        bridged: The same with straight lines across gaps.
        rows: Of the strip.
        sticks: (pairs, 2) of markers that keep their distance, which are drawn joined.
        timing: The scene's frames of the samples.
        settings: With which `flagged` was found.
        flagged: By these settings.
        solved: Of the last solve, if there was one.
        states: Of all samples.
        solved_world: (frames, labels, 3) in Blender units: where the solve puts the markers, NaN where it does not.
        version: Grows whenever anything of it changes.
    """

    digest: str
    space: Space
    preview: Preview
    marks: Marks
    world: FloatArray
    bridged: FloatArray
    rows: tuple[Row, ...]
    sticks: IntArray
    timing: Timing
    settings: Settings
    flagged: Flagged
    result: str = ""
    solved: SolvedMarkers | None = None
    states: States = field(init=False)
    solved_world: FloatArray = field(init=False)
    version: int = 0

    @property
    def take(self) -> Take:
        return self.preview.take

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the user is shown of each label: it, without the subject that stands before all of them."""
        return without_subject(self.take.labels)

    def move(self, space: Space) -> None:
        """The same take where it lies now, as a whole."""
        self.space = space
        self.world = space.to_blender(self.take.positions).astype(np.float32)
        self.bridged = across_gaps(self.world)
        self.solved_world = space.to_blender(self.states.places).astype(np.float32)
        self.version += 1

    def places(self, sample: int) -> FloatArray:
        """(labels, 3): where the markers are shown at a sample: where they are, else where the solve puts them, else on the line across
        the gap; NaN where there is none."""
        unseen = np.where(np.isfinite(self.solved_world[sample]), self.solved_world[sample], self.bridged[sample])
        return np.where(np.isfinite(self.world[sample]), self.world[sample], unseen)

    def sample(self, frame: float) -> int:
        """The sample that is nearest to a frame of the scene; it may lie before the take or behind it."""
        return round((frame - self.timing.start) / self.timing.step)

    def frame(self, sample: int) -> int:
        """The frame of the scene on which a sample plays."""
        return round(self.timing.start + self.timing.step * sample)


def review_of(scene: bpy.types.Scene, collection: bpy.types.Collection) -> Review | None:
    """What is known of a take now; None where it has no markers left."""
    digest, settings, space = markers_digest(collection), settings_of(collection), space_of(collection, scene)
    known = session.reviews.get(collection.session_uid)
    if known is None or known.digest != digest:
        made = _gathered(scene, collection, digest, settings, space)
        if made is None:
            return None
        made.version = known.version + 1 if known is not None else 0
        known = session.reviews[collection.session_uid] = made
        _judge(collection, known)
    elif known.settings != settings or known.result != collection.bonesetter.result:
        if known.settings != settings:
            known.settings, known.flagged = settings, known.preview.flagged(settings)
        known.version += 1
        _judge(collection, known)
    if not np.array_equal(known.space.matrix, space.matrix):
        known.move(space)
    return known


def _gathered(scene: bpy.types.Scene, collection: bpy.types.Collection, digest: str, settings: Settings, space: Space) -> Review | None:
    try:
        take = gather_take(scene, collection, muted=True)
    except BonesetterError:
        return None
    shape = take.positions.shape[:2]
    muted = np.array([bool(marker.get(MUTED)) for marker in markers(collection).values()])
    preview = Preview(take, muted)
    marks = Marks(muted, take.pinned if take.pinned is not None else np.zeros(shape, dtype=bool))
    world = space.to_blender(take.positions).astype(np.float32)
    rows = part_rows(preview.known_labels, preview.marker_set)
    pairs = [pair for group in preview.rigid_groups for pair in combinations(group, 2)]
    sticks = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return Review(
        digest, space, preview, marks, world, across_gaps(world), rows, sticks, timing_of(collection), settings, preview.flagged(settings)
    )


def _judge(collection: bpy.types.Collection, review: Review) -> None:
    """Find the state of every sample anew."""
    if review.result != collection.bonesetter.result or review.solved is None:
        review.result, review.solved = collection.bonesetter.result, solved_of(collection)
    findings = [_on_samples(review, finding_of(json.loads(item.document))) for item in collection.bonesetter.findings if item.corrects]
    review.states = states_of(review.take, review.flagged, review.marks, review.settings.max_gap, review.solved, findings)
    review.solved_world = review.space.to_blender(review.states.places).astype(np.float32)


def _on_samples(review: Review, finding: Finding) -> Finding:
    """A finding of the scene's frames and of the marker set's labels, on the take's samples and the file's names."""
    frames = tuple((review.sample(first), review.sample(last)) for first, last in finding.frames)
    return replace(finding, labels=finding.markers, frames=frames)
