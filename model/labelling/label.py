# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels for a take whose points have none: the stages of `docs/labelling.md`, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.parallel import side_by_side, usable_cores
from ..core.progress import Progress, StageProgress, part_of, shares
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet, bare_name, bundled_marker_sets
from ..markers.computed import without_computed
from ..markers.matching import COMPUTED
from ..proposer.starts import Initialise
from ..solver.device import one_torch_thread
from .assignment import assign_tracks, with_more
from .bare_ends import with_bare_ends
from .choice import TRIAL_POSES, Choice
from .evidence import find_evidence
from .following import follow
from .ill_fitting import with_better_fits
from .key_frames import FEWEST, LONG_SECONDS, KeyFrames, choose_key_frames, long_tracks
from .labelled import Labelled, columns_of, findings_of, relabelled, table
from .layout import set_of_actor
from .looking import Hints, Somebody, find_somebody
from .other_distances import near_each_other, other_distances, with_own_distances
from .passing import find_passings
from .refinement import Refined, group_cost, refine
from .registration import register, upright, votes
from .rigidity import mixed_up, unlike
from .standing import with_standing_marked
from .strays import strays
from .swaps import exchanged_back
from .template import Template
from .tracks import OPEN, Tracks, cut_tracks
from .unknown import label_unknown
from .unreached import with_unreached

#: A body is looked for among at least so many points.
FEWEST_POINTS = 10
#: In a take there is a key frame for each so many seconds, or for this part of how long tracks last where that is less.
APART_SECONDS, APART_PART = 5.0, 0.5
#: But no more than this.
MOST_KEYS = 300
#: The legs of somebody who sits have more than this part of all samples; planted feet do not.
MUCH_STANDS = 0.15
#: So often a track may change its marker.
MOST_CHANGES = 3
#: How often labels are opened, and doubtful ones again only where they are no more than this part of all: the others are to tell of them.
ATTEMPTS, FEW_DOUBTFUL = 4, 0.2
#: Where each stage begins and ends, of the whole; of the first, which part it takes to find somebody in a few key frames.
STAGES, FOUND = {"look": (0.0, 0.4), "label": (0.4, 0.75), "compare": (0.75, 1.0)}, 0.8


def label_take(
    take: Take,
    actor: Actor | None = None,
    marker_set: MarkerSet | None = None,
    prior: Prior | None = None,
    progress: StageProgress | None = None,
    workers: int | None = None,
    *,
    unknown_set: bool = False,
    sets: Sequence[MarkerSet] | None = None,
) -> Labelled:
    """Find the labels of a take by motion. What the take's columns are called does not matter.

    Args:
        take: Of one person; tracks may begin, end and change column at any time.
        actor: Fitted to another take with the same markers, or None.
        marker_set: Which the person wears; None for the bundled one that fits best. Not used where an actor is given.
        prior: What is known of people; None for the bundled one.
        progress: Called with a stage and the part of the whole that is done, 0 to 1.
        workers: Threads; None for as many as there are cores. The result is the same for any number.
        unknown_set: The markers are of no set that is known; else that is found out, where no set explains the take.
        sets: Those that are known; None for the bundled ones.

    Raises:
        BonesetterError: No body is found in it.
    """
    known = prior or priors.bundled()
    with one_torch_thread(), side_by_side(workers or usable_cores()), torch.no_grad():
        what = Hints(actor, marker_set, known, tuple(sets or bundled_marker_sets()), unknown_set)
        return _label(take, what, progress or (lambda _stage, _part: None))


def _label(take: Take, what: Hints, progress: StageProgress) -> Labelled:
    """See `label_take`."""
    progress("look", 0.0)
    if take.frames < LONG_SECONDS * take.rate_hz:
        raise BonesetterError(
            f"{take.name} has {take.frames} frames, too few to find labels by motion: take a quarter of a second or more."
        )
    take, tracks, computed = tracked(take)
    keys = choose_key_frames(tracks, FEWEST)
    if not len(keys.frames) or keys.there.sum(axis=1).max() < FEWEST_POINTS:
        raise BonesetterError(f"{take.name} has fewer than {FEWEST_POINTS} points near each other in any frame: nobody can be found in it.")

    look, label, compare = (part_of(lambda part, stage=stage: progress(stage, part), *ends) for stage, ends in STAGES.items())
    tracks, found = _looked_for(take, tracks, keys, what, part_of(look, 0.0, FOUND))
    # who is of unusual size is labelled as somebody of usual size
    own, choice = tracks.shrunk(found.size), found.choice
    if choice is not None:
        template = choice.template if choice.template.given else choice.template.scaled(choice.registration.size)
        initialise = what.initialise
        first = first_labels(choice, template, found.keys, own, part_of(look, FOUND, 1.0))
        refined = refine(template, own, first, initialise, label)
        refined = with_unreached(template, own, refined, choice.registration.most_believed, initialise)
        refined = with_better_fits(template, own, refined, initialise)
        tracks, own, refined = looked_over(template, tracks, own, refined, initialise, compare)
        refined = with_bare_ends(template, own, refined, initialise)
    else:
        template, refined = label_unknown(take, own, found.keys, found.candidates, what.people, label)
        keys = found.keys

        def made_again(parts: Tracks, _: IntArray, origins: IntArray) -> tuple[Template, Refined]:
            nonlocal keys
            keys = keys.of_parts(parts, origins)
            return label_unknown(take, parts, keys, found.candidates, what.people)

        tracks, own, template, refined = _unmixed(tracks, own, template, refined, made_again)
        refined = with_better_fits(template, own, refined)
    progress("compare", 1.0)
    lost = strays(template.joints, own, refined.labels, refined.evidence)
    refined = replace(refined, labels=np.where(lost, OPEN, refined.labels))
    return labelled(take, tracks, template, refined, computed, found.size)


def tracked(take: Take) -> tuple[Take, Tracks, tuple[Finding, ...]]:
    """A take without its computed points, its tracks, and what is said of these points."""
    take, computed = without_computed(take)
    take = take.only([row for row, label in enumerate(take.labels) if not COMPUTED.search(bare_name(label.rpartition(":")[2]))])
    return take, with_standing_marked(cut_tracks(take)), computed


def looked_over(
    template: Template, tracks: Tracks, own: Tracks, refined: Refined, initialise: Initialise | None, progress: Progress | None = None
) -> tuple[Tracks, Tracks, Refined]:
    """The labels, put right where tracks are mixed, labels exchanged, or distances of others; and the tracks, cut where they are mixed.

    Args:
        template: The body.
        tracks: Of the take.
        own: The same, of somebody of usual size.
        refined: Found of these.
        initialise: See `follow`.
        progress: Called with the part that is done.
    """
    told = shares(progress)

    def refined_again(parts: Tracks, labels: IntArray, _: IntArray) -> tuple[Template, Refined]:
        return template, refine(template, parts, labels, initialise)

    tracks, own, template, refined = _unmixed(tracks, own, template, refined, refined_again)
    refined = _by_distances(template, own, refined, initialise)
    return tracks, own, reopened(template, own, compared(template, own, refined, initialise, next(told)), initialise, next(told))


def _unmixed(
    tracks: Tracks,
    own: Tracks,
    template: Template,
    refined: Refined,
    again: Callable[[Tracks, IntArray, IntArray], tuple[Template, Refined]],
) -> tuple[Tracks, Tracks, Template, Refined]:
    """The tracks, cut where they change their marker, and what is found of these.

    Args:
        tracks: Of the take.
        own: The same, of somebody of usual size.
        template: The body.
        refined: Found of its tracks.
        again: Finds it of tracks that were cut, with their labels and the tracks whose parts they are, both (parts,).
    """
    for _ in range(MOST_CHANGES):
        passings = find_passings(own, refined.followed, refined.evidence)
        if not passings:
            break
        tracks, _ = tracks.parted(passings)
        own, origins = own.parted(passings)
        mixed = np.isin(origins, [passing.track for passing in passings])
        template, refined = again(own, np.where(mixed, OPEN, refined.labels[origins]), origins)
    return tracks, own, template, refined


def _looked_for(take: Take, tracks: Tracks, keys: KeyFrames, what: Hints, progress: Progress | None) -> tuple[Tracks, Somebody]:
    """Who is found in key frames; with what stands while others move, where a whole set explains the take only so: somebody sits."""
    much = tracks.still is not None and tracks.lengths[tracks.still].sum() > MUCH_STANDS * tracks.lengths.sum()
    parts, found, refused = shares(progress), list[tuple[Tracks, Somebody]](), list[BonesetterError]()
    for some in (tracks, replace(tracks, still=None)) if much else (tracks,):
        own = keys if some is tracks else choose_key_frames(some, FEWEST)
        try:
            somebody = find_somebody(take, own, what, next(parts))
        except BonesetterError as error:
            refused.append(error)
            continue
        if what.unknown_set or somebody.wears_all:
            return some, somebody
        found.append((some, somebody))
    if not found:
        raise refused[-1]
    # half a set explains it where no whole one does
    return next((one for one in found if one[1].choice is not None), found[0])


def labelled(take: Take, tracks: Tracks, template: Template, refined: Refined, computed: tuple[Finding, ...], size: float) -> Labelled:
    """What is handed on, of somebody so many times as large as the actor that was refined."""
    columns = columns_of(tracks, refined.labels, template.labels)
    rows = table(take, tracks, refined.labels, refined.evidence.scores, template, columns)
    said = (*computed, *findings_of(template.name, rows, take.rate_hz, tracks.still, tracks.images))
    actor, marker_set = refined.followed.actor.of_size(size), template.marker_set
    if template.made:
        actor = actor.only([row for row in range(len(actor.labels)) if (refined.labels == row).any()])
        marker_set = set_of_actor(actor, take.name)
    found = replace(relabelled(take, tracks, columns), findings=(*take.findings, *said))
    return Labelled(found, tuple(rows), actor, marker_set, said)


def first_labels(choice: Choice, template: Template, keys: KeyFrames, tracks: Tracks, progress: Progress | None = None) -> IntArray:
    """(tracks,) labels of what is there in key frames: those of the choice, and in a longer take more, so that one is near at any time.

    Other tracks get labels where a body can be followed, which is where some have labels: each round reaches no farther than tracks last.

    Args:
        choice: Of the template.
        template: The same, of the person's size.
        keys: By which it was chosen.
        tracks: Of the take.
        progress: Called with the part that is done.
    """
    first = choice.registration
    found = votes(first, keys, first.believed, template.spread, len(tracks))
    wanted = key_frame_count(tracks)
    if wanted > len(keys.frames):
        more = choose_key_frames(tracks, wanted)
        second = register(replace(template, given=True), more, upright(tracks.up_axis), TRIAL_POSES, progress)
        believed = np.flatnonzero(second.costs <= first.most_believed)
        found += votes(second, more, believed, template.spread, len(tracks))
    return assign_tracks(found, tracks, long_tracks(tracks))


def key_frame_count(tracks: Tracks) -> int:
    """How many key frames a take has, so that one is near at any time of a track without a name."""
    long = long_tracks(tracks)
    long = long[~tracks.have_names[long]]
    if not len(long):
        return 0
    # as a sample has it: most samples are in the longest tracks
    lasting = np.average(tracks.lengths[long], weights=tracks.lengths[long]) / tracks.rate_hz
    return min(MOST_KEYS, int(tracks.frames / tracks.rate_hz / min(APART_SECONDS, APART_PART * lasting)))


def compared(
    template: Template, tracks: Tracks, refined: Refined, initialise: Initialise | None, progress: Progress | None = None
) -> Refined:
    """The labels, those exchanged that fit better so.

    Poses that were followed by wrong labels fit these, and tracks that were mixed stay so. So tracks of doubtful labels are opened, and the
    body is followed by all others before they are labelled again.
    """
    opened, parts = set[int](), shares(progress)
    for _ in range(ATTEMPTS):
        exchanges = exchanged_back(template, tracks, refined.labels, refined.followed, refined.evidence)
        if exchanges.done:
            refined = refine(template, tracks, exchanges.labels, initialise, next(parts))
        many = len(exchanges.doubtful) > FEW_DOUBTFUL * len(template.labels)
        if opened.issuperset(exchanges.doubtful) or (opened and many):
            break
        opened.update(exchanges.doubtful)
        first = tracks.opened(refined.labels, np.isin(refined.labels, exchanges.doubtful))
        again = refine(template, tracks, first, initialise, next(parts))
        if not group_cost(template, tracks, again) < group_cost(template, tracks, refined):
            break
        same = (again.labels == refined.labels).all()
        refined = again
        if same:
            break
    return refined


def reopened(
    template: Template, tracks: Tracks, refined: Refined, initialise: Initialise | None, progress: Progress | None = None
) -> Refined:
    """The labels, tracks labelled anew that are not as far from others of their joint as their labels are elsewhere, while that helps."""
    told = shares(progress)
    refined = _by_distances(template, tracks, refined, initialise)
    parts, other = _unlike(template, tracks, refined.labels)
    for _ in range(ATTEMPTS):
        wrong = mixed_up(parts, tracks)
        if not wrong.any():
            break
        again = refine(template, tracks, tracks.opened(refined.labels, wrong), initialise, next(told))
        again = _by_distances(template, tracks, again, initialise)
        left, still = _unlike(template, tracks, again.labels)
        # a track that keeps some label's distances is not put right by having none
        left[other & (again.labels == OPEN)] = 1.0
        if left @ tracks.lengths >= parts @ tracks.lengths:
            break
        refined, parts, other = again, left, still
    return refined


def _by_distances(template: Template, tracks: Tracks, refined: Refined, initialise: Initialise | None) -> Refined:
    """The labels, tracks given the label whose distances they keep where the body agrees, and open ones what fits beside these.

    The body is followed by all but the last.
    """
    labels = with_own_distances(_near(template), tracks, refined.labels, refined.evidence.scores)
    if (labels == refined.labels).all():
        return refined
    followed = follow(template, tracks, labels, refined.followed, initialise)
    evidence = find_evidence(template, tracks, labels, followed, gated=False)
    return replace(refined, labels=with_more(evidence.scores, tracks, labels), followed=followed, evidence=evidence)


def _unlike(template: Template, tracks: Tracks, labels: IntArray) -> tuple[FloatArray, BoolArray]:
    """(tracks,) the part of each one's distances that is not what it is between these labels; and which keep another label's."""
    parts, other = unlike(np.array(template.joints), tracks, labels), np.zeros(len(tracks), dtype=bool)
    other[[each.track for each in other_distances(_near(template), tracks, labels)]] = True
    return np.where(other, 1.0, parts), other


def _near(template: Template) -> BoolArray:
    return near_each_other(template.joints, template.actor.skeleton.parents)
