# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs from their files to trained weights, whatever stops them on the way, and takes solved with those weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors import safe_open
from scipy.spatial.transform import Rotation
from torch import Tensor

from model.actors.actor import Actor
from model.actors.prior import Prior, bundled
from model.core.motion import Motion
from model.core.skeleton import CMU_JOINTS, Skeleton
from model.core.take import BonesetterError, Take
from model.datasets.motion_library import Clip
from model.datasets.splits import load
from model.files.asf_amc import ASF_TO_C3D
from model.marker_sets.marker_set import load_marker_set
from model.shell.cli import main
from model.study import predict as prediction
from model.study import train as command
from model.study.joint_network import JointNetwork, read_network
from model.study.losses import Prediction, weighed
from model.study.outputs import OUTPUTS
from model.study.predict import predict
from model.study.run_file import Run, read_run, read_table
from model.study.train import STUDY, still_improved
from model.study.trainer import Epoch, Trainer
from model.synthetic import markers
from model.synthetic.corruptions import corrupt
from model.synthetic.synthesis import SyntheticTake
from model.training.curve import read_log

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
STUDIES = sorted(STUDY.glob("*.toml"))
#: 192 frames in four steps: an epoch takes some hundredths of a second.
TINY = {"epochs": 3, "clips": 8, "frames": 24, "batch": 48, "validation_clips": 4, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def prior() -> Prior:
    return bundled()


def tables(kind: str = "linear", options: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A tiny run's file."""
    chosen = {"width": 16} if options is None else options
    base = {"network": {"kind": kind, "options": chosen}, "loss": {"l1": 1.0}, "corruption": {"jitter": {}, "occlusion": {}}}
    return {**base, **more, "training": {**TINY, **more.get("training", {})}}


def toml(table: dict[str, Any]) -> str:
    """Enough of TOML for a run."""
    lines = []
    for name, value in table.items():
        inner = "{" + ", ".join(toml({k: v}).strip() for k, v in value.items()) + "}" if isinstance(value, dict) else json.dumps(value)
        lines.append(f"{name} = {inner}")
    return "\n".join(lines) + "\n"


# Run files


def test_there_is_a_study():
    assert len(STUDIES) > 20


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_run_of_the_study_can_be_made(prior, small_take, path):
    run = read_run(path)
    assert run.name == path.stem
    assert read_table(json.loads(json.dumps(asdict(run))), run.name) == run, "as weights keep it"
    weighed(run.loss)
    corrupt(small_take, run.corruption, 0)
    network = JointNetwork(run, prior).eval()
    with torch.inference_mode():
        answer = network(torch.rand(1, run.training.window, len(prior.actor.labels), 4))
    assert answer.numbers.shape == (1, run.training.window, len(CMU_JOINTS), OUTPUTS[run.output].width)
    assert set(run.joint_weights) <= set(CMU_JOINTS)
    assert run.training.frames >= run.training.window
    assert run.training.batch >= run.training.window
    assert run.training.motion == ["train"]


def test_the_run_of_the_documentation_is_one(tmp_path, small_take):
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    run = read_run(tmp_path / "mine.toml")
    assert (run.name, run.output, run.network.kind, run.corruption["holden"]) == ("mine", "quaternion", "holden", {"occluded": 0.1})
    short = read_table({"network": {"kind": "holden"}, "loss": {"l1": 1.0}, "corruption": {}}, "mine")
    assert (run.root, run.preprocessing, run.training, run.normalise) == (
        short.root,
        short.preprocessing,
        short.training,
        short.normalise,
    ), "what is assumed is not what is said"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"colour": 1}, "colour"),
        ({"training": {"epoch": 3}}, "epoch"),
        ({"training": {"epochs": "many"}}, "epochs"),
        ({"training": {"epochs": 2.5}}, "epochs"),
        ({"network": {"options": {}}}, "kind"),
        ({"network": {"kind": "linear", "options": {"width": "wide"}}}, "options"),
        ({"output": "euler"}, "output"),
        ({"normalise": "all"}, "normalise"),
        ({"preprocessing": {"scale": "weight"}}, "scale"),
        ({"preprocessing": {"axes": "zyx"}}, "axes"),
        ({"root": {"learned": "alone"}}, "learned"),
        ({"loss": {"l1": "1"}}, "loss"),
        ({"loss": 1.0}, "loss"),
        ({"corruption": ["jitter"]}, "corruption"),
        ({"seed": "random"}, "seed"),
    ],
)
def test_what_no_run_knows_is_one_sentence(tmp_path, more, said):
    table = tables(**more)
    if "training" in more:
        table["training"] = more["training"]
    path = tmp_path / "mine.toml"
    path.write_text(toml(table))
    with pytest.raises(
        BonesetterError, match=rf"^The run mine is not complete or not known \(.*{said}.*\): see docs/training\.md\.$"
    ) as error:
        read_run(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("missing", ["network", "loss", "corruption"])
def test_what_a_run_must_say_is_asked_for(missing):
    table = {name: value for name, value in tables().items() if name != missing}
    with pytest.raises(BonesetterError, match=missing):
        read_table(table, "mine")


@pytest.mark.parametrize("content", [b"network = ", b"= 3", b"\xff\xfe\x00", b"[a]\n[a]"])
def test_what_is_no_toml_is_one_sentence(tmp_path, content):
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(BonesetterError, match=r"mine\.toml is not TOML \(.*\): see docs/training\.md\.$"):
        read_run(tmp_path / "mine.toml")


def test_a_run_is_found_by_its_path_or_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command.find_run("finding_base") == STUDY / "finding_base.toml"
    (tmp_path / "mine.toml").touch()
    assert command.find_run("mine.toml") == Path("mine.toml")
    with pytest.raises(BonesetterError, match=r"^There is no run nobodys: give a TOML file, or one of .*finding_base.*\.$"):
        command.find_run("nobodys")


# Training


def nodding(synthetic: SyntheticTake, degrees: float, frames: slice) -> Motion:
    """A part of the synthetic motion on the ASF's axes with the neck rotated by always the same angle, to be known by."""
    motion = synthetic.motion.on_axes(ASF_TO_C3D.T)
    rotations = motion.rotations[frames].copy()
    rotations[:, CMU_JOINTS.index("Neck1")] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    return replace(motion, rotations=rotations, root=motion.root[frames])


#: How far who nods in which split, in degrees.
NODS = {"train": 10.0, "validation": 30.0, "test": 50.0}


@pytest.fixture
def library(synthetic: SyntheticTake, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Synthetic motion instead of the data's; says which splits were read."""
    asked: list[str] = []

    def read(split: str) -> list[Clip]:
        asked.append(split)
        parts = [slice(0, 200), slice(300, 700)] if split == "train" else [slice(700, 1000)]
        return [Clip(f"{split}_{row}", split, nodding(synthetic, NODS[split], part)) for row, part in enumerate(parts)]

    markers.footage_of.cache_clear()
    monkeypatch.setattr(markers, "read_split", read)
    yield asked
    markers.footage_of.cache_clear()


def nods(local: Tensor) -> np.ndarray:
    """How far everybody nods in a pool, in degrees."""
    neck = local[:, :, CMU_JOINTS.index("Neck1")].reshape(-1, 3, 3).double().numpy()
    return np.degrees(Rotation.from_matrix(neck).magnitude())


def silent(_stage: str, _part: float) -> None:
    """Nobody watches."""


class KilledError(Exception):
    """Stands for whatever ends a process."""


def trained(folder: Path, run: Run, stop: int = 0) -> list[Epoch]:
    """Train a run, killed after an epoch if that is said; its history."""

    def told(epoch: Epoch) -> None:
        if epoch.epoch == stop:
            raise KilledError

    trainer = Trainer(run, folder, bundled(), CPU)
    with suppress(KilledError):
        trainer.train(told, silent)
    return trainer.history


def weights(folder: Path) -> dict[str, Tensor]:
    with safe_open(folder / "weights.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def timeless(history: list[Epoch]) -> list[Epoch]:
    return [replace(epoch, seconds=0.0) for epoch in history]


def identical(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def read(**more: Any) -> Run:
    return read_table(tables(**more), "tiny")


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


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the time of so short a run is its curve's."""
    monkeypatch.setattr(command, "draw_curve", lambda history, title, path: None)


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


KINDS: dict[str, dict[str, Any]] = {
    "linear": {},
    "vgg, which drops out": {"kind": "vgg", "options": {"width": 2, "dense": 16}},
    "resnet, which keeps statistics": {"kind": "resnet", "options": {"width": 2, "blocks": 1}},
    "rnn, apart, normalised": {
        "kind": "rnn",
        "options": {"width": 4},
        "training": {"window": 8},
        "normalise": "feature",
        "root": {"learned": "apart", "markers": "body"},
        "output": "6d",
        "loss": {"l1": 1.0, "position": 0.5, "smoothness": 0.1},
    },
}


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_ends_where_it_would_have_ended(tmp_path, kind):
    run = read(**KINDS[kind])
    whole = trained(tmp_path / "whole", run)
    assert [epoch.epoch for epoch in trained(tmp_path / "stopped", run, stop=2)] == [1, 2]
    torch.manual_seed(99)  # whatever the new process draws
    rest = trained(tmp_path / "stopped", run)
    assert timeless(rest) == timeless(whole)
    assert rest[1].seconds < rest[2].seconds, "time goes on from the last session's"
    assert identical(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    states = [state(tmp_path / folder) for folder in ("whole", "stopped")]
    assert identical(states[0]["network"], states[1]["network"])
    assert torch.equal(states[0]["random"][0]["cpu"], states[1]["random"][0]["cpu"])


@pytest.mark.usefixtures("library")
def test_the_gpus_random_numbers_go_on_too(tmp_path, monkeypatch):
    """There is no GPU here: generators of the CPU stand for the random numbers of two."""
    gpus = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    trainer = Trainer(read(), tmp_path, bundled(), CPU)
    trainer.train(lambda _: None, silent)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [gpu.get_state() for gpu in gpus])
    # as torch does it: one state after the other, whether or not there is such a GPU
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", lambda states: [gpus[row].set_state(one) for row, one in enumerate(states)])
    trainer._save()
    wanted = [torch.rand(5, generator=gpu) for gpu in gpus]
    for _ in range(2):  # the second time on a machine that has but one
        trainer._resume()
        assert all(torch.equal(torch.rand(5, generator=gpu), numbers) for gpu, numbers in zip(gpus, wanted, strict=False))
        del gpus[1:]
    monkeypatch.undo()
    trainer._resume()  # nor any


@pytest.mark.usefixtures("library")
def test_a_checkpoint_with_the_cpus_random_numbers_alone_is_gone_on_with(tmp_path):
    whole = trained(tmp_path / "whole", read())
    trained(tmp_path / "stopped", read(), stop=2)
    begun = state(tmp_path / "stopped")
    torch.save({**begun, "random": [begun["random"][0]["cpu"]]}, tmp_path / "stopped" / "checkpoint.pt")
    assert timeless(trained(tmp_path / "stopped", read())) == timeless(whole)


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
def test_the_best_epochs_weights_are_kept(tmp_path, monkeypatch):
    wanted = iter([0.5, 0.3, float("nan")])
    monkeypatch.setattr(Trainer, "_validate", lambda self: (1.0, 1.0, next(wanted)))
    trained(tmp_path / "tiny", read())
    assert read_network(tmp_path / "tiny" / "weights.safetensors", bundled())[1]["epoch"] == 2
    assert not identical(weights(tmp_path / "tiny"), state(tmp_path / "tiny")["network"])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("damage", [b"", b"no checkpoint", "half"])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, damage):
    trained(tmp_path / "tiny", read(), stop=1)
    path = tmp_path / "tiny" / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "half" else cast(bytes, damage))
    with pytest.raises(BonesetterError, match=r"checkpoint\.pt cannot be read: begin again with --restart\.$"):
        trained(tmp_path / "tiny", read())


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"training": {"epochs": 5}}, {"output": "6d"}, {"kind": "holden", "options": {"width": 16}}]
)
def test_another_runs_checkpoint_is_refused(tmp_path, other):
    trained(tmp_path / "tiny", read(), stop=1)
    before = (tmp_path / "tiny" / "checkpoint.pt").read_bytes()
    with pytest.raises(BonesetterError, match=r"tiny holds another run, or an older form of this one: begin again with --restart\.$"):
        trained(tmp_path / "tiny", read(**other))
    assert (tmp_path / "tiny" / "checkpoint.pt").read_bytes() == before


@pytest.mark.usefixtures("library")
def test_a_run_goes_on_with_as_many_processes_as_it_began_with(tmp_path):
    trained(tmp_path / "tiny", read(), stop=1)
    begun = state(tmp_path / "tiny")
    torch.save({**begun, "random": begun["random"] * 2}, tmp_path / "tiny" / "checkpoint.pt")
    with pytest.raises(BonesetterError, match=r"tiny was begun with 2 processes: go on with as many, or --restart\.$"):
        trained(tmp_path / "tiny", read())


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


@pytest.mark.usefixtures("library")
def test_a_run_killed_between_its_last_checkpoint_and_its_log_gets_its_log(tmp_path, monkeypatch):
    trained(tmp_path / "tiny", read(), stop=3)
    command.train_run(read(), tmp_path / "tiny", "cpu", restart=False, speaks=True)
    assert len(read_log(tmp_path / "tiny" / "log.csv")) == 3


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


# Killed, and on two processes: the real command on made-up files


@pytest.fixture
def data(tmp_path: Path, write_asf: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every training subject with a clip to train on, and one to validate on; a run in the folder beside it."""
    known = load()
    for subject in known.train_subjects:
        folder = tmp_path / "data" / "motion" / "cmu" / subject
        folder.mkdir(parents=True)
        write_asf(folder / f"{subject}.asf")
        for clip in (f"{subject}_99", *(clip for clip in known.validation_clips if clip.startswith(f"{subject}_"))):
            turns = 40 * np.sin(np.arange(60) / 20)
            frames = [f"{n + 1}\nroot {n / 10:.3f} 16 {n / 20:.3f} 0 {turn:.3f} 0\nltibia {turn:.3f}\n" for n, turn in enumerate(turns)]
            (folder / f"{clip}.amc").write_text("".join(frames))
    monkeypatch.setenv("BONESETTER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BONESETTER_CACHE", str(tmp_path / "cache"))
    markers.footage_of.cache_clear()
    yield tmp_path / "data"
    markers.footage_of.cache_clear()


#: The command, killed while it writes its third checkpoint.
KILLED = """
import os, signal, sys
from model.core.threads import share_the_machine
share_the_machine()
import torch
from model.shell.cli import main
from model.study import train
train.draw_curve = lambda history, title, path: None
whole, saved = torch.save, []
def save(state, stream):
    saved.append(state)
    if len(saved) == 3:
        stream.write(b"PK half a checkpoint")
        stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    whole(state, stream)
torch.save = save
main(sys.argv[1:])
"""


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_run_killed_in_the_middle_of_a_checkpoint_ends_where_it_would_have_ended(data, tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(toml(tables(kind="vgg", options={"width": 2, "dense": 16})))
    arguments = ["train", str(path), "--device", "cpu", "--out"]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments, str(tmp_path / "killed")], cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = tmp_path / "killed" / "tiny"
    assert len(state(folder)["history"]) == len(read_log(folder / "log.csv")) == 2
    assert main([*arguments, str(tmp_path / "killed")]) == 0
    assert main([*arguments, str(tmp_path / "whole")]) == 0
    whole = tmp_path / "whole" / "tiny"
    assert identical(weights(folder), weights(whole))
    assert identical(state(folder)["network"], state(whole)["network"])
    assert timeless(read_log(folder / "log.csv")) == timeless(read_log(whole / "log.csv"))


#: What each of the processes does; it keeps its own network beside the run's folder after every epoch.
WITNESS = """
import sys
from dataclasses import asdict
from pathlib import Path
from model.core.threads import share_the_machine
share_the_machine()
import torch
from model.actors.prior import bundled
from model.study import train
from model.study.run_file import read_run
from model.study.trainer import Trainer, processes

class Killed(Exception):
    pass

def told(epoch):
    if epoch.epoch == 2:
        raise Killed

def save(self):
    whole_save(self)
    kept = {"network": self.network.state_dict(), "random": torch.get_rng_state(), "history": [asdict(epoch) for epoch in self.history]}
    kept |= {"drawn": self.generator.pool(0).features, "validation": self.validation.features}
    torch.save(kept, self.folder.parent / f"{self.folder.name}-{self.rank}.pt")

whole_save, Trainer._save = Trainer._save, save
train.draw_curve = lambda history, title, path: None
run, here = read_run(Path(sys.argv[1])), Path(sys.argv[2])
with processes() as rank:
    train.train_run(run, here / "whole", "cpu", restart=True, speaks=rank == 0)
    try:
        Trainer(run, here / "stopped", bundled(), torch.device("cpu")).train(told, lambda stage, part: None)
    except Killed:
        pass
    train.train_run(run, here / "stopped", "cpu", restart=False, speaks=rank == 0)
"""


def test_two_processes_learn_one_network_and_go_on_with_it(data, tmp_path):
    kind: dict[str, Any] = {"kind": "vgg", "options": {"width": 4, "dense": 32, "dropout": 0.2}}
    (tmp_path / "tiny.toml").write_text(toml(tables(**kind)))
    (tmp_path / "witness.py").write_text(WITNESS)
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "old.txt").touch()
    run = [
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        *(str(tmp_path / name) for name in ("witness.py", "tiny.toml", "")),
    ]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-m", *run], env=here, timeout=240, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    spoken = [line.split(":")[0] for line in said.stdout.splitlines() if "/3" in line]
    assert spoken == [f"tiny {epoch}/3" for epoch in (1, 2, 3, 3)], "only one speaks"
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == ["checkpoint.pt", "log.csv", "weights.safetensors"]
    ranks = [[torch.load(tmp_path / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)] for name in ("whole", "stopped")]
    for mine, other in ranks:
        assert identical(mine["network"], other["network"])
        told = [timeless([Epoch(**epoch) for epoch in each["history"]]) for each in (mine, other)]
        assert told[0] == told[1]
        assert not torch.equal(mine["random"], other["random"]), "both drop the same units"
        assert not torch.equal(mine["drawn"], other["drawn"]), "both learn from the same windows"
        assert torch.equal(mine["validation"], other["validation"])
    for whole, stopped in zip(*ranks, strict=True):
        assert identical(whole["network"], stopped["network"])
        assert torch.equal(whole["random"], stopped["random"])
    history = read_log(tmp_path / "whole" / "log.csv")
    assert timeless(history) == timeless(read_log(tmp_path / "stopped" / "log.csv"))
    assert history[-1].validation_loss < 0.95 * history[0].validation_loss


# Solving takes


def network_of(prior: Prior, **more: Any) -> JointNetwork:
    torch.manual_seed(0)
    return JointNetwork(read(**more), prior).eval()


@pytest.fixture(scope="module")
def take(synthetic: SyntheticTake) -> Take:
    """Two seconds, nothing missing."""
    markers = synthetic.markers[:240]
    return replace(synthetic.take, positions=markers, residuals=np.zeros(markers.shape[:2]))


@pytest.fixture(scope="module")
def actor(prior: Prior) -> Actor:
    """Somebody tall with few markers."""
    mean = prior.mean_actor(prior.placement(load_marker_set(), ("LFHD", "C7", "LFWT", "RTOE")))
    return replace(mean, skeleton=Skeleton(mean.skeleton.joints, mean.skeleton.parents, mean.skeleton.bones * 1.2))


def chosen(take: Take, labels: list[str]) -> Take:
    rows = [take.labels.index(label) for label in labels]
    return replace(take, labels=tuple(labels), positions=take.positions[:, rows], residuals=take.residuals[:, rows])


def clipped(take: Take, frames: slice) -> Take:
    return replace(take, positions=take.positions[frames], residuals=take.residuals[frames])


@pytest.mark.parametrize("frames", [1, 2, 240])
@pytest.mark.parametrize("output", list(OUTPUTS))
@pytest.mark.parametrize("window", [1, 16])
def test_a_take_becomes_a_motion_of_the_actors_skeleton(prior, actor, take, output, window, frames):
    kind: dict[str, Any] = {} if window == 1 else {"kind": "rnn", "options": {"width": 8}, "training": {"window": window}}
    network = network_of(prior, output=output, **kind)
    motion, markers = predict(network, prior, actor, clipped(take, slice(frames)))
    assert motion.skeleton is actor.skeleton
    assert motion.rate_hz == take.rate_hz
    assert motion.rotations.shape == (frames, len(CMU_JOINTS), 3, 3)
    assert motion.root.shape == (frames, 3)
    np.testing.assert_allclose(
        motion.rotations @ motion.rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), motion.rotations.shape), atol=1e-4
    )
    np.testing.assert_allclose(np.linalg.det(motion.rotations), 1.0, atol=1e-4)
    np.testing.assert_array_equal(markers, actor.markers(motion))


def solved(network: JointNetwork, prior: Prior, actor: Actor, take: Take) -> tuple[np.ndarray, np.ndarray]:
    motion, _ = predict(network, prior, actor, take)
    return motion.rotations, motion.root


def test_labels_are_found_by_name(prior, actor, take):
    network = network_of(prior)
    usual = solved(network, prior, actor, take)
    shuffled = chosen(take, [str(label) for label in np.random.default_rng(0).permutation(take.labels)])
    more = replace(take, labels=("*0", *take.labels), positions=np.concatenate([take.positions[:, :1] + 5.0, take.positions], axis=1))
    for other in (shuffled, more):
        for mine, theirs in zip(usual, solved(network, prior, actor, other), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_label_that_is_not_there_is_a_marker_that_is_missing(prior, actor, take):
    network = network_of(prior)
    fewer = chosen(take, [label for label in take.labels if label not in ("LFHD", "RTOE")])
    missing = replace(take, positions=take.positions.copy())
    missing.positions[:, [take.labels.index("LFHD"), take.labels.index("RTOE")]] = np.nan
    usual = solved(network, prior, actor, take)
    for one, other, whole in zip(solved(network, prior, actor, fewer), solved(network, prior, actor, missing), usual, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(one).all()
        assert np.abs(one - whole).max() > 1e-3


def test_a_take_without_known_labels_is_one_sentence(prior, actor, take):
    strange = replace(take, labels=tuple(f"*{row}" for row in range(len(take.labels))))
    with pytest.raises(BonesetterError, match=r"choose a take with labelled markers\.$"):
        predict(network_of(prior), prior, actor, strange)


def test_who_faces_another_way_is_solved_the_same(prior, actor, take):
    network = network_of(prior)
    turn = Rotation.from_euler("z", 75, degrees=True).as_matrix()
    shift = np.array([3.0, -2.0, 0.0])
    here = predict(network, prior, actor, take)[0].on_axes(turn)
    there = predict(network, prior, actor, replace(take, positions=take.positions @ turn.T + shift))[0]
    np.testing.assert_allclose(there.rotations, here.rotations, atol=2e-3)
    np.testing.assert_allclose(there.root, here.root + shift, atol=2e-3)


def test_frames_at_once_make_no_difference(prior, actor, take, monkeypatch):
    network = network_of(prior)
    usual = solved(network, prior, actor, take)
    monkeypatch.setattr(prediction, "FRAMES_AT_ONCE", 7)
    for mine, theirs in zip(usual, solved(network, prior, actor, take), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("window", [1, 2, 5, 16])
def test_every_frame_is_answered_once_with_a_past_and_a_future(window):
    """A network that answers with the frame's number and how far it is from the ends of what was seen at once."""

    def number(features: Tensor) -> Prediction:
        at = torch.arange(features.shape[1], dtype=torch.float32).expand(features.shape[:2])
        place = torch.stack([features[..., 0, 0], at, features.shape[1] - 1 - at], dim=-1)
        return Prediction(torch.eye(3).flatten().expand(*features.shape[:2], 31, 9), place, OUTPUTS["matrix"])

    for frames in (*range(1, 20), 63, 64, 65, 66, 95, 257):
        features = torch.zeros(frames, 6, 4)
        features[:, 0, 0] = torch.arange(frames)
        rotations, place = prediction._answered(cast(JointNetwork, number), features, window)
        assert rotations.shape == (frames, 31, 3, 3)
        assert place[:, 0].tolist() == list(range(frames))
        if window > 1 and frames > prediction.REACH * window:
            past, future = place[:, 1], place[:, 2]
            frame = torch.arange(frames)
            assert ((past >= window) | (past == frame)).all()
            assert ((future >= window) | (future == frames - 1 - frame)).all()
            assert (past + future + 1 <= prediction.REACH * window).all(), "more at once than it is asked for"


def test_a_network_with_a_memory_answers_the_same_for_a_part_of_a_take(prior, actor, take):
    network = network_of(prior, kind="rnn", options={"width": 8}, training={"window": 16})
    whole = solved(network, prior, actor, take)
    part = solved(network, prior, actor, clipped(take, slice(70, 200)))
    for mine, theirs in zip(whole, part, strict=True):
        np.testing.assert_allclose(theirs[16:-16], mine[86:184], atol=2e-3)
    # at its own ends it may not: there it has no past
    assert np.abs(part[0][:2] - whole[0][70:72]).max() > 5e-3


@pytest.mark.usefixtures("library")
def test_training_helps(prior, synthetic, take, tmp_path):
    run = read(options={"width": 64}, output="6d", training={"epochs": 8, "clips": 16, "frames": 48, "batch": 64})
    trained(tmp_path / "tiny", run)
    network, _ = read_network(tmp_path / "tiny" / "weights.safetensors", prior)
    truth = replace(synthetic.motion, rotations=synthetic.motion.rotations[:240], root=synthetic.motion.root[:240])
    mean = prior.mean_actor()
    off = []
    for each in (network_of(prior, options={"width": 64}, output="6d"), network):
        motion, markers = predict(each, prior, mean, take)
        off.append(np.linalg.norm(motion.forward()[0] - truth.forward()[0], axis=-1).mean())
        assert markers.shape == take.positions.shape
    assert off[1] < off[0] / 3
    assert off[1] < 0.15
