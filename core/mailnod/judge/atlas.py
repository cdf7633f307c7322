"""Holds the map of networks that is in force: the packed file's where there is one, else the built-in blocks."""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from pathlib import Path

from mailnod.errors import NetworksError
from mailnod.judge.networks import Networks, build_networks, parse_address
from mailnod.judge.packed import read_packed

__all__ = ["Atlas"]

log = logging.getLogger("mailnod.judge")

#: No address is longer (an IPv6 one with its zone); longer texts are not remembered.
_MAX_ADDRESS = 64
#: How often the file is looked at; a list that is some seconds older changes nothing.
RECHECK_S = 5.0


class Atlas:
    """A map of networks that follows its file, and remembers the last few thousand addresses.

    :param path: the packed file; it need not be there. None means the built-in blocks alone.
    :param recheck_s: seconds between two looks at whether the file has changed.
    """

    def __init__(self, path: Path | None, *, recheck_s: float = RECHECK_S) -> None:
        self._path = path
        self._recheck_s = recheck_s
        self._due = 0.0
        self._seen: tuple[int, ...] | None = None
        self._use(build_networks() if path is None else self._load(path))

    def find(self, ip: str | None) -> str | None:
        """Name the label of an address's network.

        :param ip: the address as the collector saw it; None where it was not captured, any text where it is none.
        :returns: the label, or None.
        """
        if ip is None or len(ip) > _MAX_ADDRESS:
            return None
        return self._find(ip)

    def refresh(self) -> None:
        """Take up a file that was replaced, looking at most every few seconds."""
        if self._path is None or (now := time.monotonic()) < self._due:
            return
        self._due = now + self._recheck_s
        if _identify(self._path) != self._seen:
            self._use(self._load(self._path))

    def _load(self, path: Path) -> Networks:
        self._seen = _identify(path)
        try:
            return build_networks(read_packed(path))
        except NetworksError as error:
            # Said once per file: an unchanged one is not read again.
            log.warning("%s is not used, and the built-in networks are: %s", path, error)
            return build_networks()

    def _use(self, networks: Networks) -> None:
        self._find = lru_cache(maxsize=4096)(lambda ip: networks.find(parse_address(ip)))


def _identify(path: Path) -> tuple[int, ...] | None:
    """Return what changes when a file is replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
