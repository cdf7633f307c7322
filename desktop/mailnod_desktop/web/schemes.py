"""Answers the requests of the shown pages for themselves and for parts of their mail."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PySide6.QtCore import QObject, QUrl
from PySide6.QtWebEngineCore import QWebEngineUrlRequestJob, QWebEngineUrlSchemeHandler

from mailnod_desktop.web.fetcher import reply_with
from mailnod_desktop.web.flags import PAGE_SCHEME

__all__ = ["PageSource", "PartSource"]

_Error = QWebEngineUrlRequestJob.Error
_MIME_TYPE = re.compile(r"[\w.+\-]+/[\w.+\-]+", re.ASCII)
# JavaScript of pages is off anyway; a form or a frame that slipped through would still have nowhere to go.
_POLICY = b"script-src 'none'; connect-src 'none'; worker-src 'none'; object-src 'none'; form-action 'none'"


class PageSource(QWebEngineUrlSchemeHandler):
    """Holds what each page shows at present."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pages: dict[str, tuple[int, bytes]] = {}

    def put(self, name: str, html: str) -> QUrl:
        """Keep a page's HTML.

        :returns: the URL that shows it, different each time.
        """
        number = self._pages.get(name, (0, b""))[0] + 1
        self._pages[name] = (number, html.encode("utf-8", "replace"))
        return QUrl(f"{PAGE_SCHEME}://{name}/{number}")

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        """Answer with the HTML, in UTF-8 whatever it says of itself: it was decoded already."""
        url = job.requestUrl()
        number, data = self._pages.get(url.host(), (0, b""))
        if url.path() != f"/{number}" or not number:
            job.fail(_Error.UrlNotFound)
            return
        reply_with(job, b"text/html; charset=utf-8", data, {b"Content-Security-Policy": _POLICY})


class PartSource(QWebEngineUrlSchemeHandler):
    """Answers ``cid:`` with the parts of the mail that is shown (RFC 2392)."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._parts: Mapping[str, tuple[str, bytes]] = {}

    def put(self, parts: Mapping[str, tuple[str, bytes]]) -> None:
        """Keep a mail's parts: type and bytes by Content-ID."""
        self._parts = parts

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        """Answer with the part of that Content-ID."""
        address = job.requestUrl()
        names = (
            address.path(QUrl.ComponentFormattingOption.FullyDecoded),
            address.path(QUrl.ComponentFormattingOption.FullyEncoded),
        )
        part = next((self._parts[name] for name in names if name in self._parts), None)
        if part is None:
            job.fail(_Error.UrlNotFound)
            return
        content_type, data = part
        mime_type = content_type if _MIME_TYPE.fullmatch(content_type) else "application/octet-stream"
        reply_with(job, mime_type.encode(), data)
