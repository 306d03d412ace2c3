# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels from a server that breaks off, refuses, lies or is not there, and from a folder."""

from __future__ import annotations

import pytest

from installer import download
from installer.download import fetch
from installer.errors import CancelledError, InstallError


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0))


@pytest.fixture
def wheel(make_wheel):
    return make_wheel("muscle", {"muscle.bin": bytes(range(256)) * 4000})


def test_a_wheel_arrives_and_progress_ends_at_its_size(wheel, tmp_path):
    told = []
    path = fetch(wheel, tmp_path, told.append)
    assert (path.name, download.digest_of(path)) == (wheel.filename, wheel.sha256)
    assert told == sorted(told)
    assert told[-1] == wheel.size
    assert [each.name for each in tmp_path.iterdir() if each.name != "served"] == [wheel.filename]


def test_a_broken_connection_goes_on_where_it_was(wheel, server, tmp_path, progress):
    server.breaks[wheel.filename] = 300_000
    fetch(wheel, tmp_path, progress)
    assert [range_ for _, range_ in server.asked] == [None, "bytes=300000-"]


def test_what_an_earlier_attempt_left_is_used(wheel, server, tmp_path, progress):
    (tmp_path / f"{wheel.filename}.part").write_bytes((server.folder / wheel.filename).read_bytes()[:1000])
    fetch(wheel, tmp_path, progress)
    assert server.asked == [(wheel.filename, "bytes=1000-")]
    fetch(wheel, tmp_path, progress)
    assert len(server.asked) == 1


def test_a_part_that_is_whole_needs_nothing_more(wheel, server, tmp_path, progress):
    (tmp_path / f"{wheel.filename}.part").write_bytes((server.folder / wheel.filename).read_bytes())
    assert fetch(wheel, tmp_path, progress).stat().st_size == wheel.size


def test_a_server_that_keeps_breaking_off_is_given_up_and_the_part_kept(wheel, server, tmp_path, progress, monkeypatch):
    def stop(address, part, _progress):
        part.write_bytes(b"0" * 2_000_000)
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(download, "_attempt", stop)
    with pytest.raises(InstallError, match=r"broke off after 2 MB of muscle .*Install Solver again"):
        fetch(wheel, tmp_path, progress)
    assert (tmp_path / f"{wheel.filename}.part").is_file()


def test_no_network_is_one_sentence(wheel, server, tmp_path, progress):
    server.close()
    with pytest.raises(InstallError, match=r"127.0.0.1:\d+ cannot be reached .*check the network"):
        fetch(wheel, tmp_path, progress)


@pytest.mark.parametrize(("status", "word"), [(404, "refuses muscle .404"), (403, "another package index"), (407, "name and a password")])
def test_a_refusal_is_one_sentence(wheel, server, tmp_path, progress, status, word):
    server.status[wheel.filename] = status
    with pytest.raises(InstallError, match=word):
        fetch(wheel, tmp_path, progress)
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(wheel, server, tmp_path, progress):
    server.status[wheel.filename] = 503
    with pytest.raises(InstallError, match="answered 503"):
        fetch(wheel, tmp_path, progress)
    assert len(server.asked) == 3


def test_another_file_than_the_locked_one_is_removed(wheel, server, tmp_path, progress):
    content = bytearray((server.folder / wheel.filename).read_bytes())
    content[1000] ^= 1
    (server.folder / wheel.filename).write_bytes(content)
    with pytest.raises(InstallError, match="checksum differs"):
        fetch(wheel, tmp_path, progress)
    assert not list(tmp_path.glob("*.whl*"))


def test_a_folder_spares_the_download(wheel, server, tmp_path, progress):
    fetch(wheel, tmp_path, progress, given=server.folder)
    assert server.asked == []


def test_a_mirror_is_asked_instead_of_the_locked_address(wheel, server, tmp_path, progress):
    elsewhere = type(wheel)(wheel.name, wheel.version, f"http://nowhere.invalid/{wheel.filename}", wheel.size, wheel.sha256)
    fetch(elsewhere, tmp_path, progress, index=f"{server.address}/simple/")
    assert [name for name, _ in server.asked] == ["", wheel.filename]


def test_a_mirror_without_the_wheel_is_one_sentence(wheel, server, tmp_path, progress):
    (server.folder / wheel.filename).unlink()
    with pytest.raises(InstallError, match=f"does not have {wheel.filename}"):
        fetch(wheel, tmp_path, progress, index=server.address)
    server.close()
    with pytest.raises(InstallError, match="does not answer for muscle"):
        fetch(wheel, tmp_path, progress, index=server.address)


def test_cancelling_keeps_what_is_there(wheel, tmp_path):
    def stop(_done: int) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        fetch(wheel, tmp_path, stop)
    assert (tmp_path / f"{wheel.filename}.part").stat().st_size > 0
