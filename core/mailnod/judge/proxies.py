"""Recognises the proxies of mailbox providers, before any list of crawlers can call them crawlers."""

from __future__ import annotations

from mailnod.judge.evidence import Finding, Request
from mailnod.model import Classification, ProxyType, Signal

__all__ = ["find_proxy", "is_shown_by_proxy", "relay_type"]

#: The tail of Gmail's prefetch, which no browser has.
_GMAIL_PREFETCH = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"

#: Rented servers: a mailbox provider's proxy does not ask from there.
_RENTED = ("cloud", "azure", "akamai", "gateway", "delivery")


def _proxy(code: str, source: str, classification: Classification, proxy_type: ProxyType | None) -> Finding:
    weight = 97 if classification is Classification.PRIVACY_PROXY else -60
    return Finding(
        signal=Signal(code=code, weight=weight, source=source),
        classification=classification,
        proxy_type=proxy_type,
        hides_client=True,
    )


_GMAIL = _proxy("ua.gmail_proxy", "scientiamobile.com, 2018", Classification.IMAGE_PROXY, "gmail")
_PREFETCH = _proxy("ua.gmail_prefetch", "sparkpost.com, 2021", Classification.PRIVACY_PROXY, "gmail")
_YAHOO = _proxy("ua.yahoo_proxy", "help.yahoo.com SLN28749", Classification.IMAGE_PROXY, "yahoo")
_MPP = _proxy("ua.apple_mpp", "wordtothewise.com, 2021", Classification.PRIVACY_PROXY, "apple_mpp")
_CLICKING = Finding(
    signal=Signal(code="ua.clicking_proxy", weight=90, source="image proxies load images and follow no links"),
    classification=Classification.SUSPICIOUS,
    hides_client=True,
)
_BARE_CARRIER = Finding(
    signal=Signal(code="ip.relay_carrier", weight=90, source="a carrier of Apple's relay; its list of exits ages"),
    classification=Classification.PRIVACY_PROXY,
    hides_client=True,
)
_SPOOF = Finding(
    signal=Signal(code="ip.foreign_proxy", weight=90, source="Google asks from its own networks"),
    classification=Classification.SUSPICIOUS,
    hides_client=True,
)
_BARE = Finding(
    signal=Signal(
        code="ua.bare_mozilla", weight=92, source="no browser stops after Mozilla/5.0; Apple's relay is elsewhere"
    ),
    classification=Classification.SUSPICIOUS,
    hides_client=True,
)
_OTHERS = {
    "RamblerMail/": _proxy("ua.rambler_proxy", "matomo, 2026", Classification.IMAGE_PROXY, None),
    "SeznamEmailProxy/": _proxy("ua.seznam_proxy", "matomo, 2026", Classification.IMAGE_PROXY, None),
    "mail.ukr.net proxy": _proxy("ua.ukrnet_proxy", "matomo, 2026", Classification.IMAGE_PROXY, None),
    "Shortwave Image Fetcher": _proxy("ua.shortwave_proxy", "crawler-user-agents", Classification.IMAGE_PROXY, None),
}

#: What proxies that ask when somebody reads call themselves.
_SHOWING = ("GoogleImageProxy", "YahooMailProxy", *_OTHERS)


def find_proxy(request: Request) -> Finding | None:
    """Recognise the proxy that a mailbox provider put between the person and us.

    :param request: the hit; an address that was not captured neither proves nor disproves.
    :returns: what decides, or None. A proxy's name from a network where that proxy does not live is a forgery.
    """
    finding = _find_named(request)
    if finding and finding.classification is Classification.IMAGE_PROXY and request.kind == "click":
        return _CLICKING
    return finding


def is_shown_by_proxy(user_agent: str | None) -> bool:
    """Say whether an open comes from a proxy that asks when somebody reads; its name alone is looked at.

    :param user_agent: as it was sent; None where it was not captured.
    """
    return user_agent is not None and any(name in user_agent for name in _SHOWING)


def relay_type(request: Request) -> ProxyType | None:
    """Say whether a real browser came through iCloud Private Relay; the address alone makes no machine."""
    return "apple_private_relay" if request.network == "apple_relay" else None


def _find_named(request: Request) -> Finding | None:
    if request.agent is None:
        return None
    text = request.agent.text
    if text == "Mozilla/5.0":
        return _find_bare(request)
    if "GoogleImageProxy" in text:
        return _GMAIL if _google(request) else _SPOOF
    if text.endswith(_GMAIL_PREFETCH):
        return _PREFETCH if _google(request) else _SPOOF
    if "YahooMailProxy" in text:
        return _SPOOF if request.network in _RENTED else _YAHOO
    return next((finding for name, finding in _OTHERS.items() if name in text), None)


def _google(request: Request) -> bool:
    return not request.has_address or request.network == "google"


def _find_bare(request: Request) -> Finding:
    """Judge the bare "Mozilla/5.0", which Mail Privacy Protection sends for opens."""
    if request.kind == "open" and (request.network == "apple_relay" or not request.has_address):
        return _MPP
    return _BARE_CARRIER if request.kind == "open" and request.network in ("akamai", "carrier") else _BARE
