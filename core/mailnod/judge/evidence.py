"""The small types that the rules hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mailnod.model import Classification, Kind, ProxyType, Signal

__all__ = ["Age", "Agent", "Client", "Engine", "Finding", "Request"]

#: The family of a browser's engine; what headers it sends depends on it.
Engine = Literal["chromium", "firefox", "safari", "trident"]


#: Within the first minute, within ten, or later than most gateways ask.
Age = Literal["early", "usual", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the person holds and reads with; None where it cannot be known."""

    device_type: str | None = None
    client_type: str | None = None
    client_name: str | None = None
    #: Whether our own table holds the client, so that it need not name a system.
    listed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that decides by itself."""

    signal: Signal
    classification: Classification
    proxy_type: ProxyType | None = None
    #: Whether the request says nothing about the person's device, because a proxy stands between.
    hides_client: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What a user agent says, whoever sends it."""

    #: The user agent, cut to a length that no client exceeds.
    text: str
    client: Client
    #: The machine that names itself; None where none does.
    finding: Finding | None
    #: Oddities of the text that weigh without deciding.
    signals: tuple[Signal, ...]
    #: None where it is no browser.
    engine: Engine | None
    #: The engine's major version, 0 where it is unknown.
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One hit as the rules read it."""

    kind: Kind
    method: str
    #: Whether it follows the link of a mail that people do not see.
    honeypot: bool
    #: None where the user agent was not captured.
    agent: Agent | None
    #: Names in lower case; None where headers were not captured.
    headers: Mapping[str, str] | None
    #: Label of the network, None where it is unknown or ordinary.
    network: str | None
    #: Whether the address was captured.
    has_address: bool
    #: How long ago a server accepted the mail; None where that is not known.
    age: Age | None
