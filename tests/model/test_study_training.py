# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the study from their files to trained weights: on what they train, what they report, when they end, which are refused."""

from __future__ import annotations

from dataclasses import asdict
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.prior import bundled
from model.core.errors import BonesetterError
from model.core.skeleton import CMU_JOINTS
from model.shell.cli import main
from model.study import train as command
from model.study.joint_network import read_network
from model.study.losses import Prediction
from model.study.outputs import OUTPUTS
from model.study.train import still_improved
from model.study.trainer import Epoch, Trainer
from model.training.curve import read_log

from .study_runs import CPU, NODS, TINY, identical, read, state, tables, timeless, toml, trained, weights


def nods(local: Tensor) -> np.ndarray:
    """How far everybody nods in a pool, in degrees."""
    neck = local[:, :, CMU_JOINTS.index("Neck1")].reshape(-1, 3, 3).double().numpy()
    return np.degrees(Rotation.from_matrix(neck).magnitude())


@pytest.mark.usefixtures("library")
def test_the_command_trains_and_goes_on_and_begins_again(tmp_path, capsys, prior):
    path, folder = tmp_path / "tiny.toml", tmp_path / "runs" / "tiny"
    path.write_text(toml(tables(training={"epochs": 2})))
    arguments = ["train", str(path), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    assert main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:2]] == [f"tiny {epoch}/2" for epoch in (1, 2)]
    assert said[2].startswith("tiny ended")
    assert said[2].endswith("weights.safetensors")
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt", "curve.png", "log.csv", "weights.safetensors"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    log = read_log(folder / "log.csv")
    assert [epoch.epoch for epoch in log] == [1, 2]
    assert log[-1].train_loss < log[0].train_loss
    assert log[-1].validation_loss < log[0].validation_loss
    assert all(np.diff([epoch.seconds for epoch in log]) > 0)
    network, facts = read_network(folder / "weights.safetensors", prior)
    assert facts == asdict(min(log, key=lambda epoch: epoch.validation_loss))
    assert network.run == read(training={"epochs": 2})
    # what is finished is left alone
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert main(arguments) == 0
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert capsys.readouterr().out.startswith("tiny ended")
    # another run of the same name is refused, and nothing is lost
    path.write_text(toml(tables(seed=1, training={"epochs": 1})))
    assert main(arguments) == 1
    refused = capsys.readouterr().err.strip()
    assert refused == f"{folder} holds another run, or an older form of this one: begin again with --restart."
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    first = weights(folder)
    (folder / "mine.txt").touch()
    assert main([*arguments, "--restart"]) == 0
    assert not (folder / "mine.txt").exists()
    assert len(read_log(folder / "log.csv")) == 1
    assert not identical(weights(folder), first)


@pytest.mark.usefixtures("library", "no_pictures")
def test_several_runs_are_trained_one_after_the_other_unless_one_is_none(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(toml(tables(training={"epochs": 1})))
    runs = [str(tmp_path / name) for name in ("a.toml", "b.toml", "c.toml")]
    assert main(["train", *runs, "--out", str(tmp_path / "runs")]) == 1
    assert "There is no run" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists(), "it is said before hours of training"
    assert main(["train", *runs[:2], "--out", str(tmp_path / "runs")]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b"]


@pytest.mark.usefixtures("library")
def test_a_seed_decides_everything(tmp_path):
    whole = [trained(tmp_path / name, read(seed=seed)) for name, seed in (("a", 3), ("b", 3), ("c", 4))]
    assert timeless(whole[0]) == timeless(whole[1])
    assert identical(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert whole[0][0].train_loss != whole[2][0].train_loss


def test_validation_is_on_motion_that_training_never_saw(library, prior, tmp_path):
    trainer = Trainer(read(normalise="axis"), tmp_path, prior, CPU)
    assert sorted(library) == ["train", "validation"]
    for number in range(3):
        np.testing.assert_allclose(nods(trainer.generator.pool(number).local), NODS["train"], atol=0.02)
    np.testing.assert_allclose(nods(trainer.validation.local), NODS["validation"], atol=0.02)
    assert len(trainer.validation.place) == TINY["validation_clips"]
    # it is the same for every seed, so that runs can be compared
    other = Trainer(read(seed=5), tmp_path, prior, CPU)
    assert torch.equal(other.validation.features, trainer.validation.features)
    assert not torch.equal(other.generator.pool(0).features, trainer.generator.pool(0).features)


@pytest.mark.parametrize("split", ["test", "validation"])
@pytest.mark.usefixtures("library")
def test_no_run_trains_on_what_tests_or_validates(prior, tmp_path, split):
    with pytest.raises(BonesetterError, match=split):
        Trainer(read(training={"motion": ["train", split]}), tmp_path, prior, CPU)


@pytest.mark.usefixtures("library")
def test_the_errors_that_are_told_are_degrees_and_millimetres(prior, tmp_path):
    trainer = Trainer(read(loss={"geodesic": 1.0}), tmp_path, prior, CPU)
    pool = trainer.validation
    angle, root = np.radians(3.0), 0.007
    off = torch.from_numpy(Rotation.from_rotvec([0.0, angle, 0.0]).as_matrix()).float()
    given = iter(pool.cut(1)[rows] for rows in torch.arange(pool.frames).split(4096))

    def answer(features: Tensor) -> Prediction:
        piece = next(given)
        assert torch.equal(piece.features, features)
        return Prediction((piece.local @ off).flatten(-2), piece.place + torch.tensor([0.0, root, 0.0]), OUTPUTS["matrix"])

    fixed = Mock(side_effect=answer, output=OUTPUTS["matrix"], usual=trainer.network.usual)
    trainer.network = fixed
    degrees, millimetres, loss = trainer._validate()
    assert degrees == pytest.approx(3, abs=0.02)
    assert millimetres == pytest.approx(7, abs=0.01)
    assert loss == pytest.approx(angle + root / 3, abs=1e-3)
    fixed.eval.assert_called_once()


@pytest.mark.usefixtures("library")
def test_patience_ends_a_run_that_no_longer_gets_better(tmp_path, capsys):
    run = read(training={"epochs": 50, "patience": 2, "learning_rate": 0.0})
    history = trained(tmp_path / "tiny", run)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    before = (tmp_path / "tiny" / "checkpoint.pt").stat().st_mtime_ns
    command.train_run(run, tmp_path / "tiny", "cpu", restart=False, speaks=True)
    assert capsys.readouterr().out.startswith("tiny ended early; best epoch 1: ")
    assert (tmp_path / "tiny" / "checkpoint.pt").stat().st_mtime_ns == before, "it stays ended"
    assert read_network(tmp_path / "tiny" / "weights.safetensors", bundled())[1]["epoch"] == 1


@pytest.mark.usefixtures("library")
def test_a_cooldown_adds_epochs_at_the_lowest_learning_rate(prior, tmp_path):
    short = trained(tmp_path / "short", read(training={"epochs": 2}))
    run = read(training={"epochs": 4, "cooldown": 2})
    trainer, rates = Trainer(run, tmp_path / "long", prior, CPU), list[float]()
    trainer.train(lambda _epoch: rates.append(trainer.optimiser.param_groups[0]["lr"]))
    assert timeless(trainer.history)[:2] == timeless(short)
    assert rates[2:] == pytest.approx([0.01 * run.training.learning_rate] * 2)
    assert rates[0] > rates[1] > rates[2]


@pytest.mark.usefixtures("library")
def test_the_best_epochs_weights_are_kept(tmp_path, monkeypatch):
    wanted = iter([0.5, 0.3, float("nan")])
    monkeypatch.setattr(Trainer, "_validate", lambda self: (1.0, 1.0, next(wanted)))
    trained(tmp_path / "tiny", read())
    assert read_network(tmp_path / "tiny" / "weights.safetensors", bundled())[1]["epoch"] == 2
    assert not identical(weights(tmp_path / "tiny"), state(tmp_path / "tiny")["network"])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "lstm"}, "There is no network 'lstm'"),
        ({"options": {"depth": 1}}, "no option 'depth'"),
        ({"loss": {"huber": 1.0}}, "There is no loss 'huber'"),
        ({"corruption": {"blur": {}}}, 'no corruption "blur"'),
        ({"joint_weights": {"Tail": 2.0}}, "There is no joint 'Tail' to weigh: the joints are Hips, "),
        ({"training": {"window": 24, "batch": 5}}, "too small|batch"),
    ],
)
def test_a_run_that_cannot_be_is_one_sentence_before_anything_is_written(prior, tmp_path, more, said):
    with pytest.raises(BonesetterError, match=said):
        Trainer(read(**more), tmp_path / "tiny", prior, CPU)
    assert not (tmp_path / "tiny").exists()


@pytest.mark.usefixtures("library", "no_pictures")
@pytest.mark.parametrize(
    "more",
    [
        {"training": {"window": 25}},
        {"training": {"window": 0}},
        {"training": {"batch": 1000}},
        {"training": {"clips": 0}},
        {"training": {"epochs": 0}},
        {"training": {"epochs": 2, "cooldown": 2}},
        {"training": {"cooldown": -1}},
        {"training": {"motion": []}},
        {"seed": -1},
        {"output": "matrix", "loss": {"quaternion": 1.0}},
    ],
    ids=str,
)
def test_settings_that_go_with_nothing_are_one_sentence(tmp_path, more):
    with pytest.raises(BonesetterError):
        command.train_run(read(**more), tmp_path / "tiny", "cpu", restart=False, speaks=True)


@pytest.mark.usefixtures("library")
def test_a_run_that_cannot_be_costs_nobody_an_old_one(tmp_path):
    trained(tmp_path / "tiny", read(), stop=1)
    with pytest.raises(BonesetterError):
        command.train_run(read(kind="lstm"), tmp_path / "tiny", "cpu", restart=True, speaks=True)
    assert (tmp_path / "tiny" / "weights.safetensors").exists()


def test_joints_weigh_as_the_run_has_it_with_a_mean_of_1(library, prior, tmp_path):
    own = Trainer(read(joint_weights={"Hips": 3.0, "Head": 0.0}), tmp_path, prior, CPU).joint_weights
    assert own.mean() == pytest.approx(1)
    assert own[CMU_JOINTS.index("Head")] == 0
    assert (own[0] / own[1]).item() == pytest.approx(3)


def epochs(*losses: float) -> list[Epoch]:
    return [Epoch(number, loss, loss, 1.0, 1.0, 1.0) for number, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize(
    ("losses", "still"),
    [
        ([1.0], True),
        ([1.0, 0.9], True),
        ([1.0, 0.995], False),
        ([1.0, 1.1], False),
        ([1.0 - 0.01 * n for n in range(20)], True),
        ([*np.linspace(1.0, 0.5, 18).tolist(), 0.499, 0.499], False),
        ([*np.linspace(1.0, 0.5, 18).tolist(), 0.6, 0.48], True),
        ([-1.0, -2.0], True),
        ([-2.0, -1.9], False),
        ([-2.0, -2.01], False),
    ],
)
def test_a_run_still_improved_if_its_last_tenth_took_a_hundredth_off(losses, still):
    assert still_improved(epochs(*losses)) is still
