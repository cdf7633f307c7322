"""The profile of the shown pages: nothing is kept, nothing is run, nothing leaves."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWebEngineCore import QWebEngineDownloadRequest, QWebEngineProfile, QWebEngineSettings

from mailnod_desktop.web.fetcher import Fetcher
from mailnod_desktop.web.flags import CID_SCHEME, FETCH_SCHEMES, PAGE_SCHEME
from mailnod_desktop.web.interceptor import Interceptor
from mailnod_desktop.web.rules import Gate
from mailnod_desktop.web.schemes import PageSource, PartSource

__all__ = ["PreviewProfile"]

_Attribute = QWebEngineSettings.WebAttribute
_OFF = (
    _Attribute.JavascriptEnabled,
    _Attribute.JavascriptCanOpenWindows,
    _Attribute.JavascriptCanAccessClipboard,
    _Attribute.JavascriptCanPaste,
    _Attribute.LocalStorageEnabled,
    _Attribute.LocalContentCanAccessFileUrls,
    _Attribute.LocalContentCanAccessRemoteUrls,
    _Attribute.HyperlinkAuditingEnabled,
    _Attribute.DnsPrefetchEnabled,
    _Attribute.PluginsEnabled,
    _Attribute.PdfViewerEnabled,
    _Attribute.FullScreenSupportEnabled,
    _Attribute.ScreenCaptureEnabled,
    _Attribute.WebGLEnabled,
    _Attribute.Accelerated2dCanvasEnabled,
    _Attribute.AllowRunningInsecureContent,
    _Attribute.AllowGeolocationOnInsecureOrigins,
    _Attribute.AllowWindowActivationFromJavaScript,
    _Attribute.AutoLoadIconsForPage,
    _Attribute.TouchIconsEnabled,
    _Attribute.ErrorPageEnabled,
    _Attribute.NavigateOnDropEnabled,
    _Attribute.FocusOnNavigationEnabled,
    _Attribute.BackForwardCacheEnabled,
    _Attribute.ScrollAnimatorEnabled,
)


class PreviewProfile(QWebEngineProfile):
    """An off-the-record profile whose pages load themselves, their parts, and what the gate lets through."""

    def __init__(self, gate: Gate, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.gate = gate
        self.setHttpCacheType(QWebEngineProfile.HttpCacheType.NoCache)
        self.setPersistentCookiesPolicy(QWebEngineProfile.PersistentCookiesPolicy.NoPersistentCookies)
        self.setSpellCheckEnabled(False)
        self.setPushServiceEnabled(False)
        for attribute in _OFF:
            self.settings().setAttribute(attribute, False)
        # Qt keeps no reference to any of these.
        self.pages, self.parts = PageSource(self), PartSource(self)
        self._interceptor = Interceptor(gate, self)
        self.fetcher = Fetcher(gate, self._interceptor.expected, self)
        self.setUrlRequestInterceptor(self._interceptor)
        self.installUrlSchemeHandler(PAGE_SCHEME.encode(), self.pages)
        self.installUrlSchemeHandler(CID_SCHEME.encode(), self.parts)
        for scheme in FETCH_SCHEMES:
            self.installUrlSchemeHandler(scheme.encode(), self.fetcher)
        self.downloadRequested.connect(_cancel)

    def begin(self) -> None:
        """Give the mail that is shown next a full allowance."""
        self.fetcher.reset()


def _cancel(download: QWebEngineDownloadRequest) -> None:
    download.cancel()
