"""``mailnod events``: opens and clicks with their verdicts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import format_time, print_json, print_table, to_plain
from mailnod.model import Classification, EventFilter, EventRecord, Kind

__all__ = ["events"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS = ("time (UTC)", "what", "by", "class", "recipient", "message", "client", "link", "why")


@click.command()
@database_option
@click.option("--kind", type=click.Choice(["open", "click"]), help="Opens or clicks only.")
@click.option("--people/--machines", "people", default=None, help="People or machines only.")
@click.option("--tests/--no-tests", "tests", default=None, help="Mail to your own mailboxes only, or without it.")
@click.option("--class", "classification", type=click.Choice(list(Classification)), help="One class of verdict only.")
@click.option("--route", help="Mail of one route only.")
@click.option("--campaign", help="Mail of one campaign only.")
@click.option("--message", "message_id", help="One message only, by its Message-ID.")
@click.option("--recipient", help="Mail to one address only.")
@click.option("--since", help="From this time on: 30m, 24h, 7d, or an ISO 8601 time (UTC where it names no zone).")
@click.option("--until", help="Before this time, written likewise.")
@click.option("--before", help="Older than the event with this id: the next page.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most this many.")
@json_option
@pass_cli
def events(
    cli: CliContext,
    *,
    kind: Kind | None,
    people: bool | None,
    tests: bool | None,
    classification: str | None,
    route: str | None,
    campaign: str | None,
    message_id: str | None,
    recipient: str | None,
    since: str | None,
    until: str | None,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show opens and clicks with their verdicts, newest first."""
    now = cli.clock.now()
    wanted = EventFilter(
        kind=kind,
        machine=None if people is None else not people,
        test=tests,
        classification=Classification(classification) if classification else None,
        route=route,
        campaign=campaign,
        message_id=message_id,
        recipient=recipient,
        since=_read_time("--since", since, now),
        until=_read_time("--until", until, now),
        before_id=_read_id(before),
        limit=limit,
    )
    found = cli.reader.get_events(wanted)
    if as_json:
        print_json([_to_plain(record) for record in found])
    elif not found:
        click.echo("No events.")
    else:
        print_table(f"{len(found)} events, newest first", _COLUMNS, map(_to_row, found))
        if len(found) == limit:
            click.echo(f"Older ones: --before {found[-1].event.id.hex()}")


def _read_time(option: str, value: str | None, now: datetime) -> datetime | None:
    if value is None:
        return None
    if match := re.fullmatch(r"(\d{1,6})([smhdw])", value):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither like 24h nor an ISO 8601 time", param_hint=option) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_id(value: str | None) -> bytes | None:
    if value is None:
        return None
    try:
        raw = bytes.fromhex(value.replace("-", ""))
    except ValueError:
        raw = b""
    if len(raw) != 16:
        raise click.BadParameter(f"{value!r} is not the id of an event, 32 hexadecimal digits", param_hint="--before")
    return raw


def _to_plain(record: EventRecord) -> object:
    event, delivery = record.event, record.delivery
    return {
        **to_plain(event),
        "message_id": delivery.envelope.message_id if delivery else None,
        "subject": delivery.envelope.subject if delivery else None,
        "recipient": delivery.recipient if delivery else None,
        "recipients": len(delivery.envelope.recipients) if delivery else None,
        "campaign": delivery.envelope.campaign if delivery else None,
        "route": delivery.decision.route if delivery else None,
        "method": record.observation.hit.method,
        "ip": record.observation.hit.ip,
        "user_agent": record.observation.hit.user_agent,
    }


def _to_row(record: EventRecord) -> tuple[object, ...]:
    event, verdict, delivery = record.event, record.event.verdict, record.delivery
    recipient, subject = "?", "?"
    if delivery:
        recipient = delivery.recipient or f"one of {len(delivery.envelope.recipients)}"
        subject = delivery.envelope.subject
    return (
        format_time(event.occurred_at),
        event.type.removeprefix("message."),
        "machine" if verdict.machine else "person",
        verdict.classification,
        recipient,
        subject,
        verdict.client_name or "",
        event.url or "",
        ", ".join(verdict.reason_codes[:3]),
    )
