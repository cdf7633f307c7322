"""Names the device and the client that a user agent speaks of."""

from __future__ import annotations

import re
from typing import Any

from mailnod.judge.evidence import Client
from mailnod.judge.knowledge import PatternSet, read_table

__all__ = ["Clients"]

_TV = re.compile(
    r"(?i)smart-?tv|hbbtv|\btv\b|appletv|apple tv|googletv|google tv|crkey|web0s|webos\.tv|netcast|bravia|roku|"
    r"\baft[a-z]{1,4}\b|viera|aquos|philipstv|dtv|opera tv|tv (?:store|bro|safari)|android tv|nettv|inettvbrowser|mitv"
)
_OTHER = re.compile(
    r"(?i)playstation|nintendo|xbox|\bwatch\b|watchos|wearable|glass\b|echo|alexa|homepod|sonos|tesla|carbrowser|quest|oculus"
)
_TABLET = re.compile(
    r"(?i)ipad|tablet|\btab\b|playbook|kindle|silk/(?!.*mobile)|\bsm-[tx]\d|\bgt-[pn]\d|xoom|nexus (?:7|9|10)\b|"
    r"pixel c\b|pixel tablet|\bkf[a-z]{2,4}\b|mediapad|matepad|touchpad|transformer|iconia|"
    r"ideatab|lenovo tb|lenovo yt|yoga tab"
)
_MOBILE = re.compile(
    r"(?i)iphone|ipod|mobile|android|windows phone|iemobile|blackberry|bb10|symbian|series ?[4-9]0|midp|j2me|"
    r"opera mini|opera mobi|palm|webos|kaios|tizen|nokia|ucweb|brew|wap"
)
_DESKTOP = re.compile(
    r"(?i)windows nt|windows 9|windows xp|win(?:98|95|32|64|nt)|macintosh|mac ?os|mac_powerpc|x11|linux|cros|freebsd|"
    r"openbsd|netbsd|sunos|beos|haiku|os/2|amiga|darwin|windows"
)


class Clients:
    """Our table of mail clients and apps first, then ua-parser."""

    def __init__(self) -> None:
        from ua_parser import BestAvailableResolver, load_lazy_builtins

        entries: list[dict[str, Any]] = read_table("clients")["client"]
        self._entries = [entry for entry in entries for _ in entry["patterns"]]
        self._patterns = PatternSet(pattern for entry in entries for pattern in entry["patterns"])
        self._resolve = BestAvailableResolver(load_lazy_builtins())

    def read(self, agent: str, *, library: bool) -> Client:
        """Name the device and the client.

        :param agent: the user agent, not empty, without lone surrogates.
        :param library: whether the bot tables call it a programming library.
        """
        from ua_parser import Domain

        found = self._patterns.find(agent)
        device = _read_device(agent)
        if found is not None:
            entry = self._entries[found]
            return Client(device_type=entry.get("device", device), client_type=entry["type"], client_name=entry["name"])
        family = self._resolve(agent, Domain.USER_AGENT).user_agent
        name = family.family if family else None
        kind = "library" if library else "browser" if name else None
        return Client(device_type=device, client_type=kind, client_name=name)


def _read_device(agent: str) -> str | None:
    """Name the kind of device from the words of the agent."""
    if _TV.search(agent):
        return "tv"
    if _OTHER.search(agent):
        return "other"
    if _TABLET.search(agent) or ("Android" in agent and "Mobile" not in agent and "Mozilla" in agent):
        return "tablet"
    if _MOBILE.search(agent):
        return "mobile"
    if _DESKTOP.search(agent):
        return "desktop"
    return None
