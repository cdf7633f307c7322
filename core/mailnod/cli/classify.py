"""The command that judges single requests, for people and, line by line, for programs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from click.core import ParameterSource

from mailnod.cli.classify_rows import read_address, read_row, read_scenario
from mailnod.cli.context import CliContext
from mailnod.cli.output import clean, make_console, make_table
from mailnod.judge.classify import Judge
from mailnod.model import (
    HONEYPOT_INDEX,
    Decision,
    Delivery,
    DeliveryState,
    Envelope,
    Hit,
    Kind,
    Mode,
    Observation,
    Signal,
    Verdict,
    Window,
)

__all__ = ["classify"]

#: Rows say how long after sending they were seen, not when; this is where their clock starts.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_FORMATS = """With --jsonl each line of standard input is an object such as

\b
  {"id": 1, "kind": "click", "method": "GET", "ua": "curl/8.0",
   "ip": "192.0.2.1", "headers": {"accept": "*/*"},
   "seconds_after_send": 4.5}

in which every key may be absent, and is answered in order by the verdict with the same id. With --scenarios too, a
line is a sequence that is judged as a whole, "t" being seconds after "sent_at":

\b
  {"name": "one", "sent_at": "2026-03-01T12:00:00Z",
   "links": ["https://example.com/a"],
   "observations": [{"t": 4, "kind": "click",
     "link": "https://example.com/a", "ip": "192.0.2.1",
     "ua": "curl/8.0", "method": "GET", "headers": {},
     "recipient": "r1", "message": "m1"}]}

and is answered by {"name", "observations": [one verdict each]}. Links that nobody sees stand in "honeypot_links" too.
A line that cannot be read is answered by {"error"}, and the command then ends with 1.
"""


def _check_ip(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else read_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(epilog=_FORMATS)
@click.option("--jsonl", is_flag=True, help="Read requests from standard input, one JSON object per line.")
@click.option("--scenarios", is_flag=True, help="With --jsonl: each line holds a sequence of observations.")
@click.option("--ua", help="The user agent; an empty one means that the client sent none.")
@click.option("--ip", callback=_check_ip, help="The client's address.")
@click.option("--kind", type=click.Choice(["open", "click"]), default="open", show_default=True)
@click.option("--method", default="GET", show_default=True, help="The HTTP method.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A request header; repeatable.")
@click.option(
    "--after", type=click.FloatRange(min=0), metavar="SECONDS", help="Seconds between sending and the request."
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def classify(
    context: click.Context,
    *,
    jsonl: bool,
    scenarios: bool,
    ua: str | None,
    ip: str | None,
    kind: Kind,
    method: str,
    headers: tuple[str, ...],
    after: float | None,
    as_json: bool,
) -> None:
    """Say whether a person or a machine sent a request, and why.

    What is not given counts as not captured, which is not the same as empty. Plugins are not asked.
    """
    judge = Judge(networks=context.ensure_object(CliContext).settings.networks_file)
    if jsonl:
        _refuse_single(context)
        answer_lines(judge, scenarios=scenarios)
        return
    if scenarios:
        raise click.UsageError("--scenarios reads lines: add --jsonl.")
    if ua is None and ip is None and not headers:
        raise click.UsageError("Nothing to judge: give --ua, --ip or --header, or lines with --jsonl.")
    row: dict[str, Any] = {"kind": kind, "method": method}
    if ua is not None:
        row["ua"] = ua
    if ip is not None:
        row["ip"] = ip
    if headers:
        row["headers"] = dict(_read_header(one) for one in headers)
        row.setdefault("ua", row["headers"].get("user-agent"))
        if row["ua"] is None:
            # Headers were captured and this one is not among them, which says as little as no headers do.
            del row["ua"]
    if after is not None:
        row["seconds_after_send"] = after
    verdict, signals = _explain_row(judge, row)
    if as_json:
        click.echo(json.dumps({**_describe(verdict), "signals": [dataclasses.asdict(one) for one in signals]}))
    else:
        _print_verdict(verdict, signals)


def _refuse_single(context: click.Context) -> None:
    """Refuse what describes one request beside --jsonl, where every line describes its own."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in ("jsonl", "scenarios", "as_json") and (
            context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            raise click.UsageError(f"{parameter.opts[0]} describes one request, and --jsonl reads them from lines.")


def answer_lines(judge: Judge, *, scenarios: bool) -> None:
    """Answer requests from standard input line by line; a bad line gets an error and status 1 at the end.

    :param judge: who answers.
    :param scenarios: whether each line holds a sequence of observations instead of one request.
    """
    failed = False
    strange: set[str] = set()
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"a line must hold an object, not {type(row).__name__}")
            read = read_scenario if scenarios else read_row
            for name in sorted(read(row) - strange):
                strange.add(name)
                click.echo(f"Warning: the key {name!r} is not known and has no effect.", err=True)
            answer = _answer_scenario(judge, row) if scenarios else _answer_row(judge, row)
        except (ValueError, OverflowError, RecursionError) as error:
            failed = True
            answer = {"error": str(error)}
        click.echo(json.dumps(answer))
    if failed:
        sys.exit(1)


def _answer_row(judge: Judge, row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row.get("id"), **_describe(_explain_row(judge, row)[0])}


def _describe(verdict: Verdict) -> dict[str, Any]:
    return {**dataclasses.asdict(verdict), "classification": str(verdict.classification)}


def _explain_row(judge: Judge, row: Mapping[str, Any]) -> tuple[Verdict, tuple[Signal, ...]]:
    after = row.get("seconds_after_send")
    observation = _observe(row, at=_EPOCH + timedelta(seconds=float(after or 0)), delivery_id=bytes(8), number=0)
    delivery = None if after is None else _deliver(bytes(8), sent_at=_EPOCH, link_count=0)
    return judge.explain(observation, Window(delivery=delivery, observations=(observation,)))


def _answer_scenario(judge: Judge, scenario: Mapping[str, Any]) -> dict[str, Any]:
    sent_at = datetime.fromisoformat(scenario["sent_at"])
    sent_at = sent_at.replace(tzinfo=sent_at.tzinfo or UTC)
    hidden = set(scenario.get("honeypot_links", ()))
    links = {url: index for index, url in enumerate(url for url in scenario["links"] if url not in hidden)}
    link_count = len(links)
    links.update(dict.fromkeys(hidden, HONEYPOT_INDEX))
    observations, deliveries = [], {}
    for number, row in enumerate(scenario["observations"]):
        name = f"{row.get('recipient')}\0{row.get('message')}"
        delivery_id = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
        deliveries[delivery_id] = _deliver(delivery_id, sent_at=sent_at, link_count=link_count)
        at = sent_at + timedelta(seconds=float(row["t"]))
        index = links.setdefault(row.get("link"), len(links)) if row.get("link") is not None else None
        observations.append(_observe(row, at=at, delivery_id=delivery_id, number=number, link_index=index))
    by_time = sorted(observations, key=lambda one: one.hit.received_at)
    verdicts = [
        judge.classify(one, Window(delivery=deliveries[one.delivery_id], observations=tuple(_related(one, by_time))))
        for one in observations
    ]
    return {"name": scenario.get("name"), "observations": [_describe(verdict) for verdict in verdicts]}


def _related(observation: Observation, everything: list[Observation]) -> Iterator[Observation]:
    """Take what a store would hand over: the delivery's hits, and those of the same address elsewhere."""
    for one in everything:
        if one.delivery_id == observation.delivery_id or one.hit.ip == observation.hit.ip:
            yield one


def _observe(
    row: Mapping[str, Any], *, at: datetime, delivery_id: bytes, number: int, link_index: int | None = None
) -> Observation:
    kind: Kind = "click" if row.get("kind") == "click" else "open"
    headers = row.get("headers")
    hit = Hit(
        kind=kind,
        method=str(row.get("method") or "GET").upper(),
        ip=None if row.get("ip") is None else str(row["ip"]),
        user_agent=str(row["ua"] or "") if "ua" in row else None,
        headers=None if headers is None else _normalise(headers),
        received_at=at,
        link_index=link_index,
        url=row.get("link"),
    )
    return Observation(id=number.to_bytes(16, "big"), hit=hit, delivery_id=delivery_id)


def _normalise(headers: Mapping[str, Any]) -> dict[str, str]:
    """Write header names in lower case, without the prefix that CGI puts before them (RFC 3875, section 4.1.18)."""
    return {str(name).lower().removeprefix("http-"): str(value) for name, value in headers.items()}


def _deliver(delivery_id: bytes, *, sent_at: datetime, link_count: int) -> Delivery:
    envelope = Envelope(message_id="<preview@localhost>", recipients=("one@localhost",), sent_at=sent_at)
    decision = Decision(opens=Mode.INDIVIDUAL, clicks=Mode.INDIVIDUAL, route="preview", reasons=())
    return Delivery(
        id=delivery_id,
        envelope=envelope,
        decision=decision,
        link_count=link_count,
        state=DeliveryState.ACCEPTED,
        accepted_at=sent_at,
    )


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.BadParameter(f"{text!r} is no header; write 'Name: value'.", param_hint="--header")
    return name.strip().lower(), value.strip()


def _print_verdict(verdict: Verdict, signals: tuple[Signal, ...]) -> None:
    from rich.text import Text

    table = make_table("Verdict")
    table.show_header = False
    client = f"{verdict.client_name or 'not known'} ({verdict.client_type or 'type not known'})"
    for name, value in (
        ("classification", str(verdict.classification)),
        ("who", "a machine" if verdict.machine else "a person"),
        ("probability of a machine", f"{verdict.probability} %"),
        ("counts for metrics", "yes" if verdict.counts_for_metrics else "no"),
        ("proxy", verdict.proxy_type or "none known"),
        ("device", verdict.device_type or "not known"),
        ("client", client),
        ("rules", verdict.ruleset),
    ):
        table.add_row(name, Text(clean(value)))
    reasons = make_table("Reasons, strongest first")
    for column in ("reason", "weight", "source"):
        reasons.add_column(column)
    for signal in signals:
        reasons.add_row(signal.code, f"{signal.weight:+d}", signal.source)
    console = make_console()
    console.print(table)
    console.print()
    console.print(reasons if signals else "Reasons: nothing unusual was seen.")
