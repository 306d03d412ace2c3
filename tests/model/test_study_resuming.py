# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the study that were stopped or killed, and those on two processes, end where an undisturbed one would have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from model.actors.prior import bundled
from model.core.errors import BonesetterError
from model.datasets.splits import load
from model.shell.cli import main
from model.study import train as command
from model.study.trainer import Epoch, Trainer
from model.synthetic import markers
from model.training.curve import read_log

from .study_runs import CPU, identical, read, state, tables, timeless, toml, trained, weights

ROOT = Path(__file__).resolve().parents[2]

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
    trainer.train(lambda _: None)
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
def test_a_run_killed_between_its_last_checkpoint_and_its_log_gets_its_log(tmp_path, monkeypatch):
    trained(tmp_path / "tiny", read(), stop=3)
    command.train_run(read(), tmp_path / "tiny", "cpu", restart=False, speaks=True)
    assert len(read_log(tmp_path / "tiny" / "log.csv")) == 3


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
        Trainer(run, here / "stopped", bundled(), torch.device("cpu")).train(told)
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
