"""Reads what happened around a hit: bursts, one address across recipients, slow walks, copied clicks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mailnod.judge.headers import is_prefetch
from mailnod.judge.networks import same_network
from mailnod.judge.proxies import is_shown_by_proxy
from mailnod.model import Hit, Observation, Signal, Window

__all__ = ["weigh_window"]

_BURST = Signal(code="window.burst", weight=90, source="gateways follow every link of a mail at once")
_PAIR = Signal(code="window.early_pair", weight=75, source="nobody reads and follows two links within a second")
_BURST_OPEN = Signal(code="window.burst_open", weight=90, source="sandboxes load the images of what they follow")
_ACROSS = Signal(code="window.across_recipients", weight=90, source="one address acts for many recipients unread")
_WALK = Signal(code="window.every_link_unread", weight=75, source="a slow scanner: every link once, never an open")
_SHADOW = Signal(code="window.shadow_click", weight=75, source="resend-node 901: a second network copies a click")
_TRAPPED = Signal(code="window.honeypot", weight=100, source="mautic 9798: who follows a link that nobody sees")
_TRAP_READ = Signal(code="link.honeypot_read", weight=30, source="screen readers may come upon a hidden link")
_OPENED = Signal(code="window.opened_before", weight=-25, source="the same address loaded the mail first")

#: Clicks of one burst follow each other within this many seconds.
_GAP_S = 3.0
#: Nobody reads a mail in less; an open that comes closer before a burst is part of it.
_READING_S = 5.0
#: What a client does within this many seconds of following a hidden link is part of the same walk (mautic 9798).
_TRAP_S = 10.0
#: A double tap is a reader's; nobody comes upon one link again and again.
_MOST_TRAPS_READ = 2
#: Scanners come early; a hidden link that is followed later may be a screen reader's.
_SCANNING_S = 60.0
#: Networks that rent servers or carry mail; people are rare there.
_SERVERS = frozenset(("cloud", "akamai", "azure", "delivery", "gateway"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """The hits around the judged one, sorted out once."""

    judged: Observation
    #: Clicks of the same delivery by the same client, by time; hidden links are no clicks.
    clicks: Sequence[Observation]
    #: Opens of the same delivery by the same client, or by a mailbox's proxy that may have shown it the mail.
    opens: Sequence[Observation]
    #: Every hit of the same delivery, by time.
    own: Sequence[Observation]
    everything: Sequence[Observation]
    #: How many tracked links the mail has; 0 where that is not known.
    link_count: int
    #: Seconds from the server's acceptance to a hit; None where that is not known.
    age_s: Callable[[Hit], float | None]
    #: Names the network of an address.
    network_of: Callable[[str | None], str | None]


def weigh_window(
    observation: Observation, window: Window, *, network_of: Callable[[str | None], str | None]
) -> list[Signal]:
    """Weigh what happened around a hit.

    :param observation: the hit that is judged.
    :param window: the other hits of its delivery and of its address; earlier and later ones.
    :param network_of: names the network of an address, as :meth:`Networks.find` does.
    :returns: signals for and against a machine; empty where the hit stands alone.
    """
    if len(window.observations) < 2 and not observation.hit.honeypot:
        return []
    scene = _set_scene(observation, window, network_of)
    trapped = _weigh_trap(scene)
    if trapped or observation.hit.honeypot:
        # Who acts as a reader is heard as one; who does not needs no other evidence for or against.
        return [trapped or _TRAP_READ]
    if observation.hit.kind == "open":
        found = [_weigh_open(scene)]
    else:
        found = [rule(scene) for rule in (_weigh_burst, _weigh_recipients, _weigh_walk, _weigh_shadow)]
        if _opened_before(scene, observation.hit):
            found.append(_OPENED)
    return [signal for signal in found if signal]


def _set_scene(observation: Observation, window: Window, network_of: Callable[[str | None], str | None]) -> _Scene:
    # What a browser fetches ahead of a person is judged by that alone, and says nothing of what the person does.
    asked = [one for one in window.observations if one.id == observation.id or not is_prefetch(one.hit.headers)]
    everything = sorted(asked, key=_received_at)
    own = [one for one in everything if one.delivery_id == observation.delivery_id]
    mine = [one for one in own if _same_client(one.hit, observation.hit)]
    delivery = window.delivery
    served = network_of(observation.hit.ip) in _SERVERS
    sent_at = (delivery.accepted_at or delivery.envelope.sent_at) if delivery else None
    return _Scene(
        judged=observation,
        clicks=[one for one in mine if one.hit.kind == "click" and not one.hit.honeypot],
        opens=[one for one in own if one.hit.kind == "open" and _is_seen(one, observation.hit, served=served)],
        own=own,
        everything=everything,
        link_count=delivery.link_count if delivery else 0,
        age_s=lambda hit: (hit.received_at - sent_at).total_seconds() if sent_at else None,
        network_of=network_of,
    )


def _weigh_trap(scene: _Scene) -> Signal | None:
    """Find the scanner that follows a hidden link, and what else it does around that."""
    judged = scene.judged.hit
    near = (one.hit for one in scene.own if one.hit.honeypot and abs(_seconds(one.hit, judged)) <= _TRAP_S)
    traps = [hit for hit in near if hit.user_agent == judged.user_agent and _near(hit, judged)]
    if len(traps) > _MOST_TRAPS_READ or any(not _is_read(scene, trap) for trap in traps):
        return _TRAPPED
    return None


def _is_read(scene: _Scene, trap: Hit) -> bool:
    """Say whether a reader came upon a hidden link: in no haste, in a mail that was opened before or is read on."""
    age_s = scene.age_s(trap)
    if (age_s is not None and age_s < _SCANNING_S) or scene.network_of(trap.ip) in _SERVERS:
        return False
    others = [one.hit for one in scene.own if _near(one.hit, trap) and not one.hit.honeypot]
    gaps = [_seconds(trap, hit) for hit in others if hit.kind == "click"]
    if any(abs(gap) <= _GAP_S for gap in gaps) or sum(abs(gap) <= _TRAP_S for gap in gaps) > 1:
        return False
    opened = any(hit.kind == "open" and _seconds(hit, trap) >= _READING_S for hit in others)
    return opened or any(gap >= _READING_S for gap in gaps)


def _weigh_open(scene: _Scene) -> Signal | None:
    """Tell an open that belongs to a burst of clicks from a reader's."""
    hit = scene.judged.hit
    # One click is enough to ask: what is close to the open is one run.
    close = next((one for one in scene.clicks if abs(_seconds(hit, one.hit)) <= _READING_S), None)
    return _BURST_OPEN if close and _is_burst(scene, close) else None


def _weigh_burst(scene: _Scene) -> Signal | None:
    return _is_burst(scene, scene.judged)


def _is_burst(scene: _Scene, click: Observation) -> Signal | None:
    """Say whether a click is one of many that no reader makes; a reader's tabs are told by the open before them."""
    run = _run_around(click, scene.clicks, _GAP_S)
    links = {one.hit.link_index for one in run}
    if len(links) < 2:
        return None
    first, span_s = run[0].hit, _seconds(run[0].hit, run[-1].hit)
    age_s = scene.age_s(first)
    if _opened_before(scene, first, by_s=_READING_S):
        return _BURST if len(links) >= 6 and span_s / (len(run) - 1) < 0.7 else None
    most = len(links) >= (0.8 * scene.link_count if scene.link_count else 5)
    if len(links) >= 3 and (most or (age_s is not None and age_s < 60)):
        return _BURST
    return _PAIR if age_s is not None and age_s < 30 and span_s <= 1.0 else None


def _weigh_recipients(scene: _Scene) -> Signal | None:
    """Tell an appliance that acts for many recipients from a rush behind one office's address."""
    hit = scene.judged.hit
    if hit.ip is None:
        return None
    alike = [one for one in scene.everything if one.hit.ip == hit.ip]
    run = _run_around(scene.judged, [one for one in alike if one.hit.kind == "click"], 2.0)
    deliveries = {one.delivery_id for one in run}
    if len(deliveries) < 3:
        return None
    latest = run[0].hit.received_at - timedelta(seconds=_READING_S)
    read = {one.delivery_id for one in alike if one.hit.kind == "open" and one.hit.received_at <= latest}
    if len(deliveries & read) * 2 >= len(deliveries):
        return None
    if any(is_shown_by_proxy(one.hit.user_agent) and _seconds(one.hit, hit) >= _READING_S for one in scene.opens):
        # A mailbox showed this mail, by its own address and not the office's.
        return None
    # Long after sending, colleagues without images click alike in time; one appliance is alike in its browser too.
    age_s = scene.age_s(run[0].hit)
    browsers = {(one.hit.user_agent, (one.hit.headers or {}).get("accept-language")) for one in run}
    return None if age_s is not None and age_s > 120 and len(browsers) > 1 else _ACROSS


def _weigh_walk(scene: _Scene) -> Signal | None:
    """Find the scanner that takes its time: from a server, every link exactly once, and no open by anyone."""
    links = {one.hit.link_index for one in scene.clicks}
    if scene.link_count < 4 or not len(links) == len(scene.clicks) == scene.link_count:
        return None
    if scene.network_of(scene.judged.hit.ip) not in _SERVERS:
        return None
    return None if any(one.hit.kind == "open" for one in scene.own) else _WALK


def _weigh_shadow(scene: _Scene) -> Signal | None:
    """Find the server that copies a person's click from another network within half a minute."""
    hit = scene.judged.hit
    if scene.network_of(hit.ip) not in _SERVERS:
        return None
    for one in scene.own:
        same = one.hit.kind == "click" and one.hit.link_index == hit.link_index
        if same and 0 < _seconds(one.hit, hit) <= 30 and scene.network_of(one.hit.ip) not in _SERVERS:
            return _SHADOW
    return None


def _opened_before(scene: _Scene, hit: Hit, *, by_s: float = 0.0) -> bool:
    """Say whether the mail was loaded from near the client at least that long before a hit."""
    return any(_seconds(one.hit, hit) >= by_s for one in scene.opens)


def _run_around(click: Observation, ordered: Iterable[Observation], gap_s: float) -> list[Observation]:
    """Take the run of hits around one hit in which each follows the last within the gap."""
    run: list[Observation] = []
    for one in ordered:
        if run and _seconds(run[-1].hit, one.hit) > gap_s:
            if any(member.id == click.id for member in run):
                return run
            run = []
        run.append(one)
    return run if any(member.id == click.id for member in run) else []


def _same_client(one: Hit, other: Hit) -> bool:
    """Say whether two hits come from one client: by address, or by agent where no address was captured."""
    if one.ip is None and other.ip is None:
        return one.user_agent == other.user_agent
    return one.ip == other.ip


def _near(one: Hit, other: Hit) -> bool:
    """Say whether two hits come from one client or from one network, as phones with changing addresses do."""
    return _same_client(one, other) or same_network(one.ip, other.ip)


def _is_seen(load: Observation, hit: Hit, *, served: bool) -> bool:
    """Say whether the client of a hit may have seen the mail when it was loaded.

    :param served: whether the hit comes from a server, to which no mailbox shows a mail.
    """
    if served or _near(load.hit, hit):
        return _near(load.hit, hit)
    # Of whom it was is not known any more where its facts were erased: that may not make a machine of a reader.
    return is_shown_by_proxy(load.hit.user_agent) or (load.purged and hit.ip is not None)


def _received_at(observation: Observation) -> float:
    return observation.hit.received_at.timestamp()


def _seconds(first: Hit, second: Hit) -> float:
    return (second.received_at - first.received_at).total_seconds()
