"""Reads what happened around a hit: bursts, one address across recipients, slow walks through every link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailnod.model import Observation, Signal, Window

__all__ = ["WindowFacts", "weigh_window"]

_BURST = Signal(code="window.burst", weight=90, source="gateways follow every link of a mail at once")
_PAIR = Signal(code="window.early_pair", weight=75, source="nobody reads and follows two links within a second")
_ACROSS = Signal(code="window.across_recipients", weight=90, source="one address acts for many recipients unread")
_WALK = Signal(code="window.every_link_unread", weight=75, source="a slow scanner: every link once, never an open")
_SHADOW = Signal(code="window.shadow_click", weight=75, source="resend-node 901: a second network copies a click")
_OPENED = Signal(code="window.opened_before", weight=-25, source="the same address loaded the mail first")

#: Clicks of one burst follow each other within this many seconds.
_GAP_S = 3.0


class WindowFacts:
    """What the rules of the window need to know about the other hits.

    :param network_of: names the network of an address.
    """

    def __init__(self, network_of: Callable[[str | None], str | None]) -> None:
        self.network_of = network_of


def weigh_window(observation: Observation, window: Window, facts: WindowFacts) -> list[Signal]:
    """Weigh what happened around a hit.

    :param observation: the hit that is judged.
    :param window: the other hits of its delivery and of its address; earlier and later ones.
    :param facts: how to look networks up.
    :returns: signals for and against a machine; empty where the hit stands alone.
    """
    hit = observation.hit
    if len(window.observations) < 2 or hit.kind != "click":
        return []
    own = [one for one in window.observations if one.delivery_id == observation.delivery_id]
    alike = [one for one in window.observations if one.hit.ip == hit.ip and one.hit.method == hit.method]
    signals = []
    opened = _opened_before(observation, own)
    if opened:
        signals.append(_OPENED)
    others = (
        _weigh_burst(observation, own, window, opened=opened),
        _weigh_recipients(observation, alike, window.observations),
        _weigh_walk(observation, own, window, facts),
        _weigh_shadow(observation, own, facts),
    )
    return [*signals, *(signal for signal in others if signal)]


def _opened_before(observation: Observation, own: Sequence[Observation]) -> bool:
    hit = observation.hit
    return any(
        one.hit.kind == "open" and one.hit.ip == hit.ip and one.hit.received_at <= hit.received_at for one in own
    )


def _age_s(observation: Observation, window: Window) -> float | None:
    delivery = window.delivery
    if delivery is None:
        return None
    sent_at = delivery.accepted_at or delivery.envelope.sent_at
    return (observation.hit.received_at - sent_at).total_seconds()


def _cluster(observation: Observation, clicks: Sequence[Observation], gap_s: float) -> list[Observation]:
    """Take the run of hits around one hit in which each follows the last within the gap; in order of time."""
    ordered = sorted(clicks, key=lambda one: one.hit.received_at)
    run: list[Observation] = []
    holds = False
    for one in ordered:
        if run and (one.hit.received_at - run[-1].hit.received_at).total_seconds() > gap_s:
            if holds:
                return run
            run = []
        run.append(one)
        holds = holds or one.id == observation.id
    return run if holds else []


def _weigh_burst(
    observation: Observation, own: Sequence[Observation], window: Window, *, opened: bool
) -> Signal | None:
    clicks = [one for one in own if one.hit.kind == "click" and one.hit.ip == observation.hit.ip]
    run = _cluster(observation, clicks, _GAP_S)
    links = {one.hit.link_index for one in run}
    if len(links) < 2:
        return None
    span_s = (run[-1].hit.received_at - run[0].hit.received_at).total_seconds()
    age_s = _age_s(run[0], window)
    early = age_s is not None and age_s < 60
    count = window.delivery.link_count if window.delivery else 0
    most = len(links) >= max(3, 0.8 * count) if count else len(links) >= 5
    if not opened and len(links) >= 3 and (early or most):
        return _BURST
    if opened and len(links) >= 6 and span_s / (len(run) - 1) < 0.7:
        return _BURST
    if not opened and age_s is not None and age_s < 30 and span_s <= 1.0:
        return _PAIR
    return None


def _weigh_recipients(
    observation: Observation, alike: Sequence[Observation], everything: Sequence[Observation]
) -> Signal | None:
    run = _cluster(observation, [one for one in alike if one.hit.kind == "click"], 2.0)
    deliveries = {one.delivery_id for one in run}
    if len(deliveries) < 3:
        return None
    first_at = run[0].hit.received_at
    opened = {
        one.delivery_id
        for one in everything
        if one.hit.kind == "open" and one.hit.ip == observation.hit.ip and one.hit.received_at <= first_at
    }
    return _ACROSS if len(deliveries & opened) * 2 < len(deliveries) else None


def _weigh_walk(
    observation: Observation, own: Sequence[Observation], window: Window, facts: WindowFacts
) -> Signal | None:
    count = window.delivery.link_count if window.delivery else 0
    clicks = [one for one in own if one.hit.kind == "click" and one.hit.ip == observation.hit.ip]
    if count < 4 or len(clicks) != count or len({one.hit.link_index for one in clicks}) != count:
        return None
    if any(one.hit.kind == "open" for one in own):
        return None
    return _WALK if facts.network_of(observation.hit.ip) in ("cloud", "azure", "delivery", "gateway") else None


def _weigh_shadow(observation: Observation, own: Sequence[Observation], facts: WindowFacts) -> Signal | None:
    hit = observation.hit
    if facts.network_of(hit.ip) not in ("cloud", "azure", "delivery"):
        return None
    for one in own:
        before_s = (hit.received_at - one.hit.received_at).total_seconds()
        copies = one.hit.kind == "click" and one.hit.link_index == hit.link_index and 0 < before_s <= 30
        if copies and one.hit.ip != hit.ip and facts.network_of(one.hit.ip) is None:
            return _SHADOW
    return None
