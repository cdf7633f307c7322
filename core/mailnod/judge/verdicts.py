"""Orders the rules and combines their signals into a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mailnod.judge.agents import Agents
from mailnod.judge.atlas import Atlas
from mailnod.judge.evidence import Age, Client, Finding, Request
from mailnod.judge.headers import find_prefetch, weigh_headers
from mailnod.judge.proxies import find_proxy, relay_type
from mailnod.judge.window import weigh_window
from mailnod.model import Classification, Hit, Kind, Observation, ProxyType, Signal, Verdict, Window

__all__ = ["Rules"]

_HEAD = Signal(code="method.head", weight=95, source="people's browsers ask with GET; jdavidbakr/mail-tracker 200")
_METHOD = Signal(code="method.other", weight=95, source="people's browsers ask with GET")

_NETWORKS = {
    "delivery": Signal(code="ip.mail_transport", weight=70, source="Exchange Online's addresses: no one browses there"),
    "gateway": Signal(code="ip.mail_gateway", weight=25, source="mail security vendors; some also proxy people"),
    "cloud": Signal(code="ip.cloud", weight=68, source="rented servers: sandboxes, but remote desktops and VPNs too"),
    "akamai": Signal(code="ip.cloud", weight=68, source="rented servers: sandboxes, but remote desktops and VPNs too"),
    "azure": Signal(code="ip.azure", weight=50, source="rented servers; many remote desktops and office gateways"),
    "google": Signal(code="ip.google", weight=60, source="Google's own networks: people do not browse from there"),
}

#: Networks in which a person's click stays possible and a machine's is common.
_SHARED = frozenset(("gateway", "cloud", "akamai", "azure", "google", "delivery"))

#: How many hits that stand alone are remembered, and about how many bytes each may take.
_REMEMBERED = 4096
_MOST_REMEMBERED = 4096
#: What a header takes besides its characters.
_HEADER_BYTES = 120

#: Whose networks also hold mailboxes that load images for their readers: no evidence against an open.
_MAILBOX_OWNERS = frozenset(("azure", "google", "delivery"))

_EARLY = Signal(code="time.early", weight=10, source="too soon for most people; counts beside other signs only")
_LATE = Signal(code="time.late", weight=-15, source="most gateways are done within ten minutes")
#: How likely a hidden link was followed by a machine, at least.
_HIDDEN_PROBABILITY = 30
_PHONE = Signal(code="ip.phone_in_cloud", weight=-30, source="phones come through VPNs; sandboxes pose as desktops")

#: The walk of a client that shows nothing else of a scanner.
_PATIENT = "window.every_link_unread"

#: Headers that contradict each other: a forged browser, whoever runs it.
_FORGED = frozenset(("header.headless", "header.other_system", "header.other_version", "header.foreign_hints"))


class Rules:
    """The rules with their tables and engines, which take a moment to load.

    :param ruleset: the version that verdicts name.
    :param networks: the file that ``mailnod networks update`` writes; None where the built-in blocks are enough.
    """

    def __init__(self, *, ruleset: str, networks: Path | None) -> None:
        self._ruleset = ruleset
        self._agents = Agents()
        self._atlas = Atlas(networks)
        # Most hits stand alone and look like others before them.
        self._judge_alone = lru_cache(maxsize=_REMEMBERED)(self._judge)

    def explain(
        self, observation: Observation, window: Window, extra: Sequence[Signal] = ()
    ) -> tuple[Verdict, tuple[Signal, ...]]:
        """Judge one observation; parameters and result as :meth:`mailnod.judge.classify.Judge.explain` has them."""
        self._atlas.refresh()
        facts = self._gather(observation.hit, window)
        around = (*weigh_window(observation, window, network_of=self._atlas.find), *extra)
        if around or facts.size > _MOST_REMEMBERED:
            return self._judge(facts, around)
        return self._judge_alone(facts)

    def _gather(self, hit: Hit, window: Window) -> _Facts:
        age, delivery = None, window.delivery
        if delivery is not None:
            age = _tell_age((hit.received_at - (delivery.accepted_at or delivery.envelope.sent_at)).total_seconds())
        headers = None if hit.headers is None else tuple(hit.headers.items())
        return _Facts(
            kind=hit.kind,
            method=hit.method,
            honeypot=hit.honeypot,
            user_agent=hit.user_agent,
            headers=headers,
            network=self._atlas.find(hit.ip),
            has_address=hit.ip is not None,
            age=age,
        )

    def _judge(self, facts: _Facts, around: Sequence[Signal] = ()) -> tuple[Verdict, tuple[Signal, ...]]:
        request = Request(
            kind=facts.kind,
            method=facts.method,
            honeypot=facts.honeypot,
            agent=None if facts.user_agent is None else self._agents.read(facts.user_agent),
            headers=None if facts.headers is None else dict(facts.headers),
            network=facts.network,
            has_address=facts.has_address,
            age=facts.age,
        )
        finding = find_proxy(request) or _find_by_request(request)
        client = self._agents.read_client(request)
        signals = [*weigh_headers(request), *around] if finding else [*_weigh(request), *around]
        signals.sort(key=lambda signal: -abs(signal.weight))
        if finding is not None:
            signals.insert(0, finding.signal)
            return _conclude(finding, signals, client, self._ruleset), tuple(signals)
        return _weigh_up(request, signals, client, self._ruleset), tuple(signals)

    def name_network(self, ip: str) -> str | None:
        """Return the class of the network that an address lies in; None where no list holds it."""
        return self._atlas.find(ip)


class _Facts(NamedTuple):
    """All that the verdict on a hit depends on that stands alone."""

    kind: Kind
    method: str
    honeypot: bool
    user_agent: str | None
    headers: tuple[tuple[str, str], ...] | None
    network: str | None
    has_address: bool
    age: Age | None

    @property
    def size(self) -> int:
        """About how many bytes they take: hostile clients send hundreds of headers of one character."""
        texts = sum(len(name) + len(value) + _HEADER_BYTES for name, value in self.headers or ())
        return len(self.user_agent or "") + len(self.method) + texts


def _tell_age(age_s: float) -> Age:
    return "early" if age_s < 60 else "late" if age_s > 600 else "usual"


def _find_by_request(request: Request) -> Finding | None:
    """Decide by what the request says of itself: prefetch, method, name."""
    prefetch = find_prefetch(request)
    if prefetch:
        return Finding(signal=prefetch, classification=Classification.PRIVACY_PROXY)
    named = request.agent.finding if request.agent else None
    if request.method not in ("GET", ""):
        if named:
            return named
        signal = _HEAD if request.method == "HEAD" else _METHOD
        return Finding(signal=signal, classification=Classification.SECURITY_SCANNER)
    return named


def _weigh(request: Request) -> list[Signal]:
    """Collect the signals of a request that says nothing decisive."""
    signals = list(request.agent.signals) if request.agent else []
    signals += weigh_headers(request)
    network = _NETWORKS.get(request.network or "")
    if network and not (request.kind == "open" and request.network in _MAILBOX_OWNERS):
        signals.append(network)
        if request.age == "early":
            signals.append(_EARLY)
        elif request.age == "late" and request.network in ("gateway", "delivery", "azure"):
            signals.append(_LATE)
        if request.agent and request.agent.client.device_type in ("mobile", "tablet"):
            signals.append(_PHONE)
    return signals


def _weigh_up(request: Request, signals: Sequence[Signal], client: Client, ruleset: str) -> Verdict:
    """Turn signals that only together decide into a verdict."""
    total = sum(signal.weight for signal in signals)
    # The middle lies where one strong sign, or three weak ones, outweigh nothing to the contrary.
    probability = max(1, min(99, round(100 / (1 + math.exp((35 - max(-100, min(200, total))) / 10)))))
    if request.honeypot:
        # Somebody who cannot see it may have come upon it, which is less than to be sure of a person.
        probability = max(probability, _HIDDEN_PROBABILITY)
    codes = {signal.code for signal in signals}
    if probability >= 50:
        around = any(signal.code.startswith("window.") and signal.weight > 0 for signal in signals)
        if _PATIENT in codes and "header.complete" in codes:
            # A whole browser that takes its time is no person, and may be another machine than a guard.
            around = False
        # A link of one mail is known to its recipient and to what guards the mailbox: a scripted browser is a guard.
        guard = around or "header.any_accept" in codes or request.network in ("delivery", "gateway")
        forged = bool(codes & _FORGED)
        classification = Classification.SECURITY_SCANNER if guard and not forged else Classification.SUSPICIOUS
    elif request.kind == "click" and (probability >= 30 or request.headers is None or request.network in _SHARED):
        classification = Classification.UNVERIFIED_CLICK
    else:
        classification = Classification.GENUINE
    verdict = _verdict(classification, relay_type(request), probability, signals, client, ruleset)
    # Whoever follows a hidden link has clicked nothing that was shown.
    return replace(verdict, counts_for_metrics=False) if request.honeypot else verdict


def _conclude(finding: Finding, signals: Sequence[Signal], client: Client, ruleset: str) -> Verdict:
    """Turn a finding that decides into a verdict."""
    if finding.hides_client:
        client = Client(client_type=client.client_type, client_name=client.client_name)
    # A mailbox's image proxy is a person's open; that its provider fetches unasked happens too.
    probability = finding.signal.weight if finding.classification.machine else 3
    return _verdict(finding.classification, finding.proxy_type, probability, signals, client, ruleset)


def _verdict(
    classification: Classification,
    proxy_type: ProxyType | None,
    probability: int,
    signals: Sequence[Signal],
    client: Client,
    ruleset: str,
) -> Verdict:
    machine = classification.machine
    return Verdict(
        detected=machine or proxy_type is not None or classification is Classification.IMAGE_PROXY,
        probability=probability,
        classification=classification,
        proxy_type=proxy_type,
        reason_codes=tuple(dict.fromkeys(signal.code for signal in signals)),
        machine=machine,
        counts_for_metrics=not machine,
        device_type=client.device_type,
        client_type=client.client_type,
        client_name=client.client_name,
        ruleset=ruleset,
    )
