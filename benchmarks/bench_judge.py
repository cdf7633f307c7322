"""Prints how well, how fast and how large the judge is, each figure beside the one that is asked.

Quality is measured by the scorer that lies beside the labelled rows, outside of the project (MAILNOD_SHARED). Speed is
processor time of one core, beside the libraries that the judge builds on, in the same run.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from mailnod.judge.classify import Judge
from mailnod.model import Decision, Delivery, Envelope, Hit, Mode, Observation, Verdict, Window

SENT_AT = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id=bytes(8),
    envelope=Envelope(message_id="<a@example.com>", recipients=("a@example.com",), sent_at=SENT_AT),
    decision=Decision(opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, route="news", reasons=()),
    accepted_at=SENT_AT,
)
CLASSIFY = f"{shlex.quote(sys.executable)} -c 'from mailnod.cli.main import cli; cli()' classify --jsonl"

#: Figures of the scorer: what they are called, its slice and key, what is asked, and whether less is better.
ROWS = (
    ("machine precision", "ALL", "precision", 0.99, False),
    ("machine recall", "ALL", "recall", 0.97, False),
    ("people taken for machines", "ALL", "human_fp_rate", 0.005, True),
    ("classification, strict", "ALL", "class_strict", 0.93, False),
    ("proxy_type", "ALL", "proxy", 0.99, False),
    ("device_type", "ALL", "device", 0.90, False),
    ("client_name", "ALL", "cname", 0.80, False),
    ("client_type", "ALL", "ctype", 0.85, False),
    ("mail world: recall", "source:handmade", "recall", 0.95, False),
    ("mail world: people flagged", "source:handmade", "human_fp_rate", 0.01, True),
    ("mail world: device", "source:handmade", "device", 0.97, False),
    ("mail world: client name", "source:handmade", "cname", 0.97, False),
    ("mail world: client type", "source:handmade", "ctype", 0.97, False),
)
SCENARIOS = (
    ("scenarios: machine recall", "ALL", "recall", 0.95, False),
    ("scenarios: all observations right", "SCENARIO_EXACT", "class_strict", 0.95, False),
    ("scenarios: classification, strict", "ALL", "class_strict", None, False),
)
#: What a process must not load to send a mail or to take a hit.
JUDGING = ("mailnod.judge.verdicts", "mailnod.judge.lists", "ua_parser", "crawleruseragents", "tomllib")


def main() -> None:
    """Print quality, reliability, speed, memory and the cost of imports."""
    shared = os.environ.get("MAILNOD_SHARED")
    rows: list[dict[str, Any]] = []
    if shared:
        folder = Path(shared) / "data" / "bots"
        _print_scores(folder / "score.py", folder / "dev.jsonl", CLASSIFY, ROWS)
        _print_scores(folder / "score.py", folder / "dev_scenarios.jsonl", f"{CLASSIFY} --scenarios", SCENARIOS)
        rows = [json.loads(line) for line in (folder / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
        _print_reliability(rows)
    else:
        print("quality: skipped, because MAILNOD_SHARED is unset and labelled rows are no part of the project")
    agents = [row["ua"] for row in rows if row.get("ua")] or list(_make_agents(3500))
    _print_speed(list(dict.fromkeys(agents))[:3500])
    _print_memory(Path(shared) / "data" / "networks" if shared else None)
    _print_imports()


def _print_scores(
    scorer: Path, rows: Path, command: str, figures: Sequence[tuple[str, str, str, float | None, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "scores.json"
        call = [sys.executable, str(scorer), "--cmd", command, str(rows), "--json", str(out)]
        call += ["--scenarios"] if "--scenarios" in command else []
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
        scores = json.loads(out.read_text(encoding="utf-8"))[rows.name]
    for name, part, key, asked, less in figures:
        _print_figure(name, scores[part][key], asked, less=less, form=".2%")


def _print_figure(name: str, value: float, asked: float | None, *, less: bool = False, form: str = ",.0f") -> None:
    if asked is None:
        print(f"{name:<40}{value:>10{form}}")
        return
    kept = value <= asked if less else value >= asked
    print(
        f"{name:<40}{value:>10{form}}   asked {'<=' if less else '>='} {asked:{form}}   {'kept' if kept else 'MISSED'}"
    )


def _observe(row: dict[str, Any], number: int) -> tuple[Observation, Window]:
    after_s = row.get("seconds_after_send")
    headers = row.get("headers")
    hit = Hit(
        kind=row.get("kind", "click"),
        method=row.get("method", "GET"),
        ip=row.get("ip"),
        user_agent=row.get("ua"),
        headers=None if headers is None else {name.lower(): str(value) for name, value in headers.items()},
        received_at=SENT_AT + timedelta(seconds=after_s or 0),
    )
    observation = Observation(id=number.to_bytes(16, "big"), hit=hit, delivery_id=bytes(8))
    return observation, Window(delivery=None if after_s is None else DELIVERY, observations=(observation,))


def _print_reliability(rows: Sequence[dict[str, Any]]) -> None:
    """Print, for each tenth of the probability, how many were machines: equal where it is calibrated."""
    judge = Judge()
    judged = [(row["expect"], judge.classify(*_observe(row, number))) for number, row in enumerate(rows)]
    labelled: list[tuple[bool, Verdict]] = [(e["machine"], verdict) for e, verdict in judged if "machine" in e]
    print("\nprobability   rows     stated   machines")
    gap = 0.0
    for low in range(0, 100, 10):
        last = 101 if low == 90 else low + 10
        held = [(machine, verdict.probability) for machine, verdict in labelled if low <= verdict.probability < last]
        stated = sum(probability for _, probability in held) / max(1, len(held))
        found = 100 * sum(machine for machine, _ in held) / max(1, len(held))
        gap += abs(stated - found) * len(held) / len(labelled)
        shown = f"{stated:9.1f} % {found:8.1f} %" if held else ""
        print(f"{low:3d} to {low + 10:3d} {len(held):8d} {shown}")
    print(f"expected calibration error {gap:.1f} percentage points\n")


def _print_speed(agents: Sequence[str]) -> None:
    import ua_parser
    from crawleruseragents import is_crawler  # type: ignore[import-untyped]

    # The engines' state machines are built by use: the first 500 agents build them, for the judge and its rivals.
    items = [_observe({"ua": agent, "seconds_after_send": 60}, number) for number, agent in enumerate(agents)]
    judge = Judge()
    cold = _rate(judge_one := lambda item: judge.classify(*item), items)
    cached = max(_rate(judge_one, items) for _ in range(3))
    parser = ua_parser.Parser(ua_parser.BestAvailableResolver(ua_parser.load_lazy_builtins()))
    parsed = _rate(parser.parse, agents)
    listed = _rate(is_crawler, agents[:1000])
    _print_figure("verdicts per second, cached", cached, 50_000)
    _print_figure("verdicts per second, cold", cold, 8_000)
    print(f"cold, against ua-parser alone ({parsed:,.0f}): {cold / parsed:.2f} times")
    print(f"cold, against crawler-user-agents alone ({listed:,.0f}): {cold / listed:.2f} times")


def _rate(work: Callable[[Any], object], items: Sequence[Any], *, warm_up: int = 500) -> float:
    for item in items[:warm_up]:
        work(item)
    started = time.process_time()
    for item in items[warm_up:]:
        work(item)
    return (len(items) - warm_up) / (time.process_time() - started)


def _make_agents(count: int) -> Iterable[str]:
    """Make agents that differ in their versions alone."""
    systems = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 14; K")
    for number, system in enumerate(islice(cycle(systems), count)):
        yield f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.{number}.0 Safari/537.36"


MEMORY = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from mailnod.model import Hit, Observation, Window
from mailnod.judge.classify import Judge

def judge_one(judge):
    hit = Hit(kind="open", method="GET", ip="192.0.2.1", user_agent="x", headers=None, received_at=datetime.now(UTC))
    one = Observation(id=bytes(16), hit=hit, delivery_id=bytes(8))
    judge.classify(one, Window(delivery=None, observations=(one,)))

def read_resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = read_resident()
judge_one(Judge(networks=Path(sys.argv[1])))
print((read_resident() - before) / 1e6)
"""


def _print_memory(lists: Path | None) -> None:
    if not Path("/proc/self/statm").exists():
        print("memory: skipped, because this system has no /proc")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "networks"
        if lists is not None:
            update = ["networks", "update", "--json", "--from-folder", str(lists)]
            subprocess.run(
                [sys.executable, "-c", "from mailnod.cli.main import cli; cli()", *update],
                check=True,
                env={**os.environ, "MAILNOD_NETWORKS": str(path)},
                capture_output=True,
            )
            print(f"{'packed networks, KB':<40}{path.stat().st_size / 1000:>10.1f}")
        done = subprocess.run([sys.executable, "-c", MEMORY, str(path)], check=True, capture_output=True, text=True)
    _print_figure("memory of all tables, MB", float(done.stdout), 80, less=True, form=".1f")


def _print_imports() -> None:
    code = f"import sys, mailnod, mailnod.tracker, mailnod.collect; print(len(set({JUDGING!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    _print_figure("judging modules that sending loads", float(done.stdout), 0, less=True)


if __name__ == "__main__":
    main()
