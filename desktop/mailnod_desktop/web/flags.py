"""What has to be said to Qt WebEngine before the application object is made, and why it cannot be loaded."""

from __future__ import annotations

import logging
import os
import re

from PySide6.QtCore import QCoreApplication, Qt

__all__ = ["CID_SCHEME", "FETCH_SCHEMES", "PAGE_SCHEME", "engine_problem", "is_prepared", "prepare_engine"]

_log = logging.getLogger(__name__)

#: What the shown mails are loaded from.
PAGE_SCHEME = "mailnod-preview"
#: Parts of a mail that its HTML refers to (RFC 2392).
CID_SCHEME = "cid"
#: What a person allowed to be loaded: the scheme that Chromium is redirected to, and the one that is fetched for it.
FETCH_SCHEMES = {"mailnod-http": "http", "mailnod-https": "https"}

_FLAGS_VARIABLE = "QTWEBENGINE_CHROMIUM_FLAGS"
_SANDBOX_VARIABLE = "QTWEBENGINE_DISABLE_SANDBOX"
#: Chromium complains about what a desktop lacks, such as a bus, although nothing here needs it.
_QUIET = "--log-level=3"
# The first alone keeps every connection from being made; the others spare the attempts.
_FLAGS = (
    '--host-resolver-rules="MAP * ~NOTFOUND"',
    "--dns-prefetch-disable",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-quic",
    "--disable-sync",
    "--no-pings",
    # The script beside a mail has Chromium collect what earlier ones left behind; without scripts it hardly ever does.
    "--js-flags=--expose-gc",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
# Debian's package of each library that Qt WebEngine loads and a small system may lack.
_PACKAGES = {
    "libnss3": "libnss3",
    "libnssutil3": "libnss3",
    "libsmime3": "libnss3",
    "libnspr4": "libnspr4",
    "libasound": "libasound2",
    "libgbm": "libgbm1",
    "libXcomposite": "libxcomposite1",
    "libXdamage": "libxdamage1",
    "libXext": "libxext6",
    "libXfixes": "libxfixes3",
    "libXrandr": "libxrandr2",
    "libXtst": "libxtst6",
    "libxkbfile": "libxkbfile1",
    "libxcb-dri3": "libxcb-dri3-0",
    "libGL": "libgl1",
    "libEGL": "libegl1",
    "libdbus-1": "libdbus-1-3",
    "libfontconfig": "libfontconfig1",
    "libxkbcommon": "libxkbcommon0",
    "libglib-2.0": "libglib2.0-0",
}
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+?)\.so[\w.]*: cannot open shared object file")


def prepare_engine() -> str | None:
    """Register our URL schemes and silence Chromium; to be called before the application object is made.

    Flags that the environment names already are kept, and ours stand behind them.

    :returns: what :func:`engine_problem` says.
    """
    # Loaded without it, WebEngine warns.
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    problem = engine_problem()
    if problem is not None:
        return problem
    present = os.environ.get(_FLAGS_VARIABLE, "")
    missing = [flag for flag in _FLAGS if flag not in present]
    # Whoever wants to read Chromium's log can have it.
    quiet = "" if "--log-level" in present else _QUIET
    os.environ[_FLAGS_VARIABLE] = " ".join(filter(None, [quiet, present, *missing]))
    if hasattr(os, "geteuid") and os.geteuid() == 0 and _SANDBOX_VARIABLE not in os.environ:
        # Chromium ends the whole process otherwise.
        os.environ[_SANDBOX_VARIABLE] = "1"
        _log.warning("the preview runs without Chromium's sandbox because this is the superuser's account")
    _register_schemes()
    return None


def is_prepared() -> bool:
    """Tell whether :func:`prepare_engine` was called; it is too late for it once there is an application object."""
    if not QCoreApplication.testAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts):
        return False
    from PySide6.QtWebEngineCore import QWebEngineUrlScheme

    return bool(QWebEngineUrlScheme.schemeByName(PAGE_SCHEME.encode()).name())


def engine_problem() -> str | None:
    """Say why the preview cannot be drawn by Qt WebEngine, and how to change that.

    :returns: a sentence or two in words; None where it can be.
    """
    shared = QCoreApplication.testAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    if QCoreApplication.instance() is not None and not shared:
        return "Qt WebEngine was not prepared before the application began."
    try:
        import PySide6.QtWebEngineCore
        import PySide6.QtWebEngineWidgets  # noqa: F401
    except ModuleNotFoundError:
        return "Qt WebEngine is not installed. Get it with: pip install 'mailnod[desktop-web]'"
    except ImportError as error:
        return _explain(str(error))
    if QCoreApplication.instance() is not None and not is_prepared():
        return "Qt WebEngine was not prepared before the application began."
    return None


def _explain(message: str) -> str:
    found = _MISSING_LIBRARY.search(message)
    if found is None:
        return f"Qt WebEngine cannot be loaded: {message}"
    library = found[1]
    package = next((name for start, name in _PACKAGES.items() if library.startswith(start)), "")
    advice = f"On Debian or Ubuntu: sudo apt-get install {package}" if package else "Install the package that has it."
    return f"Qt WebEngine cannot be loaded, because the library {library} is missing. {advice}"


def _register_schemes() -> None:
    from PySide6.QtWebEngineCore import QWebEngineUrlScheme

    if is_prepared():
        return
    syntax, flag = QWebEngineUrlScheme.Syntax, QWebEngineUrlScheme.Flag
    page = QWebEngineUrlScheme(PAGE_SCHEME.encode())
    page.setSyntax(syntax.Host)
    cid = QWebEngineUrlScheme(CID_SCHEME.encode())
    cid.setSyntax(syntax.Path)
    schemes = [page, cid]
    for name, port in zip(FETCH_SCHEMES, (80, 443), strict=True):
        scheme = QWebEngineUrlScheme(name.encode())
        scheme.setSyntax(syntax.HostAndPort)
        scheme.setDefaultPort(port)
        # Fonts are only taken from where cross-origin requests are possible.
        scheme.setFlags(flag.CorsEnabled)
        schemes.append(scheme)
    for scheme in schemes:
        QWebEngineUrlScheme.registerScheme(scheme)
