# SPDX-License-Identifier: GPL-3.0-or-later
"""Several people whose points have no names: tracks are divided by whom they move with, each body is labelled by itself, then both compete.

Two points of a body are near each other and keep their distance; points of two bodies do so now and then at most, however near the people
come. Tracks are the nodes of a graph with such an affinity, and people are what it falls into (normalised cuts). A body that was labelled
by its own part of the tracks is then followed through the take, and every track, also a short one, goes to the label of the person on whose
bone it is stillest: so what the cut gave to the wrong one, or somebody else's track under a label, is put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from ..actors import prior as priors
from ..actors.actor import Actor
from ..actors.hierarchy import same_hierarchy
from ..actors.prior import Prior
from ..core.errors import BonesetterError
from ..core.findings import Finding
from ..core.parallel import side_by_side, usable_cores
from ..core.progress import StageProgress
from ..core.stretches import evenly
from ..core.take import BoolArray, FloatArray, IntArray, Take
from ..marker_sets.marker_set import MarkerSet
from ..markers.computed import without_computed
from ..solver.device import one_torch_thread
from .assignment import assign_tracks
from .evidence import Evidence, find_evidence
from .following import Followed, follow
from .key_frames import long_tracks
from .label import label_take
from .labelled import Labelled, columns_of, findings_of, relabelled, table
from .standing import with_standing_marked
from .template import Template, template_of_actor
from .tracks import OPEN, Tracks, cut_tracks

#: Tracks are divided within so many seconds, or up to twice as many.
STRETCH_SECONDS = 20.0
#: Frames in which tracks are compared, and in how many of them two must be together.
LOOKED_AT, FEWEST_TOGETHER = 200, 5
#: How little a distance within a body changes, and how near its points are, in m.
KEPT_M, NEAR_M = 0.04, 0.4
#: A cut that costs less than this part of either side's affinity lies between people: through a body it costs 0.08 to 0.2.
CUT = 0.06
#: Everybody has so many points at a time.
FEWEST_POINTS = 15
#: Somebody is there where he has so many points, and this part of those that he usually has: a foot that stands keeps its tracks where
#: frames are lost. Two are one who are there together for no more than this part of the time of either, and no farther apart then, in m;
#: in so many frames at most that is looked at.
FEW_POINTS, THERE_PART, TOGETHER, SAME_BODY_M, PATH_FRAMES = 6, 0.4, 0.02, 0.4, 6000
#: Rounds in which people compete for tracks.
ROUNDS = 3
#: Where the labels of each are found, of the whole.
LABELLED = 0.8


def label_people(
    take: Take,
    actor: Actor | None = None,
    marker_set: MarkerSet | None = None,
    prior: Prior | None = None,
    progress: StageProgress | None = None,
    workers: int | None = None,
) -> tuple[Labelled, ...]:
    """Find the labels of several people, see `label_take`; nothing where the tracks do not fall apart into people that can be labelled.

    Each one's take is named for the take and a number, and holds the tracks that are nobody's as well: they may continue a marker.
    """
    known, tell = prior or priors.bundled(), progress or (lambda _stage, _part: None)
    if actor is not None and not same_hierarchy(actor, known):
        return ()
    take, computed = without_computed(take)
    tracks = with_standing_marked(cut_tracks(take))
    parts = divided(tracks)
    if len(parts) < 2:
        return ()
    found: list[Labelled] = []
    try:
        for row, part in enumerate(parts):

            def said(stage: str, done: float, row: int = row) -> None:
                tell(stage, LABELLED * (row + done) / len(parts))

            found.append(label_take(only_tracks(take, tracks, part.all), actor, marker_set, known, said, workers))
    except BonesetterError:
        return ()
    with one_torch_thread(), side_by_side(workers or usable_cores()), torch.no_grad():
        people = compete(take, cut_as(found, tracks, take.labels), found, known)
    tell("compare", 1.0)
    several = Finding("subjects", f"{len(people)} people were found by motion, a take each.", numbers={"subjects": len(people)})
    return tuple(_with(person, (*computed, several)) for person in people)


def _with(person: Labelled, findings: tuple[Finding, ...]) -> Labelled:
    """With further findings, in front."""
    take = replace(person.take, findings=(*person.take.findings, *findings))
    return replace(person, take=take, findings=(*findings, *person.findings))


@dataclass(frozen=True, eq=False)
class Part:
    """Tracks among which those of one person are.

    Attributes:
        body: The person's by the cuts, ascending.
        beside: Those that no body has and that go with this one most: a shin that swings and was cut off, or a prop.
    """

    body: IntArray
    beside: IntArray

    @property
    def all(self) -> IntArray:
        """Both, ascending."""
        return np.sort(np.concatenate([self.body, self.beside]))


def divided(tracks: Tracks) -> list[Part]:
    """The long tracks of each person; of one person all of them.

    They are divided stretch by stretch: broken tracks of a longer take hang together so loosely that a cut in time costs less than one
    between people. Who is who in the next stretch tracks tell that reach into it; a body that has none is somebody who was away, or new,
    or goes on where all tracks end at once.
    """
    rows = long_tracks(tracks)
    bodies, beside = np.full(len(tracks), -1), np.full(len(tracks), -1)
    count = max(1, int(tracks.frames / tracks.rate_hz / STRETCH_SECONDS))
    edges, people = np.linspace(0, tracks.frames, count + 1).astype(int), 1
    for start, end in pairwise(edges.tolist()):
        here = rows[(tracks.starts[rows] < end) & (tracks.ends[rows] > start)]
        found = _divided_in(tracks, here, start, end)
        who = _the_same(found, bodies, np.minimum(tracks.ends, end) - np.maximum(tracks.starts, start), people)
        people = max(people, 1 + max(who))
        for person, part in zip(who, found, strict=True):
            for owners, own in ((bodies, part.body), (beside, part.beside)):
                owners[own] = np.where(owners[own] < 0, person, owners[own])
    beside[bodies >= 0] = -1
    parts = [Part(np.flatnonzero(bodies == person), np.flatnonzero(beside == person)) for person in range(people)]
    return united(parts, tracks)


def united(parts: Sequence[Part], tracks: Tracks) -> list[Part]:
    """The people, those as one who are never there together: between them everything was lost for a moment, or somebody was away.

    Of several who may go on, those do first who are nearest to each other where the one ends and the other begins.
    """
    frames = evenly(0, tracks.frames, PATH_FRAMES)
    parts, paths = list(parts), [_path(part.body, tracks, frames) for part in parts]
    ways = {(one, other): _way(paths[one], paths[other]) for other in range(len(parts)) for one in range(other)}
    gone = set[int]()
    while ways and np.isfinite(min(ways.values())):
        one, other = min(ways, key=lambda pair: ways[pair])
        first, second = parts[one], parts[other]
        parts[one] = Part(np.union1d(first.body, second.body), np.union1d(first.beside, second.beside))
        paths[one] = np.where(np.isnan(paths[one]), paths[other], paths[one])
        gone.add(other)
        ways = {pair: way for pair, way in ways.items() if other not in pair}
        ways |= {pair: _way(paths[pair[0]], paths[pair[1]]) for pair in ways if one in pair}
    return [part for row, part in enumerate(parts) if row not in gone]


def _path(body: IntArray, tracks: Tracks, frames: IntArray) -> FloatArray:
    """(frames, 3) in metres, the middle of a body's tracks in some frames; NaN where hardly any is there."""
    total, count = np.zeros((len(frames), 3)), np.zeros(len(frames))
    begins, ends = np.searchsorted(frames, tracks.starts[body]), np.searchsorted(frames, tracks.ends[body])
    for track, begin, end in zip(body.tolist(), begins.tolist(), ends.tolist(), strict=True):
        total[begin:end] += tracks.positions[frames[begin:end], tracks.columns[track]]
        count[begin:end] += 1
    usual = np.percentile(count[count > 0], 75) if count.any() else 0.0
    return np.where((count >= max(FEW_POINTS, THERE_PART * usual))[:, None], total / np.maximum(count, 1)[:, None], np.nan)


def _way(one: FloatArray, other: FloatArray) -> float:
    """In metres, from where one of two paths (frames, 3) ends to where the other begins.

    Infinite where both are there together: for an instant in which tracks end and begin one by one they may be, at one place.
    """
    first, second = (np.flatnonzero(np.isfinite(path[:, 0])) for path in (one, other))
    if not len(first) or not len(second):
        return np.inf
    both = np.intersect1d(first, second)
    if len(both) > TOGETHER * min(len(first), len(second)):
        return np.inf
    if len(both) and np.linalg.norm(one[both] - other[both], axis=-1).max() > SAME_BODY_M:
        return np.inf
    place = np.searchsorted(first, second)
    before, after = first[place.clip(1) - 1], first[place.clip(max=len(first) - 1)]
    nearest = np.where(np.abs(before - second) <= np.abs(after - second), before, after)
    next_to = int(np.abs(nearest - second).argmin())
    return float(np.linalg.norm(one[nearest[next_to]] - other[second[next_to]]))


def _divided_in(tracks: Tracks, rows: IntArray, start: int, end: int) -> list[Part]:
    """The same of some tracks within some frames."""
    frames = evenly(start, end, LOOKED_AT)
    every, places = np.arange(len(rows)), np.full(len(tracks), OPEN)
    places[rows] = every
    points = tracks.on_labels(places, len(rows), frames)
    affinity = affinities(points)
    bodies = _parts(affinity, np.isfinite(points[..., 0]), every)
    others = np.setdiff1d(every, np.concatenate(bodies))
    bonds = np.stack([affinity[np.ix_(others, body)].sum(axis=1) for body in bodies])
    nearest = np.where(bonds.max(axis=0) > 0, bonds.argmax(axis=0), -1)
    return [Part(rows[body], rows[others[nearest == person]]) for person, body in enumerate(bodies)]


def _the_same(found: Sequence[Part], bodies: IntArray, lengths: IntArray, people: int) -> list[int]:
    """Which person each of the bodies of a stretch is.

    Args:
        found: The bodies.
        bodies: (tracks,) whose each track is by the stretches before; -1 where that is not known.
        lengths: (tracks,) how many frames of the stretch each has.
        people: How many there are so far.
    """
    shared = np.zeros((len(found), people))
    for row, part in enumerate(found):
        known = part.body[bodies[part.body] >= 0]
        np.add.at(shared[row], bodies[known], lengths[known])
    who = [-1] * len(found)
    for row, person in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
        who[row] = int(person) if shared[row, person] > 0 else -1
    free = iter([person for person in range(people + len(found)) if person not in who])
    return [person if person >= 0 else next(free) for person in who]


def affinities(points: FloatArray) -> FloatArray:
    """(tracks, tracks) how much each two of the tracks (frames, tracks, 3) move together, weighted by how long they are both there."""
    count = points.shape[1]
    found = np.zeros((count, count))
    for row in range(count):
        distances = np.linalg.norm(points - points[:, row : row + 1], axis=-1)
        there = np.isfinite(distances)
        together = there.sum(axis=0)
        mean = np.where(there, distances, 0.0).sum(axis=0) / np.maximum(together, 1)
        variance = np.where(there, (distances - mean) ** 2, 0.0).sum(axis=0) / np.maximum(together, 1)
        found[row] = np.where(together >= FEWEST_TOGETHER, together * np.exp(-variance / KEPT_M**2 - (mean / NEAR_M) ** 2), 0.0)
    np.fill_diagonal(found, 0.0)
    return found


def _parts(affinity: FloatArray, there: BoolArray, rows: IntArray) -> list[IntArray]:
    """The bodies among some rows of the tracks, `there` (frames, tracks): cut in two as long as a cut lies between people or props."""
    if len(rows) < 2 * FEWEST_POINTS:
        return [rows]
    cost, first = best_cut(affinity[np.ix_(rows, rows)])
    sides = rows[first], rows[~first]
    bodies = [side for side in sides if np.percentile(there[:, side].sum(axis=1), 75) >= FEWEST_POINTS]
    if cost > CUT or not bodies:
        return [rows]
    # a side that is too small for a body is a prop, a limb, or what is left of broken tracks: the other may still be several people
    return [part for side in bodies for part in _parts(affinity, there, side)]


def best_cut(affinity: FloatArray) -> tuple[float, BoolArray]:
    """The cut of a graph in two along its second eigenvector: its cost, normalised by both sides, and (nodes,) who is on the first side."""
    degree = affinity.sum(axis=1) + 1e-9
    laplacian = np.eye(len(affinity)) - affinity / np.sqrt(degree[:, None] * degree)
    order = np.argsort(np.linalg.eigh(laplacian)[1][:, 1] / np.sqrt(degree), kind="stable")
    ranked, total = affinity[np.ix_(order, order)], degree.sum()
    inside = np.cumsum(degree[order])[:-1]
    # what goes from the first k to the others: their degrees without what stays among them, both ways
    among = np.cumsum(2 * np.tril(ranked, -1).sum(axis=1))[:-1]
    cut = np.maximum(inside - among, 0.0)
    costs = cut / inside + cut / (total - inside)
    best = int(np.argmin(costs))
    first = np.zeros(len(affinity), dtype=bool)
    first[order[: best + 1]] = True
    return float(costs[best]), first


def only_tracks(take: Take, tracks: Tracks, rows: Sequence[int] | IntArray) -> Take:
    """A take with the samples of some tracks."""
    positions = np.full_like(take.positions, np.nan)
    for row in rows:
        here = slice(tracks.starts[row], tracks.ends[row])
        positions[here, tracks.columns[row]] = take.positions[here, tracks.columns[row]]
    return replace(take, positions=positions)


def cut_as(found: Sequence[Labelled], tracks: Tracks, names: Sequence[str]) -> Tracks:
    """The tracks, cut where those of a person who was labelled were: see `passing.py`.

    Args:
        found: The people.
        tracks: Of the whole take.
        names: Of its columns.
    """
    begins = {(names.index(track.column), track.first) for person in found for track in person.tracks}
    while True:
        known = set(zip(tracks.columns.tolist(), tracks.starts.tolist(), strict=True))
        cuts: dict[int, int] = {}
        for column, frame in sorted(begins - known):
            (track,) = np.flatnonzero((tracks.columns == column) & (tracks.starts < frame) & (frame < tracks.ends))
            cuts.setdefault(int(track), frame)
        if not cuts:
            return tracks
        tracks, _ = tracks.parted(list(cuts.items()))


def compete(take: Take, tracks: Tracks, found: Sequence[Labelled], prior: Prior) -> list[Labelled]:
    """People who were labelled each by a part of the tracks, labelled by all of them."""
    templates = [template_of_actor(person.actor, prior) for person in found]
    labels = [_labels_of(person, tracks, take, template) for person, template in zip(found, templates, strict=True)]
    followed = [follow(template, tracks, own) for template, own in zip(templates, labels, strict=True)]
    for _ in range(ROUNDS):
        evidence = _judged(templates, tracks, labels, followed)
        new = _shared_out(tracks, [each.scores for each in evidence])
        if all(np.array_equal(now, before) for now, before in zip(new, labels, strict=True)):
            break
        labels = new
        followed = [follow(*each) for each in zip(templates, [tracks] * len(found), labels, followed, strict=True)]
    evidence = _judged(templates, tracks, labels, followed)
    taken = np.stack([own != OPEN for own in labels])
    people = []
    for row, person in enumerate(found):
        mine = np.flatnonzero(~np.delete(taken, row, axis=0).any(axis=0))
        scores, template = evidence[row].scores[mine], templates[row]
        people.append(_person(take, tracks, person, mine, labels[row][mine], scores, template, f"{take.name}.{row + 1}"))
    return people


def _judged(templates: Sequence[Template], tracks: Tracks, labels: Sequence[IntArray], followed: Sequence[Followed]) -> list[Evidence]:
    """The evidence of each person, for all tracks."""
    everybody = zip(templates, labels, followed, strict=True)
    return [find_evidence(template, tracks, own, body, gated=False) for template, own, body in everybody]


def _shared_out(tracks: Tracks, scores: Sequence[FloatArray]) -> list[IntArray]:
    """Each person's labels (tracks,), by scores (tracks, labels) of each: a track goes to one label of one person."""
    chosen = assign_tracks(np.concatenate(scores, axis=1), tracks)
    ends = np.cumsum([0, *(each.shape[1] for each in scores)])
    return [np.where((chosen >= start) & (chosen < end), chosen - start, OPEN) for start, end in pairwise(ends.tolist())]


def _labels_of(person: Labelled, tracks: Tracks, take: Take, template: Template) -> IntArray:
    """(tracks,) the labels that a person's part of the tracks got."""
    place = {label: row for row, label in enumerate(template.labels)}
    rows = {(take.labels[column], start): row for row, (column, start) in enumerate(zip(tracks.columns, tracks.starts, strict=True))}
    labels = np.full(len(tracks), OPEN)
    for track in person.tracks:
        if track.label in place and (row := rows.get((track.column, track.first))) is not None:
            labels[row] = place[track.label]
    return labels


def _person(
    take: Take, tracks: Tracks, person: Labelled, mine: IntArray, labels: IntArray, scores: FloatArray, template: Template, name: str
) -> Labelled:
    """A person with those of the tracks that are nobody else's, and their labels and scores."""
    still = None if tracks.still is None else tracks.still[mine]
    own = replace(tracks, columns=tracks.columns[mine], starts=tracks.starts[mine], ends=tracks.ends[mine], still=still)
    columns = columns_of(own, labels, template.labels)
    rows = table(take, own, labels, scores, template, columns)
    name_of_set = person.marker_set.name if person.marker_set else template.name
    said = findings_of(name_of_set, rows, take.rate_hz, own.still, tracks.images[mine])
    named = replace(relabelled(take, own, columns), name=name, findings=(*take.findings, *said))
    return Labelled(named, tuple(rows), person.actor, person.marker_set, said)
