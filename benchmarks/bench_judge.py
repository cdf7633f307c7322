"""Prints how well and how fast observations are judged, beside the libraries that the judge builds on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mailnod.judge.classify import Judge
from mailnod.model import (
    Decision,
    Delivery,
    Envelope,
    Hit,
    Mode,
    Observation,
    Verdict,
    Window,
)

SENT_AT = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id=bytes(8),
    envelope=Envelope(message_id="<a@example.com>", recipients=("a@example.com",), sent_at=SENT_AT),
    decision=Decision(opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, route="news", reasons=()),
    accepted_at=SENT_AT,
)


def main() -> None:
    """Print the quality on labelled rows, where MAILNOD_SHARED names them, and the speed."""
    shared = os.environ.get("MAILNOD_SHARED")
    rows = _read_rows(Path(shared) / "data" / "bots" / "dev.jsonl") if shared else []
    if rows:
        _print_quality(rows)
    else:
        print("quality: MAILNOD_SHARED is unset, no labelled rows")
    agents = [row["ua"] for row in rows if row.get("ua")] or list(_make_agents(3000))
    _print_speed(list(dict.fromkeys(agents))[:3000])


def _read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _make_agents(count: int) -> Iterable[str]:
    """Make agents that differ in their versions alone."""
    systems = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 14; K")
    for number, system in enumerate(islice(cycle(systems), count)):
        yield f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.{number}.0 Safari/537.36"


def _observe(row: dict[str, Any], number: int) -> tuple[Observation, Window]:
    after_s = row.get("seconds_after_send")
    headers = row.get("headers")
    hit = Hit(
        kind=row.get("kind", "click"),
        method=row.get("method", "GET"),
        ip=row.get("ip"),
        user_agent=row.get("ua"),
        headers=None if headers is None else {name.lower(): value for name, value in headers.items()},
        received_at=SENT_AT + timedelta(seconds=after_s or 0),
    )
    observation = Observation(id=number.to_bytes(16, "big"), hit=hit, delivery_id=bytes(8))
    return observation, Window(delivery=None if after_s is None else DELIVERY, observations=(observation,))


def _print_quality(rows: Sequence[dict[str, Any]]) -> None:
    judge = Judge()
    judged = [(row["expect"], judge.classify(*_observe(row, number))) for number, row in enumerate(rows)]
    labelled = [(expect["machine"], verdict) for expect, verdict in judged if "machine" in expect]
    machines = [verdict.machine for machine, verdict in labelled if machine]
    people = [verdict.machine for machine, verdict in labelled if not machine]
    print(f"machines found {sum(machines) / len(machines):.2%} of {len(machines)}")
    print(f"people taken for machines {sum(people) / len(people):.2%} of {len(people)}")
    for field in ("proxy_type", "device_type", "client_type"):
        agreed = [expect[field] == getattr(verdict, field) for expect, verdict in judged if field in expect]
        print(f"{field} right {sum(agreed) / len(agreed):.2%} of {len(agreed)}")
    _print_reliability(labelled)


def _print_reliability(labelled: Sequence[tuple[bool, Verdict]]) -> None:
    """Print, for each tenth of the probability, how many were machines: equal where it is calibrated."""
    print("probability   rows   stated   machines")
    for low in range(0, 100, 10):
        last = 101 if low == 90 else low + 10
        held = [(machine, verdict.probability) for machine, verdict in labelled if low <= verdict.probability < last]
        if held:
            stated = sum(probability for _, probability in held) / len(held)
            found = 100 * sum(machine for machine, _ in held) / len(held)
            print(f"{low:3d} to {low + 10:3d} {len(held):8d} {stated:7.1f} % {found:8.1f} %")


def _print_speed(agents: Sequence[str]) -> None:
    import ua_parser
    from crawleruseragents import is_crawler  # type: ignore[import-untyped]

    items = [_observe({"ua": agent, "seconds_after_send": 60}, number) for number, agent in enumerate(agents)]
    judge = Judge()
    # The first verdict loads the tables; it is no part of the figures.
    judge.classify(*_observe({"ua": "warm-up"}, 0))
    cold = _rate(lambda: [judge.classify(*item) for item in items], len(items))
    cached = _rate(lambda: [judge.classify(*item) for item in items], len(items))
    parser = ua_parser.Parser(ua_parser.BestAvailableResolver(ua_parser.load_lazy_builtins()))
    parser.parse("warm-up")
    parsed = _rate(lambda: [parser.parse(agent) for agent in agents], len(agents))
    is_crawler("warm-up")
    listed = _rate(lambda: [is_crawler(agent) for agent in agents[:500]], len(agents[:500]))
    print(f"verdicts per second: cold {cold:,.0f}, cached {cached:,.0f}")
    print(f"cold, against ua-parser alone ({parsed:,.0f}): {cold / parsed:.2f} times")
    print(f"cold, against crawler-user-agents alone ({listed:,.0f}): {cold / listed:.2f} times")


def _rate(work: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
