"""``mailnod events``: opens and clicks with their verdicts."""

from __future__ import annotations

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import count, make_console, print_json, to_plain
from mailnod.cli.times import read_time
from mailnod.cli.waiting import describe_waiting
from mailnod.model import Classification, EventFilter, EventRecord, Kind

__all__ = ["events"]


@click.command()
@database_option
@click.option("--kind", type=click.Choice(["open", "click"]), help="Opens or clicks only.")
@click.option("--people", is_flag=True, help="People only.")
@click.option("--machines", is_flag=True, help="Machines only.")
@click.option("--tests/--no-tests", "tests", default=None, help="Mail to your own mailboxes only, or without it.")
@click.option(
    "--class",
    "classification",
    # Given the enumeration itself, click takes the names of its members, which nothing else shows.
    type=click.Choice([one.value for one in Classification], case_sensitive=False),
    help="One class of verdict only.",
)
@click.option("--route", help="Mail of one route only.")
@click.option("--campaign", help="Mail of one campaign only.")
@click.option("--message-id", "--message", "message_id", help="One message only, by its Message-ID.")
@click.option("--recipient", help="Mail to one address only.")
@click.option("--since", help="From this time on: 30m, 24h, 7d, or an ISO 8601 time (UTC where it names no zone).")
@click.option("--until", help="Before this time, written likewise.")
@click.option("--before", help="Older than the event with this id: the next page.")
@click.option("--ids", is_flag=True, help="Show the beginning of each event's id, for 'mailnod explain'.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most this many.")
@json_option
@pass_cli
def events(
    cli: CliContext,
    *,
    kind: Kind | None,
    people: bool,
    machines: bool,
    tests: bool | None,
    classification: str | None,
    route: str | None,
    campaign: str | None,
    message_id: str | None,
    recipient: str | None,
    since: str | None,
    until: str | None,
    before: str | None,
    ids: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show opens and clicks with their verdicts, newest first."""
    if people and machines:
        raise click.UsageError("--people and --machines exclude each other; leave both out to see everything.")
    now = cli.clock.now()
    wanted = EventFilter(
        kind=kind,
        machine=machines if people or machines else None,
        test=tests,
        classification=Classification(classification) if classification else None,
        route=route,
        campaign=campaign,
        message_id=message_id,
        recipient=recipient,
        since=read_time("--since", since, now),
        until=read_time("--until", until, now),
        before_id=_read_id(before),
        limit=limit,
    )
    found = cli.reader.get_events(wanted)
    if as_json:
        print_json([_to_plain(record) for record in found])
        return
    if found:
        from mailnod.cli.event_table import make_event_table

        console = make_console()
        title = f"{count(len(found), 'event')}, newest first"
        console.print(make_event_table(found, title=title, width=console.width, ids=ids))
        if len(found) == limit:
            click.echo(f"Older ones: --before {found[-1].event.id.hex()}")
    waiting = describe_waiting(cli)
    if not found:
        click.echo(f"No events yet; {waiting}." if waiting else "No events.")
    elif waiting:
        click.echo(f"{waiting[0].upper()}{waiting[1:]}.")


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
        "tags": to_plain(delivery.envelope.tags) if delivery else None,
        "metadata": to_plain(delivery.envelope.metadata) if delivery else None,
        "reasons": to_plain(delivery.decision.reasons) if delivery else None,
        "test": delivery.test if delivery else None,
        "honeypot": record.observation.hit.honeypot,
        "method": record.observation.hit.method,
        "ip": record.observation.hit.ip,
        "user_agent": record.observation.hit.user_agent,
    }
