"""Finds machines that name themselves: link previews, scanners, libraries and crawlers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mailnod.judge.evidence import Finding
from mailnod.judge.knowledge import PatternSet, read_table
from mailnod.model import Classification, Signal

__all__ = ["Bots", "names_system"]

_CRAWLER = Signal(code="ua.crawler_list", weight=97, source="the list of the package crawler-user-agents")

#: Phones of the maker Cubot, whose name would read as a bot's.
_CUBOT = re.compile(r"CUBOT", re.IGNORECASE)

#: Systems that people run, as clients write them.
_SYSTEM = re.compile(
    r"Windows|Win(?:9[58]|NT|32|64)\b|WinCE|Macintosh|Mac[ _]?OS|Mac_P|X11|Linux|CrOS|BSD|SunOS|OS/2|BeOS|Haiku|Amiga"
    r"|AIX\b|RISC OS|QNX|Fuchsia|iPhone|iPad|iPod|iOS|iPadOS|watchOS|tvOS|Apple ?TV|Darwin/|CFNetwork/|HomePod"
    r"|AppleCoreMedia|Android|Dalvik|[Tt]izen|KAIOS|KaiOS|BlackBerry|BB10|PlayBook|RIM Tablet|Symb|S60|Series[ 0-9]"
    r"|SERIES|MIDP|J2ME|BREW|Brew|NetFront|Obigo|OBIGO|UP\.(?:Browser|Link)|Openwave|WAP|MAUI|Maemo|MeeGo|MTK|Nucleus|PalmOS|Palm"
    r"|hpwOS|Web0S|PlayStation|PLAYSTATION|PSP|Nintendo|Xbox|DoCoMo|KDDI|SoftBank|Vodafone|J-PHONE|Opera (?:Mini|TV)"
    r"|SMART-?TV|SmartTV|HbbTV|Roku|NetCast|NETTV|CE-HTML|Sonos|SONOS|Alexa|Echo|Kindle|Danger|hiptop|Nokia|SAMSUNG|LG[-/E]"
    r"|SonyEricsson|MOT-|SEC-|SIE-|ZTE|HUAWEI|Huawei|OpenHarmony|HarmonyOS|ArkWeb|Philips|Sharp|PANTECH|Alcatel|SCP-|Sanyo"
    r"|Mobile;|Phone|\bOS[;)/ ]|OS;|DTV|PS[345]\b|CYGWIN|Inferno|Syllable|jig browser|webOS"
)


#: Nearly all agents name one of these, which the expression holds too and takes long to find.
_COMMON_SYSTEMS = ("Windows", "Linux", "iPhone", "Macintosh", "Android", "iPad")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    pattern: str
    #: None where a person's client is found.
    finding: Finding | None
    library: bool
    #: Whether it counts only where no system is named.
    bare: bool


class Bots:
    """The patterns of our table, then those of crawler-user-agents, then the shapes that crawlers' names have."""

    def __init__(self) -> None:
        table = read_table("machines")
        entries = (*_read(table["machine"]), *_read_crawlers(), *_read(table["shape"]))
        self._full = _Ordered(entries)
        self._with_system = _Ordered(entry for entry in entries if not entry.bare)

    def find(self, agent: str) -> tuple[Finding | None, bool]:
        """Look a user agent up.

        :param agent: the user agent, not empty, without lone surrogates.
        :returns: what decides, or None; and whether the client is a programming library.
        """
        ordered = self._with_system if names_system(agent) else self._full
        entry = ordered.find(_CUBOT.sub("", agent) if "CUBOT" in agent.upper() else agent)
        return (entry.finding, entry.library) if entry else (None, False)


class _Ordered:
    """Entries with the engine that finds the first of them."""

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self._entries = tuple(entries)
        self._patterns = PatternSet(entry.pattern for entry in self._entries)

    def find(self, agent: str) -> _Entry | None:
        found = self._patterns.find(agent)
        return None if found is None else self._entries[found]


def names_system(agent: str) -> bool:
    """Say whether the agent names a system, a make of phone or a set-top box that a person may use.

    :param agent: the user agent.
    """
    return any(map(agent.__contains__, _COMMON_SYSTEMS)) or _SYSTEM.search(agent) is not None


def _read(blocks: Iterable[Mapping[str, Any]]) -> list[_Entry]:
    """Read one list of tables."""
    entries = []
    for block in blocks:
        finding = None
        if block["class"] != "person":
            source = f"{block['source']} ({block['date']})"
            signal = Signal(code=block["code"], weight=block.get("weight", 98), source=source)
            finding = Finding(signal=signal, classification=Classification(block["class"]))
        library, bare = block.get("library", False), block.get("scope") == "bare"
        entries += [_Entry(pattern=one, finding=finding, library=library, bare=bare) for one in block["patterns"]]
    return entries


def _read_crawlers() -> list[_Entry]:
    """Read the patterns of crawler-user-agents; those of mailbox proxies are met by earlier rules."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # type: ignore[import-untyped]

    classes = {
        "social-preview": Classification.LINK_PREVIEW_BOT,
        "scanner": Classification.SECURITY_SCANNER,
    }
    entries = []
    for one in CRAWLER_USER_AGENTS_DATA:
        tags = one.get("tags", ())
        classification = next((classes[tag] for tag in tags if tag in classes), Classification.GENERIC_BOT)
        entries.append(
            _Entry(
                # The list quotes some characters that Rust does not let be quoted.
                pattern=re.sub(r"\\([/\-_:;,@<>=\"'! ])", r"\1", one["pattern"]),
                finding=Finding(signal=_CRAWLER, classification=classification),
                library="http-library" in tags,
                bare=False,
            )
        )
    return entries
