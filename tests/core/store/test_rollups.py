"""Rollups equal a recount, whatever was published and revised in whatever order."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.store_contract import after, make_delivery, make_observation, make_verdict
from mailnod.model import Classification, Delivery, DeliveryState, EventFilter, EventRecord, Verdict
from mailnod.report.tally import tally
from mailnod.store.base import GroupBy
from mailnod.store.sqlite import SQLiteStore

DELIVERIES = 4
HITS = 8
MACHINES = set(Classification) - {
    Classification.GENUINE,
    Classification.IMAGE_PROXY,
    Classification.UNVERIFIED_CLICK,
}

#: Acceptance of a delivery, or a verdict on a hit: which delivery and which hit of it, and the class of the verdict.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(0, DELIVERIES - 2)),
        st.tuples(st.just("judge"), st.integers(0, DELIVERIES * HITS - 1), st.sampled_from(Classification)),
    ),
    max_size=60,
)


def recount(deliveries: Iterable[Delivery], records: Iterable[EventRecord], by: GroupBy) -> dict[str, dict[str, int]]:
    """Count from deliveries and events alone, in the plainest way."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    seen = set()
    if by == "all":
        counts[""] = defaultdict(int)
    for delivery in deliveries:
        if delivery.accepted_at is None:
            continue
        for key in get_keys(by, delivery, f"{delivery.accepted_at:%Y-%m-%dT%H}:00Z", None):
            counts[key]["deliveries"] += 1
            counts[key]["deliveries_with_pixel"] += 1
            counts[key]["deliveries_with_links"] += 1
    for record in records:
        event = record.event
        kind = "opens" if event.type == "message.opened" else "clicks"
        for key in get_keys(by, record.delivery, f"{event.occurred_at:%Y-%m-%dT%H}:00Z", event.url):
            for who in get_audiences(event.verdict):
                measure = f"{who}_{kind}"
                counts[key][measure] += 1
                if (key, measure, event.delivery_id) not in seen:
                    seen.add((key, measure, event.delivery_id))
                    counts[key][f"{measure}_unique"] += 1
    return {key: dict(line) for key, line in counts.items()}


def get_audiences(verdict: Verdict) -> list[str]:
    """Return for whom an event counts."""
    kinds = {Classification.PRIVACY_PROXY: "privacy", Classification.SECURITY_SCANNER: "scanner"}
    return ["observed", *(["machine", kinds.get(verdict.classification, "bot")] if verdict.machine else ["human"])]


def get_keys(by: GroupBy, delivery: Delivery | None, hour: str, url: str | None) -> list[str]:
    """Return the lines that something counts in."""
    envelope = None if delivery is None else delivery.envelope
    key = {
        "all": "",
        "message": envelope and envelope.message_id,
        "campaign": envelope and envelope.campaign,
        "route": delivery and delivery.decision.route,
        "link": url and url.partition("?")[0],
        "hour": hour,
    }[by]
    return [] if key is None else [str(key)]


def list_names(delivery: Delivery) -> list[str | None]:
    """Return the campaign and the route of a delivery."""
    return [delivery.envelope.campaign, delivery.decision.route]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, batch=st.integers(1, 20))
def test_rollups_equal_a_recount(steps: list[tuple[str, int] | tuple[str, int, Classification]], batch: int) -> None:
    """After any sequence of acceptances, publications and revisions each line equals a count from scratch."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "mailnod.db")
        deliveries = [
            make_delivery(campaign=[None, "spring"][i % 2], route=f"route {i % 2}") for i in range(DELIVERIES)
        ]
        # The last one stays unknown to the store.
        for delivery in deliveries[:-1]:
            store.add_deliveries([delivery])
        hits = [
            make_observation(delivery.id, at=after(1000 * i), kind="click", url=f"https://example.com/{i % 3}?{i}")
            if i % 2
            else make_observation(delivery.id, at=after(1000 * i))
            for delivery in deliveries
            for i in range(HITS)
        ]
        store.add_observations(hits, settle_s=0)
        for start in range(0, len(steps), batch):
            part = steps[start : start + batch]
            for step in part:
                if step[0] == "accept":
                    store.set_delivery_states(
                        [deliveries[step[1]].id], DeliveryState.ACCEPTED, at=after(2000 * step[1])
                    )
            judgements = [
                (hits[step[1]], make_verdict(machine=step[2] in MACHINES, classification=step[2]))
                for step in part
                if len(step) == 3
            ]
            store.publish(judgements, now=after(start))
        known, records = store.get_deliveries(), store.get_events(EventFilter(limit=10_000))
        for by in get_args(GroupBy):
            lines = store.get_metrics(by=by, limit=1000)
            found = {
                line.key: {name: count for name, count in asdict(line).items() if name != "key" and count}
                for line in lines
            }
            assert found == recount(known, records, by)
        for of, name in (("campaign", "spring"), ("route", "route 1")):
            named = [r for r in records if r.delivery is not None and name in list_names(r.delivery)]
            for cells in ("hour", "link"):
                assert store.get_breakdown(of, name, by=cells) == tally(named, by=cells)  # type: ignore[arg-type]
        store.close()
