# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m installer`: the wheels for a computer without a network."""

from __future__ import annotations

import shlex
import sys

import pytest

from installer import __main__ as command
from installer.lock import LOCKS, Lock, fetch_command, path_of

PYTHON = "{}.{}".format(*sys.version_info[:2])


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["installer", *map(str, arguments)])
    return command.main()


def test_wheels_are_fetched_and_each_is_one_line_in_a_file(small_solver, monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path / "wheels", "--python", PYTHON) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == [wheel.filename for wheel in small_solver]
    assert lines[-1].startswith(f"{len(small_solver)} wheels")
    assert {path.name for path in (tmp_path / "wheels").iterdir()} == {wheel.filename for wheel in small_solver}


def test_the_python_must_be_named(monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, tmp_path / "wheels")
    assert caught.value.code == 2
    assert "--python" in capsys.readouterr().err
    assert not (tmp_path / "wheels").exists()


@pytest.mark.parametrize("name", sorted(path.name.split(".")[1] for path in LOCKS.glob("*.toml")))
def test_the_command_that_an_error_names_is_for_that_target(name, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(command, "read_lock", lambda wanted: asked.append(wanted) or target_of(wanted))
    arguments = shlex.split(fetch_command(name))[3:]
    assert run(monkeypatch, tmp_path / arguments[0], *arguments[1:]) == 0
    assert asked == [name]


def target_of(name):
    """A lock without wheels."""
    assert path_of(name).is_file()
    return Lock(name, "0", ())
