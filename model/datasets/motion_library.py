# SPDX-License-Identifier: GPL-3.0-or-later
"""All motion of a split, on the CMU hierarchy and the ASF's axes, from a cache that is remade when a source changes."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..core.errors import BonesetterError
from ..core.motion import Motion
from ..core.skeleton import CMU_JOINTS, CMU_PARENTS, Skeleton
from ..core.take import FloatArray
from ..files.asf_amc import AsfSkeleton, read_amc, read_asf
from ..files.bvh import read_bvh
from ..storage.atomic import replacing
from . import splits
from .lab_takes import PROJECT, data_folder
from .retarget import onto_cmu, repaired
from .splits import Split

#: To be raised when the cache's own layout changes; what the readers make of the files changes with their source.
FORMAT = 1
#: What the numbers of the cache depend on beside the data, below `model/`.
READERS = (
    "files/asf_amc.py",
    "files/bvh.py",
    "core/motion.py",
    "datasets/retarget.py",
    "core/skeleton.py",
    "datasets/splits.toml",
    "weights/prior.safetensors",
)


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip of motion.

    Attributes:
        name: As `splits.clip_name` has it.
        subject: Who moves, or the folder where nobody says.
        motion: On the CMU hierarchy and the ASF's axes (y up), in float32.
    """

    name: str
    subject: str
    motion: Motion


def cache_folder() -> Path:
    """Where caches are: BONESETTER_CACHE, or out/cache in the project."""
    return Path(os.environ.get("BONESETTER_CACHE") or PROJECT / "out" / "cache")


def read_split(split: Split, data: Path | None = None, cache: Path | None = None) -> list[Clip]:
    """All motion of a split, in the same order every time.

    The first call reads the files, later ones a cache. Whether it came from the cache makes no difference to the numbers.

    Args:
        split: "train", "poses" (retargeted: their bones say nothing), "validation" or "test" (for synthetic takes only).
        data: The data's folder (default: `data_folder()`).
        cache: The folder of the cache (default: `cache_folder()`).

    Raises:
        BonesetterError: The data lacks something or cannot be read.
    """
    motion = (data or data_folder()) / "motion"
    paths = splits.files(split, motion)
    key = _key(motion, paths)
    path = (cache or cache_folder()) / f"motion-{split}.safetensors"
    clips = _read_cache(path, key)
    if clips is None:
        clips = [read_clip(source, train=split != "test") for source in paths]
        # a cache is a convenience: where it cannot be written, the next call takes longer
        with suppress(BonesetterError, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_cache(path, key, clips)
    return clips


def read_clip(path: Path, train: bool = True) -> Clip:
    """One motion file on the CMU hierarchy: an AMC or cgspeed's exact BVH with the ASF next to it, or a retargeted BVH.

    Args:
        path: A BVH in a folder with an ASF is the exact one, any other is retargeted.
        train: Whether it may train; what may not is refused.

    Raises:
        BonesetterError: The file cannot be read, or it is to train and must not.
    """
    if train:
        splits.check_trainable(path)
    asf = next(iter(sorted(path.parent.glob("*.asf"))), None)
    try:
        motion = _retargeted(path) if asf is None else _exact(path, read_asf(asf))
    except BonesetterError as error:
        raise BonesetterError(f"{path}: {error}") from error
    small = replace(motion, rotations=motion.rotations.astype(np.float32), root=motion.root.astype(np.float32))
    return Clip(splits.clip_name(path), splits.subject_of(path.stem) or path.parent.name, small)


def _exact(path: Path, asf: AsfSkeleton) -> Motion:
    if path.suffix == ".bvh":
        return repaired(read_bvh(path, asf.metres_per_unit), asf)
    return read_amc(path, asf)


def _retargeted(path: Path) -> Motion:
    if path.suffix != ".bvh":
        raise BonesetterError("there is no ASF next to it: put the subject's skeleton into its folder.")
    known = splits.load()
    motion = read_bvh(path, rate_hz=known.rates_hz.get(path.parent.name))
    end = known.damaged_from.get(splits.clip_name(path))
    return onto_cmu(replace(motion, rotations=motion.rotations[:end], root=motion.root[:end]))


def _key(motion: Path, clips: list[Path]) -> str:
    """What the cache was made of: every source with its size and time, the readers among them."""
    folders = {clip.parent for clip in clips}
    skeletons = sorted(path for folder in folders for path in folder.glob("*.asf"))
    here = Path(__file__).parents[1]
    readers = [here / name for name in READERS]
    stamps = [_stamp(path, motion) for path in (*clips, *skeletons)] + [_stamp(path, here) for path in readers]
    return json.dumps([FORMAT, *stamps])


def _stamp(path: Path, base: Path) -> tuple[str, int, int]:
    status = path.stat()
    return path.relative_to(base).as_posix(), status.st_size, status.st_mtime_ns


def _write_cache(path: Path, key: str, clips: Iterable[Clip]) -> None:
    """Three tensors a clip; their names, rates and checksums in the header."""
    tensors, facts = {}, []
    for number, clip in enumerate(clips):
        arrays = (clip.motion.rotations, clip.motion.root, clip.motion.skeleton.bones)
        tensors |= {f"{number}.{part}": np.ascontiguousarray(array) for part, array in enumerate(arrays)}
        facts.append((clip.name, clip.subject, clip.motion.rate_hz, _checksum(arrays)))
    with replacing(path, binary=True) as stream:
        stream.write(save(tensors, {"key": key, "clips": json.dumps(facts)}))


def _read_cache(path: Path, key: str) -> list[Clip] | None:
    """The clips, or None where there is no cache, an old one or a damaged one."""
    clips = []
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata()
            if header["key"] != key:
                return None
            for number, (name, subject, rate_hz, checksum) in enumerate(json.loads(header["clips"])):
                rotations, root, bones = arrays = [file.get_tensor(f"{number}.{part}") for part in range(3)]
                if _checksum(arrays) != checksum:
                    return None
                clips.append(Clip(name, subject, Motion(Skeleton(CMU_JOINTS, CMU_PARENTS, bones), rotations, root, rate_hz)))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return clips


def _checksum(arrays: Iterable[FloatArray]) -> int:
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
    return checksum
