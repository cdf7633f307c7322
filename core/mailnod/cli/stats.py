"""``mailnod stats``: counts from the rollups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import cast, get_args

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.events import read_query
from mailnod.cli.exporting import export_options, read_export, write_export
from mailnod.cli.output import clean, count, make_console, make_table, print_json, print_table
from mailnod.cli.progress import show_progress
from mailnod.model import BreakdownLine, EventFilter, EventRecord, Metrics
from mailnod.report.breakdown import BreakdownBy, break_down
from mailnod.report.plain import to_plain
from mailnod.report.rows import list_events
from mailnod.report.shortcuts import read_rollups
from mailnod.report.tally import tally
from mailnod.store.base import GroupBy, Store

__all__ = ["stats"]

_COLUMNS = ("mails", "with pixel\nor links", "opened or\nclicked", "rate", "by\nmachines")
_LINK_COLUMNS = ("mails clicked\nby people", "clicks of\npeople", "clicks of\nmachines")
#: Whom events are of, people first, and what their line is called.
_AUDIENCES = {
    "human": "people",
    "machine": "machines",
    "privacy": "- privacy proxies",
    "scanner": "- scanners",
    "bot": "- other machines",
    "observed": "all",
}
#: What the counts of a query are called by where they come from.
_TITLES = {
    "rollups": "Events that match, from the rollups",
    "events": "Events that match",
    "archive": "Store and archive",
}
#: As many groups as one call gives.
_ALL = 10_000
_PAGE = 1_000


@click.command()
@click.argument("query", nargs=-1)
@database_option
@click.option(
    "--by",
    type=click.Choice(list(dict.fromkeys([*get_args(GroupBy), *get_args(BreakdownBy)]))),
    help="One group per ...; month, class, client and device with a QUERY or --archive.  "
    "[default: all; month with --archive]",
)
@click.option(
    "--archive",
    type=click.Path(file_okay=False, path_type=Path),
    help="Count event by event what lies in this archive and what lies in the store.",
)
@click.option("--limit", type=click.IntRange(1, _ALL), default=50, show_default=True, help="At most this many groups.")
@click.option("--before", help="After the group of this name: the next page.")
@click.option("--wide", is_flag=True, help="Show the kinds of machines too: a table for each group.")
@export_options
@json_option
@pass_cli
def stats(
    cli: CliContext,
    *,
    query: tuple[str, ...],
    by: GroupBy | BreakdownBy | None,
    archive: Path | None,
    limit: int,
    before: str | None,
    wide: bool,
    csv_path: str | None,
    jsonl_path: str | None,
    as_json: bool,
) -> None:
    """Count opens and clicks of people and of machines.

    Each group has a line for opens and one for clicks: mails that a server accepted, how many of them carried the
    pixel (tracked links), how many of these a person opened (clicked) at least once, that as a rate, and opens
    (clicks) by machines. A fetch by a privacy proxy says nothing of a person and counts as a machine's.

    With a QUERY, as 'mailnod events' has it, the events that match are counted, such as campaign:spring --by hour. One
    campaign or route by hour or link, and one campaign, route, message or link as a whole, are answered from the
    rollups, at once; all else is counted event by event, which takes as long as there are events. Neither says anything
    of mails without any. Tests are left out.
    """
    export = read_export(csv_path, jsonl_path, as_json=as_json)
    by = by or ("all" if archive is None else "month")
    if query or archive is not None:
        if before is not None or wide or export is not None or (query and archive is not None):
            raise click.UsageError("a QUERY goes with --by, --limit and --json alone, and so does --archive")
        source, counted = _count(cli, " ".join(query), archive, by, limit=limit)
        if as_json:
            print_json([{**to_plain(line), "source": source} for line in counted])
        else:
            _show_lines(_TITLES[source], by, counted)
        return
    if by not in get_args(GroupBy):
        raise click.UsageError(f"--by {by} needs a QUERY, such as since:30d, or --archive")
    by = cast("GroupBy", by)
    if export is not None:
        columns = [field.name for field in fields(Metrics)]
        lines = _list_lines_of(cli.reader, by, before)
        write_export(export, columns, ({name: getattr(line, name) for name in columns} for line in lines), what="group")
        return
    found = cli.reader.get_metrics(by=by, limit=limit, before=before)
    if as_json:
        print_json(found)
    elif wide:
        _print_wide(by, found)
    elif by == "link":
        rows = [(m.key, m.human_clicks_unique, m.human_clicks, m.machine_clicks) for m in found]
        print_table("Clicks", ("link", *_LINK_COLUMNS), rows, numbers=len(_LINK_COLUMNS))
    else:
        _print_groups(by, found)
        if by == "campaign":
            _print_rest(cli)


def _count(
    cli: CliContext, text: str, archive: Path | None, by: GroupBy | BreakdownBy, *, limit: int
) -> tuple[str, list[BreakdownLine]]:
    """Return the counts, and where they come from."""
    if archive is not None:
        if by not in get_args(BreakdownBy):
            raise click.UsageError(
                f"--archive goes with --by {', '.join(get_args(BreakdownBy))}; without it, what was archived counts too"
            )
        return "archive", break_down(cli.reader, archive, by=cast("BreakdownBy", by), limit=limit)
    wanted = read_query(text, cli.clock.now(), EventFilter(test=False))
    found = read_rollups(cli.reader, wanted, by=by, limit=limit)
    if found is not None:
        return "rollups", found
    with show_progress("Counting") as advance:
        return "events", tally(_report(list_events(cli.reader, wanted, limit=None), advance), by=by)[:limit]


def _report(records: Iterator[EventRecord], advance: Callable[[int], None]) -> Iterator[EventRecord]:
    for record in records:
        advance(1)
        yield record


def _show_lines(title: str, by: str, found: Sequence[BreakdownLine]) -> None:
    rows = [
        (
            line.key or ("everything" if by == "all" else "(none)"),
            f"{line.human_opens_unique} / {line.human_opens}",
            f"{line.human_clicks_unique} / {line.human_clicks}",
            line.machine_opens,
            line.machine_clicks,
        )
        for line in found
    ]
    columns = (by, "opens of people,\nmails / events", "clicks of people,\nmails / events", "opens of\nmachines")
    print_table(title, (*columns, "clicks of\nmachines"), rows, numbers=4)


def _list_lines_of(store: Store, by: GroupBy, before: str | None) -> Iterator[Metrics]:
    """Yield every group, page by page."""
    while page := store.get_metrics(by=by, limit=_PAGE, before=before):
        yield from page
        before = page[-1].key
        if by == "all":
            return


def _print_wide(by: GroupBy, found: Sequence[Metrics]) -> None:
    from rich.text import Text

    kinds = {"opens": ("mails\nopened", "opens"), "clicks": ("mails\nclicked", "clicks")}
    if by == "link":
        del kinds["opens"]
    columns = ("by", *(heading for pair in kinds.values() for heading in pair))
    for line in found:
        if by != "all":
            make_console().print(Text(clean(line.key), style="bold"), soft_wrap=True)
        rows = [
            (name, *(f"{getattr(line, f'{who}_{kind}{end}'):,}" for kind in kinds for end in ("_unique", "")))
            for who, name in _AUDIENCES.items()
        ]
        print_table(_say_carried(by, line), columns, rows, numbers=len(columns) - 1)
        click.echo()


def _say_carried(by: GroupBy, line: Metrics) -> str:
    if by == "link":
        return "Clicks"
    return (
        f"{count(line.deliveries, 'mail')}: {line.deliveries_with_pixel:,} with pixel, "
        f"{line.deliveries_with_links:,} with links"
    )


def _print_groups(by: GroupBy, found: Sequence[Metrics]) -> None:
    from rich.text import Text

    table = make_table("Opens and clicks")
    if by != "all":
        table.add_column(by, overflow="fold")
    table.add_column("", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for metrics in found:
        key = [Text(clean(metrics.key))] if by != "all" else []
        # One row of two lines, so that a long key runs down beside both.
        table.add_row(*key, *map("\n".join, zip(*_list_lines(metrics), strict=True)))
    make_console().print(table)


def _list_lines(metrics: Metrics) -> Iterator[tuple[str, ...]]:
    yield (
        "opens",
        str(metrics.deliveries),
        str(metrics.deliveries_with_pixel),
        str(metrics.human_opens_unique),
        _rate(metrics.human_opens_unique, metrics.deliveries_with_pixel),
        str(metrics.machine_opens),
    )
    yield (
        "clicks",
        "",
        str(metrics.deliveries_with_links),
        str(metrics.human_clicks_unique),
        _rate(metrics.human_clicks_unique, metrics.deliveries_with_links),
        str(metrics.machine_clicks),
    )


def _print_rest(cli: CliContext) -> None:
    """Say how many mails stand in no line, because they were sent without a campaign."""
    (everything,) = cli.reader.get_metrics(by="all")
    named = cli.reader.get_metrics(by="campaign", limit=_ALL)
    rest = everything.deliveries - sum(metrics.deliveries for metrics in named)
    if rest > 0 and len(named) < _ALL:
        click.echo(f"{count(rest, 'mail has', many='mails have')} no campaign.")


def _rate(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
