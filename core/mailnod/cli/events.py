"""``mailnod events``: opens and clicks with their verdicts."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.exporting import export_options, read_export, write_export
from mailnod.cli.ids import read_id
from mailnod.cli.output import clean, count, format_time, make_console, print_json
from mailnod.cli.times import read_time
from mailnod.cli.waiting import describe_waiting
from mailnod.errors import QueryError
from mailnod.model import Classification, EventFilter, EventPage, EventRecord, Kind
from mailnod.query import parse_query
from mailnod.report.plain import to_plain
from mailnod.report.rows import COLUMNS, describe_hit, describe_mail, list_columns, list_events
from mailnod.store.base import Store

__all__ = ["events", "read_query"]

#: For so long a search of rare events goes on before it says how far back it came.
_PATIENCE_S = 3.0


@click.command()
@click.argument("query", nargs=-1)
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
@click.option("--limit", type=click.IntRange(1), help="At most this many; 50, or all where a file is written.")
@export_options
@json_option
@pass_cli
def events(
    cli: CliContext,
    *,
    query: tuple[str, ...],
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
    limit: int | None,
    csv_path: str | None,
    jsonl_path: str | None,
    as_json: bool,
) -> None:
    """Show opens and clicks with their verdicts, newest first.

    QUERY narrows them: class:!generic_bot rcpt:example.com since:24h is:person campaign:"spring sale" word. All of it
    must hold; a,b is any of several, and ! or - before a field or a word is its opposite. The documentation lists every
    field; options say the same.
    """
    export = read_export(csv_path, jsonl_path, as_json=as_json)
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
        before_id=None if before is None else read_id("--before", before, digits=32),
    )
    wanted = read_query(" ".join(query), now, wanted)
    if export is not None:
        write_export(export, COLUMNS, map(list_columns, list_events(cli.reader, wanted, limit=limit)), what="event")
        return
    limit = limit or 50
    found, page = _search(cli.reader, wanted, limit=limit)
    if as_json:
        print_json([_to_plain(record) for record in found])
        return
    if found:
        from mailnod.cli.event_table import make_event_table

        console = make_console()
        title = f"{count(len(found), 'event')}, newest first"
        console.print(make_event_table(found, title=title, width=console.width, ids=ids))
        if page.next_id is not None and page.searched_to is None:
            click.echo(f"Older ones: --before {page.next_id.hex()}")
    if page.next_id is not None and page.searched_to is not None:
        click.echo(f"Searched back to {format_time(page.searched_to)}; older ones: --before {page.next_id.hex()}")
    waiting = describe_waiting(cli)
    if not found and page.next_id is None:
        click.echo(f"No events yet; {waiting}." if waiting else "No events.")
    elif waiting:
        click.echo(f"{waiting[0].upper()}{waiting[1:]}.")


def _search(store: Store, wanted: EventFilter, *, limit: int) -> tuple[list[EventRecord], EventPage]:
    """Return up to so many events, and the last page: the search of rare ones ends after some seconds."""
    deadline = time.monotonic() + _PATIENCE_S
    found: list[EventRecord] = []
    while True:
        page = store.search_events(replace(wanted, limit=min(limit - len(found), 10_000)))
        found += page.records
        if page.next_id is None or len(found) >= limit or time.monotonic() > deadline:
            return found, page
        wanted = replace(wanted, before_id=page.next_id)


def read_query(text: str, now: datetime, wanted: EventFilter) -> EventFilter:
    """Return what a query asks for beside a filter; a mistake is shown where it stands."""
    try:
        return parse_query(text, now=now, base=wanted)
    except QueryError as error:
        place = " " * error.start + "^" * max(error.end - error.start, 1)
        raise click.BadParameter(f"{error}\n\n    {clean(text)}\n    {place}", param_hint="QUERY") from None


def _to_plain(record: EventRecord) -> object:
    described = {**describe_mail(record.delivery), **describe_hit(record.observation.hit)}
    return {**to_plain(record.event), **to_plain(described)}
