# SPDX-License-Identifier: GPL-3.0-or-later
"""How tools/lock_solver.py names what it locks; uv is not asked here."""

from __future__ import annotations

import sys
import tomllib

import pytest

from installer.lock import LOCKS, read_lock
from tools import lock_solver


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What uv would have been asked for; locks are written to a folder of the test."""
    wanted = []
    monkeypatch.setattr(lock_solver, "LOCKS", tmp_path)
    monkeypatch.setattr(lock_solver, "resolved", lambda platform, python, packages: wanted.append((platform, python, packages)) or "")
    return wanted


def test_every_target_has_its_lock_and_no_other_has():
    assert {f"pylock.{name}.toml" for name in lock_solver.targets()} == {path.name for path in LOCKS.glob("*.toml")}


@pytest.mark.parametrize(("platform", "python", "device"), lock_solver.OWN_TORCH)
def test_what_is_locked_is_the_wheel_that_is_named(platform, python, device):
    (torch,) = (wheel for wheel in read_lock(f"{platform}-cp{python.replace('.', '')}-{device}").wheels if wheel.name == "torch")
    assert (torch.size, torch.sha256) == lock_solver.OWN_TORCH[platform, python, device]


def test_a_build_of_pytorchs_server_is_named_with_all_that_it_asks_for(asked, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["lock_solver", "windows-x64-cp312-cuda"])
    lock_solver.main()
    ((platform, python, packages),) = asked
    assert (platform, python) == ("windows-x64", "3.12")
    assert {"jinja2", "numpy"} <= set(packages)
    assert not any(package.startswith("torch") for package in packages)
    (path,) = tmp_path.iterdir()
    assert path.name == "pylock.windows-x64-cp312-cuda.toml"
    (torch,) = tomllib.loads(path.read_text(encoding="utf-8"))["packages"]
    (wheel,) = torch["wheels"]
    assert torch["version"] == "2.8.0+cu128"
    assert wheel["url"] == "https://download.pytorch.org/whl/cu128/torch-2.8.0%2Bcu128-cp312-cp312-win_amd64.whl"


def test_a_build_of_pypi_is_left_to_uv(asked, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lock_solver", "windows-x64-cp314-cpu", "linux-x64-cp314-cuda"])
    lock_solver.main()
    assert [packages[0] for _platform, _python, packages in asked] == ["torch==2.12.1", "torch==2.13.0"]


def test_an_unknown_target_is_said(asked, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lock_solver", "windows-x64-cp314-cuda"])
    with pytest.raises(SystemExit):
        lock_solver.main()
    assert "there is no windows-x64-cp314-cuda: choose from linux-x64-cp311-cpu" in capsys.readouterr().err
    assert not asked
