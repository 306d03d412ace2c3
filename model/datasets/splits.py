# SPDX-License-Identifier: GPL-3.0-or-later
"""Which motion and which takes train, validate, tune and test: `splits.toml`, and the refusal to train on what tests."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ..core.errors import BonesetterError

SPLITS = Path(__file__).parent / "splits.toml"

Split = Literal["train", "poses", "validation", "test"]

#: A clip of CMU (`07_03`) or a take's folder (`cmu_02_05`), and a clip of HDM05 (`HDM_dg_06-03_03_120`) or its folder (`hdm05_dg`).
_CMU_CLIP = re.compile(r"(?:cmu[_-]?)?0*(\d+)_\d", re.IGNORECASE)
_HDM05_CLIP = re.compile(r"hdm(?:05)?_([a-z]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Splits:
    """The lists of `splits.toml`.

    Attributes:
        never_subjects: Train nothing.
        never_folders: Their motion trains nothing that is shipped.
        train_subjects: CMU subjects whose motion and bones train.
        pose_folders: Folders below `motion/` with poses on a common skeleton.
        rates_hz: Rate of every file in a folder of this name, whatever the file says.
        damaged_from: Frame of a clip's file that is the first not to be read.
        validation_clips: Clips of the training subjects that do not train.
        test_subjects: CMU subjects whose motion makes synthetic tests.
        test_takes: Real takes that test.
        tuning_takes: Real takes that parameters may be chosen on.
        measured_takes: Takes whose marker offsets come from the lab's own skeleton.
        fitted_takes: Takes whose marker offsets come from our own fit.
    """

    never_subjects: tuple[str, ...]
    never_folders: tuple[str, ...]
    train_subjects: tuple[str, ...]
    pose_folders: tuple[str, ...]
    rates_hz: dict[str, float]
    damaged_from: dict[str, int]
    validation_clips: tuple[str, ...]
    test_subjects: tuple[str, ...]
    test_takes: tuple[str, ...]
    tuning_takes: tuple[str, ...]
    measured_takes: tuple[str, ...]
    fitted_takes: tuple[str, ...]


@lru_cache(maxsize=1)
def load() -> Splits:
    """The bundled splits."""
    lists = tomllib.loads(SPLITS.read_text(encoding="utf-8"))
    return Splits(
        never_subjects=tuple(lists["never"]["subjects"]),
        never_folders=tuple(lists["never"]["folders"]),
        train_subjects=tuple(lists["train"]["subjects"]),
        pose_folders=tuple(lists["train"]["poses"]),
        rates_hz=dict(lists["rates_hz"]),
        damaged_from=dict(lists["damaged_from"]),
        validation_clips=tuple(lists["validation"]["clips"]),
        test_subjects=tuple(lists["test"]["subjects"]),
        test_takes=tuple(lists["test"]["takes"]),
        tuning_takes=tuple(lists["tuning"]["takes"]),
        measured_takes=tuple(lists["offsets"]["measured"]),
        fitted_takes=tuple(lists["offsets"]["fitted"]),
    )


def subject_of(name: str) -> str | None:
    """The subject that a file's stem or a folder names; None where it names none, as `07` alone in a folder of dances does.

    >>> subject_of("07_03"), subject_of("cmu_02_05"), subject_of("HDM_dg_06-03_03_120"), subject_of("07")
    ('07', '02', 'hdm05_dg', None)
    """
    if clip := _CMU_CLIP.match(name):
        return clip[1].zfill(2)
    if clip := _HDM05_CLIP.match(name):
        return f"hdm05_{clip[1].lower()}"
    return None


def clip_name(path: Path) -> str:
    """What a clip is called: as the labs call it (`01_02`), with its folder where that is only a number (`salsa/07`)."""
    return path.stem if subject_of(path.stem) else f"{path.parent.name}/{path.stem}"


def check_trainable(path: Path) -> None:
    """Refuse what must not train, by the names of the file and of every folder above it, also behind links.

    Raises:
        BonesetterError: A held-out subject's, or of unknown licence.
    """
    never = load()
    for place in (path, path.resolve()):
        folders = place.parts[:-1]
        for subject in (subject_of(place.stem), *folders, *map(subject_of, folders)):
            if subject in never.never_subjects:
                raise BonesetterError(f"{path} is subject {subject}, which is kept for testing: train on other motion.")
        for folder in never.never_folders:
            if folder in folders:
                raise BonesetterError(f"{path} is from {folder}, whose licence is unknown: train on other motion.")


def is_trainable(path: Path) -> bool:
    """Whether `check_trainable` lets the file pass."""
    try:
        check_trainable(path)
    except BonesetterError:
        return False
    return True


def files(split: Split, motion: Path) -> list[Path]:
    """The motion files of a split, in order. What must not train is in none that trains or validates, wherever it lies.

    Args:
        split: Which.
        motion: The data's folder `motion`.

    Raises:
        BonesetterError: A folder is missing or empty.
    """
    splits = load()
    if split == "test":
        return [path for subject in splits.test_subjects for path in _clips(motion / "cmu" / subject)]
    if split == "poses":
        found = [path for folder in splits.pose_folders for path in _clips(motion / folder)]
        found = [path for path in found if splits.damaged_from.get(clip_name(path)) != 0]
    else:
        found = [path for subject in splits.train_subjects for path in _clips(motion / "cmu" / subject)]
        found = [path for path in found if (path.stem in splits.validation_clips) == (split == "validation")]
    return [path for path in found if is_trainable(path)]


def _clips(folder: Path) -> list[Path]:
    """Every clip of a folder once: an AMC rather than the BVH made of it."""
    clips = {path.stem: path for suffix in ("bvh", "amc") for path in sorted(folder.glob(f"*.{suffix}"))}
    if not clips:
        raise BonesetterError(f"There is no motion in {folder}: point BONESETTER_DATA at the data's folder.")
    return [clips[stem] for stem in sorted(clips)]
