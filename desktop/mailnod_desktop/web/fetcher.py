"""Fetches what a person allowed a mail to load, because Chromium itself is kept from the network."""

from __future__ import annotations

import re
from collections.abc import Mapping

from PySide6.QtCore import QBuffer, QByteArray, QObject, QUrl
from PySide6.QtNetwork import QNetworkAccessManager, QNetworkCookie, QNetworkCookieJar, QNetworkReply, QNetworkRequest
from PySide6.QtWebEngineCore import QWebEngineUrlRequestJob, QWebEngineUrlSchemeHandler

from mailnod_desktop.web.flags import FETCH_SCHEMES
from mailnod_desktop.web.rules import Gate, Kind, is_nearby

__all__ = ["Fetcher", "Limits", "reply_with"]

_Attribute = QNetworkRequest.Attribute
_TYPES: Mapping[str, tuple[str, ...]] = {
    "image": ("image/", "application/octet-stream"),
    "stylesheet": ("text/css",),
    "font": (
        "font/",
        "application/font",
        "application/x-font",
        "application/vnd.ms-fontobject",
        "application/octet-stream",
    ),
}
_MIME_TYPE = re.compile(r"[\w.+\-]+/[\w.+\-]+", re.ASCII)
# Addresses within a style sheet lead to us directly: fonts cannot be redirected.
_CSS_URL = re.compile(rb"""(url\(\s*["']?)(https?:)""", re.IGNORECASE)


class Limits:
    """How much one mail may load."""

    #: Of one resource.
    BYTES = 8 * 1024 * 1024
    #: Of all resources of what is shown.
    TOTAL_BYTES = 64 * 1024 * 1024
    #: Resources of what is shown.
    COUNT = 400
    REDIRECTS = 5
    TIMEOUT_MS = 10_000


class _NoCookies(QNetworkCookieJar):
    def cookiesForUrl(self, _url: QUrl | str) -> list[QNetworkCookie]:
        return []

    def setCookiesFromUrl(self, _cookies: object, _url: QUrl | str) -> bool:
        return False


class Fetcher(QWebEngineUrlSchemeHandler):
    """Answers requests for ``mailnod-http`` and ``mailnod-https`` with what http and https have.

    :param gate: is asked again about every redirect.
    :param expected: the kind of each URL that the interceptor let through; others are refused.
    """

    def __init__(self, gate: Gate, expected: Mapping[str, Kind], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._gate, self._expected = gate, expected
        self._network = QNetworkAccessManager(self)
        self._network.setCookieJar(_NoCookies(self._network))
        self._network.setTransferTimeout(Limits.TIMEOUT_MS)
        self._left_bytes, self._left_count = Limits.TOTAL_BYTES, Limits.COUNT

    def reset(self) -> None:
        """Give what is shown next its full allowance."""
        self._left_bytes, self._left_count = Limits.TOTAL_BYTES, Limits.COUNT

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        """Begin to fetch what a page asked for."""
        url = job.requestUrl()
        kind = self._expected.get(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
        remote = QUrl(url)
        remote.setScheme(FETCH_SCHEMES[url.scheme()])
        if kind is None or bytes(job.requestMethod().data()) != b"GET" or self._left_count <= 0:
            job.fail(QWebEngineUrlRequestJob.Error.RequestDenied)
            return
        self._left_count -= 1
        _Transfer(self, job, kind, remote).start(remote)

    def refuses(self, kind: Kind, url: QUrl, origin: QUrl) -> str:
        """Say why a server's redirect to a URL is not followed, or "".

        :param origin: what the server was asked for.
        """
        address, asked = (one.toString(QUrl.ComponentFormattingOption.FullyEncoded) for one in (url, origin))
        reason = self._gate.judge(kind, address)
        # What a mail names itself was seen by whom allowed it; where servers lead to was not.
        if not reason and is_nearby(address) and not is_nearby(asked):
            return "leads from outside into this machine or its network"
        return reason

    def note(self, kind: Kind, url: QUrl, reason: str, page: str) -> None:
        """Remember what could not be loaded."""
        self._gate.refuse(kind, url.toDisplayString(), reason, page)

    def request(self, url: QUrl) -> QNetworkReply:
        """Ask a server for a URL, without saying who we are."""
        request = QNetworkRequest(url)
        request.setAttribute(_Attribute.RedirectPolicyAttribute, QNetworkRequest.RedirectPolicy.ManualRedirectPolicy)
        manual = QNetworkRequest.LoadControl.Manual
        for attribute in (
            _Attribute.CookieLoadControlAttribute,
            _Attribute.CookieSaveControlAttribute,
            _Attribute.AuthenticationReuseAttribute,
        ):
            request.setAttribute(attribute, manual)
        request.setAttribute(_Attribute.CacheLoadControlAttribute, QNetworkRequest.CacheLoadControl.AlwaysNetwork)
        request.setAttribute(_Attribute.CacheSaveControlAttribute, False)
        request.setRawHeader(b"User-Agent", b"Mozilla/5.0")
        request.setRawHeader(b"Accept", b"*/*")
        return self._network.get(request)

    def spend(self, size_bytes: int) -> bool:
        """Take from what one mail may load; False where nothing is left."""
        self._left_bytes -= size_bytes
        return self._left_bytes >= 0


class _Transfer(QObject):
    """One resource on its way, redirects included; it ends with the request of the page."""

    def __init__(self, fetcher: Fetcher, job: QWebEngineUrlRequestJob, kind: Kind, url: QUrl) -> None:
        super().__init__(fetcher)
        self._fetcher, self._kind, self._url = fetcher, kind, url
        self._job: QWebEngineUrlRequestJob | None = job
        self._page = job.initiator().host()
        self._reply: QNetworkReply | None = None
        self._hops, self._data = 0, bytearray()
        job.destroyed.connect(self._abandon)

    def start(self, url: QUrl) -> None:
        self._data.clear()
        self._reply = self._fetcher.request(url)
        self._reply.readyRead.connect(self._read)
        self._reply.finished.connect(self._finish)

    def _abandon(self) -> None:
        """Forget a request that the page gave up."""
        self._job = None
        self._end()

    def _end(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.abort()
            reply.deleteLater()
        self.deleteLater()

    def _read(self) -> None:
        if self._reply is None:
            return
        chunk = self._reply.readAll().data()
        self._data += chunk
        if len(self._data) > Limits.BYTES or not self._fetcher.spend(len(chunk)):
            self._fail("too large")

    def _finish(self) -> None:
        reply = self._reply
        if reply is None:
            return
        target = reply.attribute(_Attribute.RedirectionTargetAttribute)
        if isinstance(target, QUrl) and not target.isEmpty():
            self._follow(reply.url().resolved(target))
        elif reply.error() != QNetworkReply.NetworkError.NoError:
            self._fail(f"allowed, but not loaded: {reply.errorString()}")
        else:
            self._answer(str(reply.header(QNetworkRequest.KnownHeaders.ContentTypeHeader) or ""))

    def _follow(self, target: QUrl) -> None:
        self._hops += 1
        reason = "too many redirects" if self._hops > Limits.REDIRECTS else self._refuse(target)
        if reason:
            self._fail(f"redirected to {target.toDisplayString()}: {reason}")
            return
        if self._reply is not None:
            self._reply.deleteLater()
        self.start(target)

    def _refuse(self, target: QUrl) -> str:
        return "" if self._reply is None else self._fetcher.refuses(self._kind, target, self._reply.url())

    def _answer(self, content_type: str) -> None:
        mime_type = content_type.partition(";")[0].strip().lower()
        if not _MIME_TYPE.fullmatch(mime_type) or not mime_type.startswith(_TYPES[self._kind]):
            self._fail(f"the server calls it {mime_type or 'nothing'}, which is no {self._kind}")
            return
        data = bytes(self._data)
        if self._kind == "stylesheet":
            data = _CSS_URL.sub(rb"\1mailnod-\2", data)
        if self._job is not None:
            reply_with(self._job, mime_type.encode(), data)
        self._end()

    def _fail(self, reason: str) -> None:
        self._fetcher.note(self._kind, self._url, reason, self._page)
        if self._job is not None:
            self._job.fail(QWebEngineUrlRequestJob.Error.RequestFailed)
        self._end()


def reply_with(
    job: QWebEngineUrlRequestJob, mime_type: bytes, data: bytes, headers: Mapping[bytes, bytes] | None = None
) -> None:
    """Answer a request of a page.

    :param headers: beside those that let fonts be used, and that forbid guesses about the type.
    """
    buffer = QBuffer(job)
    buffer.setData(data)
    sent = {b"Access-Control-Allow-Origin": b"*", b"X-Content-Type-Options": b"nosniff", **(headers or {})}
    job.setAdditionalResponseHeaders({QByteArray(name): QByteArray(value) for name, value in sent.items()})
    job.reply(mime_type, buffer)
