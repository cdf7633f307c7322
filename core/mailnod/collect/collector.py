"""Answer one request for a pixel or a link, after its hit is on disk."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from time import monotonic
from typing import Protocol
from urllib.parse import unquote_to_bytes

from mailnod.clock import Clock
from mailnod.collect.caps import Caps
from mailnod.collect.counters import Counters, Outcome
from mailnod.collect.lanes import CountedLane
from mailnod.collect.location import to_location
from mailnod.collect.paths import MAX_TARGET_CHARS, SHORT_LINK
from mailnod.collect.requests import Headers, Request, find_client, keep_headers, read_headers
from mailnod.collect.suppressed import Suppressed
from mailnod.collect.ticks import Lane
from mailnod.errors import StoreError, StoreLateError, TokenError, describe_error
from mailnod.html.urls import check_destination
from mailnod.model import HONEYPOT_INDEX, Claims, Hit, Kind, Mode, Observation, Recorded, Reply, TokenState
from mailnod.tokens import Keyring

__all__ = [
    "NOT_ALLOWED",
    "NOT_FOUND",
    "PIXEL",
    "PIXEL_REPLY",
    "Collector",
    "Journal",
    "Request",
    "find_client",
    "keep_headers",
]

log = logging.getLogger("mailnod.collect")

#: A transparent GIF of one pixel, 43 bytes.
PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")

#: The size of all headers of a request; whoever sends more is no mail program.
MAX_REQUEST_HEADERS_CHARS = 16_384

_CLICK = re.compile(r"/c/([^/.]+)\.([0-9]{1,6})\.([^/.]+)", re.ASCII)
#: How many destinations of short links a process remembers.
_REMEMBERED = 4096

# Looked up once, because that takes longer of an enum than of anything else.
_VALID = TokenState.VALID
_UNTRACKED = Mode.NONE

_COMMON = (
    ("Cache-Control", "no-store, max-age=0"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("X-Robots-Tag", "noindex, nofollow"),
)


#: A genuine request, before it is recorded: its token, and the position and destination of the link; None for pixels.
_Found = tuple[Claims, int | None, str | None]


class Journal(Protocol):
    """Where hits go before the reply leaves."""

    def append_all(self, items: Sequence[Recorded]) -> None:
        """Return once observations and counts are on a disk; raise StoreError where they cannot be."""
        ...

    def open_lane(self) -> Lane | None:
        """Return a way for one event loop, which need not wait; None where there is none."""
        ...

    def lose(self, kind: Kind, number: int = 1) -> None:
        """Count hits that were answered and not written down."""
        ...


class Collector:
    """The collecting stage.

    :param journal: takes each hit before its reply leaves.
    :param suppressed: tells from memory who has withdrawn.
    :param find_destination: returns where the link of a delivery's number leads that is looked up, None where there is
        none; raises StoreError where it cannot be looked up. None knows of no such links.
    :param new_id: makes the id of an observation from the time of its hit.
    :param trusted_proxies: peers whose ``X-Forwarded-For`` is believed.
    :param caps: tells which hits are only counted; None records all of them.
    :param counters: where hits are counted by what became of them; None counts in this process alone.
    """

    def __init__(
        self,
        *,
        keyring: Keyring,
        journal: Journal,
        suppressed: Suppressed,
        clock: Clock,
        new_id: Callable[[datetime], bytes],
        find_destination: Callable[[bytes, int], str | None] | None = None,
        trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
        caps: Caps | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._keyring = keyring
        self._journal = journal
        self._suppressed = suppressed
        self._clock = clock
        self._new_id = new_id
        self._find_destination = None if find_destination is None else _remember(find_destination)
        self._trusted_proxies = tuple(trusted_proxies)
        self._caps = caps
        self._counters = counters or Counters()
        #: Whether the last hits that were to be written down could not be.
        self.is_losing = False
        #: Hits that were answered and could not be written since this process began.
        self.lost = 0

    def collect(self, request: Request) -> Reply:
        """Return the reply to a request whose path begins with ``/o/`` or ``/c/``; never raises.

        The pixel's reply is the same whatever its token says; a click without a genuine token and tag, or without a
        destination that its short link stands for, gets 404.
        """
        reply, item = self.read(request)
        if item is not None:
            self.record((item,))
        return reply

    def read(self, request: Request) -> tuple[Reply, Recorded | None]:
        """Return the reply to a request, and what must be recorded before it leaves; never raises.

        It touches no disk, but for a short link (:data:`~mailnod.collect.paths.SHORT_LINK`) that is looked up.

        :param request: as for :meth:`collect`, which does both steps.
        """
        if request.method not in ("GET", "HEAD"):
            return NOT_ALLOWED, None
        headers = request.known or read_headers(tuple(request.headers))
        if len(request.path) + len(request.query) > MAX_TARGET_CHARS:
            return _TOO_LONG, None
        if headers.has_body:
            return _TOO_LARGE, None
        if headers.size + len(request.forwarded or "") > MAX_REQUEST_HEADERS_CHARS:
            return _HEADERS_TOO_LARGE, None
        kind: Kind = "open" if request.path.startswith("/o/") else "click"
        try:
            now = self._clock.now()
            reply, found = self._open(request, now) if kind == "open" else self._click(request, now)
        except Exception as error:
            log.error("a hit could not be read: %s", describe_error(error))
            reply, found = (PIXEL_REPLY if kind == "open" else NOT_FOUND), None
        item = None
        if found is not None:
            try:
                item = self._observe(request, headers, kind, found, now)
            except Exception as error:
                # Whatever fails here costs the hit, and neither the reader's page nor the sender's link.
                self._lose([kind], error)
        if reply.status == 404:
            self._counters.count("click", "refused")
        if request.method == "HEAD":
            reply = Reply(status=reply.status, headers=reply.headers)
        return reply, item

    def record(self, items: Sequence[Recorded]) -> None:
        """Put what :meth:`read` returned on a disk, together; hits that cannot be are counted as lost; never raises."""
        began_at = monotonic()
        self._counters.add_waiting(len(items))
        kinds = [item.hit.kind for item in items if isinstance(item, Observation)]
        try:
            with suppress(StoreLateError):
                # What is late is written when a disk answers, or counted as lost by the journal itself.
                self._journal.append_all(items)
        except Exception as error:
            # A count that was not written goes with the next one.
            self._lose(kinds, error)
            self.is_losing = bool(kinds)
        else:
            self._count_written(kinds)
        self._counters.add_waiting(-len(items))
        self._counters.count_commit(monotonic() - began_at)

    def open_lane(self) -> Lane | None:
        """Return a way to a disk for one event loop; None where there is only :meth:`record`."""
        lane = self._journal.open_lane()
        return None if lane is None else CountedLane(lane, counters=self._counters, on_written=self._count_written)

    def _open(self, request: Request, now: datetime) -> tuple[Reply, _Found | None]:
        token = request.path[3:].removesuffix(".gif")
        try:
            claims = self._keyring.verify(token, now=now)
        except TokenError:
            self._counters.count("open", "refused")
            return PIXEL_REPLY, None
        return PIXEL_REPLY, (claims, None, None)

    def _click(self, request: Request, now: datetime) -> tuple[Reply, _Found | None]:
        short = SHORT_LINK.fullmatch(request.path)
        if short is not None:
            return self._click_short(short[1], int(short[2]), now)
        match = _CLICK.fullmatch(request.path)
        if match is None or len(request.query) > MAX_TARGET_CHARS:
            return NOT_FOUND, None
        index = int(match[2])
        if index == HONEYPOT_INDEX:
            return self._click_hidden(match[1], match[3], now)
        for url in _read_destinations(request.query):
            try:
                claims = self._keyring.verify(match[1], now=now)
                self._keyring.verify_link(claims, index, url, match[3])
            except TokenError:
                continue
            return _lead_on(claims, index, url)
        return NOT_FOUND, None

    def _click_hidden(self, token: str, tag: str, now: datetime) -> tuple[Reply, _Found | None]:
        try:
            claims = self._keyring.verify(token, now=now)
            self._keyring.verify_link(claims, HONEYPOT_INDEX, "", tag)
        except TokenError:
            return NOT_FOUND, None
        return _NEUTRAL, (claims, HONEYPOT_INDEX, None)

    def _click_short(self, token: str, index: int, now: datetime) -> tuple[Reply, _Found | None]:
        if self._find_destination is None:
            return NOT_FOUND, None
        try:
            claims = self._keyring.verify(token, now=now)
            return _lead_on(claims, index, self._find_destination(claims.delivery_id, index))
        except (TokenError, LookupError):
            return NOT_FOUND, None
        except StoreError as error:
            log.error("a short link could not be looked up, and leads nowhere for now: %s", describe_error(error))
            return _LATER, None

    def _observe(self, request: Request, headers: Headers, kind: Kind, found: _Found, now: datetime) -> Recorded | None:
        claims, link_index, url = found
        delivery_id = claims.delivery_id
        suppressed: bool | None = False
        if claims.state is not _VALID:
            outcome: Outcome | None = "expired" if claims.state is TokenState.EXPIRED else "retired"
        elif (claims.opens if kind == "open" else claims.clicks) is _UNTRACKED:
            outcome = "untracked"
        else:
            suppressed = self._suppressed.check(delivery_id)
            outcome = "withdrawn" if suppressed else None
        if outcome is not None:
            self._counters.count(kind, outcome)
            return None
        ip = find_client(request, self._trusted_proxies)
        if self._caps is not None:
            beyond = self._caps.check(delivery_id, kind, link_index, ip=ip, at=now)
            if beyond is not None:
                self._counters.count(kind, "capped")
                return beyond
        # What calls of the classes do, in half of the time.
        hit = tuple.__new__(Hit, (kind, request.method, ip, headers.user_agent, headers.kept, now, link_index, url))
        return tuple.__new__(Observation, (self._new_id(now), hit, delivery_id, suppressed is False))

    def _count_written(self, kinds: Sequence[Kind]) -> None:
        for kind in set(kinds):
            self._counters.count(kind, "recorded", kinds.count(kind))
        self.is_losing = False

    def _lose(self, kinds: Sequence[Kind], error: Exception) -> None:
        for kind in set(kinds):
            number = kinds.count(kind)
            self._counters.count(kind, "lost", number)
            self._journal.lose(kind, number)
        before, self.lost = self.lost, self.lost + len(kinds)
        if before == 0 or before // 1000 < self.lost // 1000:
            log.error("hits were answered and not recorded, %d so far: %s", self.lost, describe_error(error))


def _read_destinations(query: str) -> Iterable[str]:
    """Yield what ``u`` may mean: as we wrote it, and with "+" as a space where a form encoder passed it on."""
    raw = next((part[2:] for part in query.split("&") if part.startswith("u=")), None)
    if raw is None:
        return
    for candidate in (raw, raw.replace("+", "%20")) if "+" in raw else (raw,):
        yield unquote_to_bytes(candidate.encode("latin-1", "replace")).decode("utf-8", "replace")


def _remember(find: Callable[[bytes, int], str | None]) -> Callable[[bytes, int], str]:
    """Return a look-up that remembers what it finds, and raises LookupError where there is nothing."""

    @lru_cache(maxsize=_REMEMBERED)
    def find_known(delivery_id: bytes, index: int) -> str:
        url = find(delivery_id, index)
        # What is raised is not remembered.
        if url is None:
            raise LookupError("the delivery has no such short link")
        return url

    return find_known


def _lead_on(claims: Claims, index: int, url: str) -> tuple[Reply, _Found | None]:
    location = _locate(url)
    if location is None:
        return NOT_FOUND, None
    return _reply(302, (("Location", location), ("Content-Type", "text/plain"))), (claims, index, url)


def _locate(url: str) -> str | None:
    try:
        return to_location(url) if check_destination(url) else None
    except ValueError:
        return None


def _reply(status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> Reply:
    return Reply(status=status, headers=(*headers, ("Content-Length", str(len(body))), *_COMMON), body=body)


_TOO_LONG = _reply(414, (("Content-Type", "text/plain"),), b"The address is too long.\n")
_TOO_LARGE = _reply(413, (("Content-Type", "text/plain"),), b"No body is taken.\n")
_HEADERS_TOO_LARGE = _reply(431, (("Content-Type", "text/plain"),), b"The headers are too large.\n")
#: What every request for a pixel gets, whatever its token says.
PIXEL_REPLY = _reply(200, (("Content-Type", "image/gif"),), PIXEL)
#: Where the hidden link of a mail leads: nothing happens there, and a person who comes by is told why.
_NEUTRAL = _reply(
    200,
    (("Content-Type", "text/html; charset=utf-8"),),
    b'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Nothing to see here</title>\n'
    b"<p>This link is hidden in the mail that you came from. Programs that check mail follow it, and can so be told "
    b"from people. You have missed nothing: please go back to the mail.</p>\n</html>\n",
)
#: What any other method than GET and HEAD gets.
NOT_ALLOWED = _reply(405, (("Allow", "GET, HEAD"), ("Content-Type", "text/plain")), b"Method not allowed.\n")
#: What a click without a genuine token and tag gets, and every path that is not known.
NOT_FOUND = _reply(404, (("Content-Type", "text/plain"),), b"Not found.\n")
_LATER = _reply(503, (("Retry-After", "5"), ("Content-Type", "text/plain")), b"Please try again in a moment.\n")
