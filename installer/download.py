# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch wheels: from a folder that has them, else from the network, going on where an earlier attempt broke off."""

from __future__ import annotations

import errno
import hashlib
import http.client
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from .errors import InstallError
from .lock import Wheel

CHUNK = 1 << 18
#: Without a word from the server for so long, in s, the connection counts as broken.
PATIENCE = 30.0
#: Pauses before another attempt, in s. An attempt that brought something begins them anew.
PAUSES = (0.5, 2.0, 5.0)

#: Is told how many bytes of a wheel are there; raises CancelledError when nobody wants it any more.
Progress = Callable[[int], None]


def fetch(wheel: Wheel, folder: Path, progress: Progress, given: Path | None = None, index: str = "") -> Path:
    """Have a wheel in a folder, whole and with the locked hash.

    Args:
        wheel: Which one.
        folder: Where it goes; what an earlier attempt left there is used.
        progress: Is told the bytes so far.
        given: A folder of wheels that is looked into first.
        index: A mirror of the package index (PEP 503) to ask instead of the locked addresses.

    Raises:
        InstallError: It cannot be had.
        CancelledError: From `progress`.
    """
    path, part = folder / wheel.filename, folder / f"{wheel.filename}.part"
    if path.is_file() and digest_of(path) == wheel.sha256:
        progress(wheel.size)
        return path
    source = given / wheel.filename if given is not None and (given / wheel.filename).is_file() else None
    if source is not None:
        shutil.copyfile(source, part)
    else:
        download(_address(wheel, index), part, progress, wheel.name)
    if digest_of(part) != wheel.sha256:
        part.unlink()
        where = given if source is not None else urlsplit(index or wheel.url).netloc
        raise InstallError(
            f"{wheel.filename} from {where} is not the file that Bonesetter was locked to (its checksum differs), so it was removed: "
            "try again, or ask whoever runs the mirror or proxy."
        )
    part.replace(path)
    progress(wheel.size)
    return path


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def download(address: str, part: Path, progress: Progress, name: str) -> None:
    """Download into a file, appending to what is there, with some patience for broken connections.

    Raises:
        InstallError: The server cannot be reached, does not have it, or keeps breaking off.
        CancelledError: From `progress`.
    """
    pauses = list(PAUSES)
    while True:
        before = _size(part)
        try:
            return _attempt(address, part, progress)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != http.client.TOO_MANY_REQUESTS:
                raise InstallError(_refused(address, name, error)) from error
            reason: object = f"it answered {error.code} {error.reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
                raise
            reason = getattr(error, "reason", None) or error or type(error).__name__
        if _size(part) > before:
            pauses = list(PAUSES)
        if not pauses:
            raise InstallError(_broken(address, name, reason, _size(part)))
        time.sleep(pauses.pop(0))
        progress(_size(part))


def _attempt(address: str, part: Path, progress: Progress) -> None:
    have = _size(part)
    try:
        response = _open(address, {"Range": f"bytes={have}-"} if have else {})
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            # all of it is there, or what is there is of another file: the checksum tells
            return
        raise
    with response:
        whole = response.headers.get("Content-Length")
        goes_on = response.status == http.client.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as stream:
            got = have if goes_on else 0
            expected = got + int(whole) if whole else None
            while chunk := response.read(CHUNK):
                stream.write(chunk)
                got += len(chunk)
                progress(got)
    if expected is not None and got < expected:
        raise http.client.IncompleteRead(b"", expected - got)


def _open(address: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(address, headers={"User-Agent": "Bonesetter", **headers})
    return urllib.request.urlopen(request, timeout=PATIENCE, context=_context())


def _context() -> ssl.SSLContext:
    """The system's certificates; those that come with Blender where Python finds none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        try:
            import certifi  # pyright: ignore[reportMissingImports]  # Blender's own Python has it
        except ImportError:
            return context
        context.load_verify_locations(certifi.where())
    return context


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


class _Links(HTMLParser):
    """The addresses that a page of an index links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


def _address(wheel: Wheel, index: str) -> str:
    """Where a wheel is to be had."""
    if not index:
        return wheel.url
    page = f"{index.rstrip('/')}/{wheel.name}/"
    try:
        with _open(page, {"Accept": "text/html"}) as response:
            base, text = response.url, response.read().decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise InstallError(
            f"The package index {index} does not answer for {wheel.name} ({reason}): check the address in Bonesetter's preferences."
        ) from error
    links = _Links()
    links.feed(text)
    for link in links.found:
        if unquote(urlsplit(link).path.rpartition("/")[2]) == wheel.filename:
            return urljoin(base, link).partition("#")[0]
    raise InstallError(
        f"The package index {index} does not have {wheel.filename}: choose another in Bonesetter's preferences, or install from a folder."
    )


def _refused(address: str, name: str, error: urllib.error.HTTPError) -> str:
    host = urlsplit(address).netloc
    if error.code == http.client.PROXY_AUTHENTICATION_REQUIRED:
        return (
            f"The proxy asks for a name and a password to download {name}: put both into the proxy's address in Bonesetter's preferences."
        )
    return (
        f"{host} refuses {name} ({error.code} {error.reason}): try again later, choose another package index in Bonesetter's preferences, "
        "or install from a folder."
    )


def _broken(address: str, name: str, reason: object, have: int) -> str:
    host = urlsplit(address).netloc
    if have:
        return (
            f"The connection to {host} broke off after {have / 1e6:.0f} MB of {name} ({reason}): press Install Solver again, and it goes "
            "on from there."
        )
    return f"{host} cannot be reached ({reason}): check the network, and the proxy in Bonesetter's preferences, then Install Solver again."
