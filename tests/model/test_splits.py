# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests never trains, in whatever folder it lies."""

from pathlib import Path

import pytest

from model.core.errors import BonesetterError
from model.datasets import splits
from model.datasets.motion_library import read_clip


@pytest.mark.parametrize(
    "path",
    [
        "motion/cmu/07/07_03.amc",
        "motion/cmu/01/07_03.amc",
        "motion/cmu/01/7_3.amc",
        "motion/retargeted/cmu_10_11_14/11_01.bvh",
        "motion/retargeted/salsa/02_05_stageii.bvh",
        "motion/cmu/02/anything.amc",
        "motion/cmu/02/deeper/anything.amc",
        "takes/cmu_02_05/02_05.c3d",
        "takes/cmu_02_05/renamed.c3d",
        "takes/hdm05_dg/HDM_dg_06-03_03_120.c3d",
        "anywhere/HDM_dg_03-05_01_120.amc",
        "motion/other/vicon_bodylanguage/Forrest.Walking.AMC",
    ],
)
def test_held_out_motion_is_refused_anywhere(path: str) -> None:
    with pytest.raises(BonesetterError, match="train on other motion"):
        splits.check_trainable(Path(path))


@pytest.mark.parametrize(
    "path",
    [
        "motion/retargeted/salsa/07.bvh",
        "motion/retargeted/salsa/02.bvh",
        "motion/retargeted/salsa/11.bvh",
        "motion/retargeted/indian/07.bvh",
        "motion/retargeted/cmu_10_11_14/10_01.bvh",
        "motion/cmu/131/131_07.amc",
        "motion/cmu/01/01_02.amc",
        "motion/cmu/01/01_11.amc",
        "takes/hdm05_mm/HDM_mm_01-02_03_120.c3d",
        "takes/cmu_85_02/85_02.c3d",
    ],
)
def test_other_motion_may_train(path: str) -> None:
    splits.check_trainable(Path(path))


def test_a_link_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "07_03.amc").touch()
    (tmp_path / "harmless.amc").symlink_to(tmp_path / "07_03.amc")
    with pytest.raises(BonesetterError, match="subject 07"):
        splits.check_trainable(tmp_path / "harmless.amc")


def test_what_tests_neither_trains_nor_tunes() -> None:
    known = splits.load()
    held_out = set(known.never_subjects)
    assert held_out == {"02", "07", "11", "hdm05_dg"}
    assert set(known.test_subjects) < held_out
    assert {splits.subject_of(take) for take in known.test_takes} < held_out
    assert not held_out & set(known.train_subjects)
    assert not held_out & {splits.subject_of(take) for take in (*known.tuning_takes, *known.measured_takes, *known.fitted_takes)}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A motion folder with a clip of every training folder, and a held-out clip hidden in each."""
    known = splits.load()
    folders = [*(f"cmu/{subject}" for subject in (*known.train_subjects, *known.test_subjects)), *known.pose_folders]
    for number, folder in enumerate(folders):
        place = tmp_path / "motion" / folder
        place.mkdir(parents=True)
        own = place.name if place.parent.name == "cmu" else "07"
        for name in (f"{own}_02.amc" if own == place.name else "07.bvh", f"11_{number:02}.bvh", f"02_{number:02}.amc"):
            (place / name).touch()
    for clip in known.validation_clips:
        (tmp_path / "motion" / "cmu" / clip.split("_")[0] / f"{clip}.amc").touch()
    return tmp_path / "motion"


def test_a_held_out_clip_in_a_training_folder_is_left_out(planted: Path) -> None:
    train, poses, validation = (splits.files(split, planted) for split in ("train", "poses", "validation"))
    assert {path.stem for path in train} == {f"{subject}_02" for subject in splits.load().train_subjects}
    assert [path.parent.name for path in poses] == ["cmu_10_11_14", "indian", "salsa"]
    assert {path.stem for path in poses} == {"07"}
    assert {path.stem for path in validation} == set(splits.load().validation_clips)
    assert {path.parent.name for path in splits.files("test", planted)} == {"07", "11"}


def test_reading_a_held_out_clip_for_training_is_refused(planted: Path) -> None:
    with pytest.raises(BonesetterError, match="kept for testing"):
        read_clip(planted / "cmu" / "01" / "02_00.amc")


def test_an_amc_stands_before_the_bvh_made_of_it(planted: Path) -> None:
    (planted / "cmu" / "05" / "05_02.bvh").touch()
    assert [path.name for path in splits.files("train", planted) if path.stem == "05_02"] == ["05_02.amc"]


def test_no_data_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BonesetterError, match="BONESETTER_DATA"):
        splits.files("train", tmp_path)


def test_the_real_folders(motion_folder: Path) -> None:
    train, poses, validation, test = (splits.files(split, motion_folder) for split in ("train", "poses", "validation", "test"))
    assert {path.parent.name for path in train} == set(splits.load().train_subjects)
    assert {path.parent.name for path in validation} == set(splits.load().train_subjects), "every subject validates"
    assert {path.stem for path in validation} == set(splits.load().validation_clips)
    assert not set(train) & set(validation)
    assert {"07", "11"} < {path.stem for path in poses}, "dances are numbered like subjects, and are none"
    assert {path.stem for path in test} == {"07_03", "07_05", "11_01"}
    sizes = [sum(path.stat().st_size for path in paths if path.suffix == ".amc") for paths in (train, validation)]
    assert 0.06 < sizes[1] / sum(sizes) < 0.1
