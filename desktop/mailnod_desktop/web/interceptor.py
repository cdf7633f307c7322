"""Looks at every request of the shown pages before Chromium makes it."""

from __future__ import annotations

from PySide6.QtCore import QObject, QUrl
from PySide6.QtWebEngineCore import QWebEngineUrlRequestInfo, QWebEngineUrlRequestInterceptor

from mailnod_desktop.web.flags import CID_SCHEME, FETCH_SCHEMES, PAGE_SCHEME
from mailnod_desktop.web.rules import Gate, Kind

__all__ = ["Interceptor"]

_Type = QWebEngineUrlRequestInfo.ResourceType
_KINDS: dict[QWebEngineUrlRequestInfo.ResourceType, Kind] = {
    _Type.ResourceTypeMainFrame: "page",
    _Type.ResourceTypeSubFrame: "frame",
    _Type.ResourceTypeStylesheet: "stylesheet",
    _Type.ResourceTypeScript: "script",
    _Type.ResourceTypeImage: "image",
    _Type.ResourceTypeFontResource: "font",
    _Type.ResourceTypeObject: "object",
    _Type.ResourceTypePluginResource: "object",
    _Type.ResourceTypeMedia: "media",
    _Type.ResourceTypePrefetch: "prefetch",
    _Type.ResourceTypeFavicon: "icon",
    _Type.ResourceTypePing: "ping",
}
_MOST_EXPECTED = 10_000
_TO_FETCH = {remote: ours for ours, remote in FETCH_SCHEMES.items()}


class Interceptor(QWebEngineUrlRequestInterceptor):
    """Lets pages load themselves and their own parts; what else a person allowed is redirected to be fetched by us."""

    def __init__(self, gate: Gate, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._gate = gate
        #: What asked for each URL that is being fetched.
        self.expected: dict[str, Kind] = {}

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        """Let a request pass, redirect it, or block and remember it."""
        url, kind = info.requestUrl(), _KINDS.get(info.resourceType(), "other")
        scheme, page = url.scheme(), info.firstPartyUrl().host()
        if scheme == "data" and kind != "frame":
            return
        if scheme == CID_SCHEME and kind in ("image", "stylesheet", "font", "media"):
            return
        if scheme == PAGE_SCHEME and kind == "page":
            return
        if scheme == PAGE_SCHEME:
            info.block(True)
            if kind != "icon":
                self._gate.refuse(kind, url.path().lstrip("/"), "relative, leads nowhere in a mail", page)
            return
        remote = QUrl(url)
        remote.setScheme(FETCH_SCHEMES.get(scheme, scheme))
        reason = self._gate.judge(kind, remote.toString(QUrl.ComponentFormattingOption.FullyEncoded))
        if reason:
            info.block(True)
            self._gate.refuse(kind, remote.toDisplayString(), reason, page)
            return
        fetched = QUrl(remote)
        fetched.setScheme(_TO_FETCH[remote.scheme()])
        if len(self.expected) > _MOST_EXPECTED:
            self.expected.clear()
        self.expected[fetched.toString(QUrl.ComponentFormattingOption.FullyEncoded)] = kind
        if scheme not in FETCH_SCHEMES:
            info.redirect(fetched)
