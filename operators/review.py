# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a take's markers beside where they are: what panel, overlay and strip draw.

Gathering a take and looking for its noise takes tenths of a second, so both are kept until markers or thresholds change.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..model.core.settings import Settings
from ..model.core.take import BonesetterError
from ..model.markers.preview import Flagged, Preview
from .freshness import markers_digest
from .gather import gather_take
from .properties import settings_of
from .session import session


@dataclass(eq=False)
class Review:
    """A take as it stands in the scene.

    Attributes:
        digest: Of the markers that were gathered.
        preview: The take, and what the filter makes of it.
        settings: With which `flagged` was found.
        flagged: By these settings.
    """

    digest: str
    preview: Preview
    settings: Settings
    flagged: Flagged


def review_of(scene: bpy.types.Scene, collection: bpy.types.Collection) -> Review | None:
    """What is known of a take now; None where it has no markers left."""
    digest, settings = markers_digest(collection), settings_of(collection)
    known = session.reviews.get(collection.session_uid)
    if known is None or known.digest != digest:
        try:
            preview = Preview(gather_take(scene, collection))
        except BonesetterError:
            return None
        known = session.reviews[collection.session_uid] = Review(digest, preview, settings, preview.flagged(settings))
    elif known.settings != settings:
        known.settings, known.flagged = settings, known.preview.flagged(settings)
    return known
