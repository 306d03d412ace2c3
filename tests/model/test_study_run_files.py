# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that describe the study's runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from model.core.errors import BonesetterError
from model.core.skeleton import CMU_JOINTS
from model.study import train as command
from model.study.joint_network import JointNetwork
from model.study.losses import weighed
from model.study.outputs import OUTPUTS
from model.study.run_file import read_run, read_table
from model.study.train import STUDY
from model.synthetic.corruptions import corrupt

from .study_runs import tables, toml

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted(STUDY.glob("*.toml"))


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
