"""Fetches a publisher's list over the network, with limits on time, size and where it may be redirected."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from http.client import HTTPException, HTTPMessage, HTTPResponse
from importlib.metadata import version
from threading import Thread
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from mailnod.errors import NetworksError, describe_error
from mailnod.judge.lists import Publisher

__all__ = ["fetch", "fetch_list"]

#: How long a server may be silent.
_SILENCE_S = 20.0
#: How long one list may take in all.
_LIMIT_S = 120.0
_PIECE_BYTES = 1 << 16
_PAGE_BYTES = 4 << 20


def fetch_list(publisher: Publisher) -> list[str]:
    """Fetch a publisher's list from the publisher.

    :returns: the text of each of its files.
    :raises NetworksError: it could not be had.
    """
    urls: list[str] = []
    for url in publisher.urls:
        if publisher.link is None:
            urls.append(url)
            continue
        found = publisher.link.search(fetch(url, most_bytes=_PAGE_BYTES))
        if found is None:
            raise NetworksError(f"{url} links to no list; download it by hand and use --from-folder")
        urls.append(found[0])
    return [fetch(url, most_bytes=publisher.most_bytes) for url in urls]


def fetch(url: str, *, most_bytes: int, limit_s: float = _LIMIT_S, silence_s: float = _SILENCE_S) -> str:
    """Fetch a text; redirects are followed within the scheme and the domain alone.

    :param most_bytes: a longer answer is refused.
    :param limit_s: seconds for everything, from looking the name up to the last byte.
    :param silence_s: seconds that the server may take for a next piece.
    :raises NetworksError: it could not be had, or it is no UTF-8 text.
    """
    # Who sends a byte now and then is never silent, neither in the body nor in the headers, which http.client reads
    # to their end: so it is waited for from outside. The thread is left to itself, and ends with the process.
    done: Future[str] = Future()

    def work() -> None:
        try:
            done.set_result(_fetch(url, most_bytes=most_bytes, limit_s=limit_s, silence_s=silence_s))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=work, name="mailnod-fetch", daemon=True).start()
    try:
        return done.result(timeout=limit_s)
    except TimeoutError:
        raise NetworksError(f"{url} takes longer than {limit_s:g} s") from None


def _fetch(url: str, *, most_bytes: int, limit_s: float, silence_s: float) -> str:
    # The scheme is that of the publishers' table, and a redirect cannot change it.
    request = Request(  # noqa: S310
        url, headers={"User-Agent": f"mailnod/{version('mailnod')}"}
    )
    deadline = time.monotonic() + limit_s
    try:
        with _make_opener(url).open(request, timeout=min(silence_s, limit_s)) as answer:
            content = b"".join(_read_pieces(answer, most_bytes=most_bytes, deadline=deadline))
            length = answer.headers.get("Content-Length", "")
    except HTTPError as error:
        error.close()
        raise NetworksError(f"{url} answered {error.code} {error.reason}") from None
    except URLError as error:
        raise NetworksError(f"{url} cannot be reached: {error.reason}") from None
    except (OSError, HTTPException, ValueError) as error:
        # A ValueError is a redirect to what is no URL.
        raise NetworksError(f"{url} broke off: {describe_error(error)}") from None
    if length not in ("", str(len(content))):
        raise NetworksError(f"{url} broke off after {len(content):,} of {length:.20} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NetworksError(f"{url} answered with what is no UTF-8 text") from None


def _read_pieces(answer: HTTPResponse, *, most_bytes: int, deadline: float) -> Iterator[bytes]:
    had = 0
    # What is there is taken; read() would wait for a whole piece.
    while piece := answer.read1(_PIECE_BYTES):
        had += len(piece)
        if had > most_bytes:
            raise NetworksError(f"the answer is larger than {most_bytes:,} bytes, which is not plausible")
        if time.monotonic() > deadline:
            raise NetworksError("the answer takes too long")
        yield piece


class _NearRedirects(HTTPRedirectHandler):
    """Follows redirects within one scheme and one domain."""

    def __init__(self, url: str) -> None:
        self._scheme = urlsplit(url).scheme
        self._domain = ".".join((urlsplit(url).hostname or "").split(".")[-2:])

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Refuse what leads elsewhere."""
        parts = urlsplit(newurl)
        host = parts.hostname or ""
        if parts.scheme != self._scheme or not (host == self._domain or host.endswith(f".{self._domain}")):
            fp.close()
            raise NetworksError(f"{req.full_url} redirects to {newurl[:200]!r}, which is not the publisher's")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _make_opener(url: str) -> OpenerDirector:
    return build_opener(_NearRedirects(url))
