"""``mailnod rejudge``: what was judged is judged again, and what changes is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.event_table import SHORT_ID
from mailnod.cli.output import clean, count, format_time, make_console, make_table, print_json, stack
from mailnod.cli.times import read_time
from mailnod.errors import StoreUnavailableError
from mailnod.model import Classification, EventFilter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from mailnod.rejudge import Batch, Rejudgement

__all__ = ["rejudge"]


class _Totals:
    """What is known when all batches are through, or when it was broken off."""

    def __init__(self, *, listed: int) -> None:
        self._listed = listed
        self.seen = self.judged = self.purged = self.changed = self.flipped = self.revised = 0
        self.before: Counter[Classification] = Counter()
        self.after: Counter[Classification] = Counter()
        self.flips: list[Rejudgement] = []
        self.reached: datetime | None = None

    def add(self, batch: Batch) -> None:
        """Count a batch, and keep the flips that are listed."""
        self.seen += batch.seen
        self.revised += len(batch.published)
        self.reached = batch.reached
        for one in batch.judged:
            old = one.record.event.verdict.classification
            self.judged += one.verdict is not None
            self.purged += one.verdict is None
            self.changed += one.changed
            self.flipped += one.flipped
            self.before[old] += 1
            self.after[old if one.verdict is None else one.verdict.classification] += 1
            if one.flipped and len(self.flips) < self._listed:
                self.flips.append(one)


@click.command()
@database_option
@click.option("--since", help="Hits from this time on: 24h, 7d, or an ISO 8601 time (UTC where it names no zone).")
@click.option("--until", help="Hits before this time, written likewise.")
@click.option("--campaign", help="Mail of one campaign only.")
@click.option("--ruleset", metavar="VERSION", help="Only what this version of the rules judged last.")
@click.option("--dry-run", is_flag=True, help="Write nothing; list what would change.")
@click.option(
    "--limit-flips",
    type=click.IntRange(0, 100_000),
    default=50,
    show_default=True,
    help="List at most so many events whose class changes; all are counted.",
)
@click.option(
    "--wait",
    "patience_s",
    type=click.FloatRange(0, 86_400),
    default=60.0,
    show_default=True,
    help="Seconds to wait for a worker that is busy.",
)
@json_option
@pass_cli
def rejudge(
    cli: CliContext,
    *,
    since: str | None,
    until: str | None,
    campaign: str | None,
    ruleset: str | None,
    dry_run: bool,
    limit_flips: int,
    patience_s: float,
    as_json: bool,
) -> None:
    """Judge stored events again by the rules, networks and plugins of today.

    What changes is appended to an event's verdicts and moves the counts; earlier verdicts stay readable with "mailnod
    explain". A verdict of which nothing but the version of the rules would change stays as it is, and so does one whose
    evidence was purged.

    Workers go on meanwhile. Broken off with Ctrl-C, it says with which --since it goes on.
    """
    from mailnod.rejudge import Rejudger

    now = cli.clock.now()
    wanted = EventFilter(
        since=read_time("--since", since, now), until=read_time("--until", until, now), campaign=campaign
    )
    cli.require_store()
    store = cli.reader if dry_run else cli.tracker.store
    tracker = cli.tracker
    rejudger = Rejudger(store=store, assessor=tracker.worker.assessor, plugins=tracker.plugins, clock=cli.clock)
    totals = _Totals(listed=limit_flips)
    stopped: str | None = None
    with _progress(store.count_events(wanted), shown=not as_json) as (advance, note):
        if dry_run:
            batches = rejudger.preview(wanted, ruleset=ruleset)
        else:
            waiting = "waiting for the worker's turn to end"
            batches = rejudger.run(wanted, ruleset=ruleset, patience_s=patience_s, on_wait=lambda: note(waiting))
        try:
            for batch in batches:
                totals.add(batch)
                advance(batch.seen)
        except KeyboardInterrupt:
            stopped = "Broken off"
        except StoreUnavailableError as error:
            if totals.reached is None:
                raise
            stopped = f"Error: {error}"
    if as_json:
        print_json(_to_plain(totals, dry_run=dry_run, stopped=stopped is not None))
    else:
        _print(totals, dry_run=dry_run)
    if stopped:
        if totals.reached is not None:
            click.echo(f"{stopped}; go on with --since {totals.reached.isoformat()}", err=True)
        raise click.exceptions.Exit(1)


@contextmanager
def _progress(total: int, *, shown: bool) -> Iterator[tuple[Callable[[int], None], Callable[[str], None]]]:
    """Show how far it is on standard error; yield what moves it on, and what says something beside it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Judging again"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=make_console(stderr=True), transient=True, disable=not shown) as progress:
        task = progress.add_task("", total=total)

        def note(text: str) -> None:
            progress.console.print(f"[dim]{text}[/dim]")

        yield (lambda step: progress.advance(task, step)), note if shown else lambda _: None


def _print(totals: _Totals, *, dry_run: bool) -> None:
    console = make_console()
    if totals.flips:
        more = totals.flipped - len(totals.flips)
        title = f"{'Would change' if dry_run else 'Changed'} their class" + (
            f", {more:,} more not shown" if more else ""
        )
        table = make_table(title)
        table.add_column("Event", no_wrap=True)
        table.add_column("From and to", no_wrap=True)
        table.add_column("Why")
        for one in totals.flips:
            table.add_row(*_describe_flip(one))
        console.print(table)
        console.print()
    if totals.judged or totals.purged:
        console.print(_make_class_table(totals))
        console.print()
    click.echo(_sum_up(totals, dry_run=dry_run))


def _describe_flip(one: Rejudgement) -> Iterator[RenderableType]:
    event = one.record.event
    what = "open" if event.type == "message.opened" else "click"
    yield stack(event.id.hex()[:SHORT_ID], format_time(event.occurred_at), what)
    assert one.verdict is not None, "what keeps its verdict does not flip"  # noqa: S101
    yield stack(event.verdict.classification.value, one.verdict.classification.value, _count_moves(one))
    from rich.text import Text

    lines = [f"+ {signal.code} ({signal.weight:+d})" for signal in one.gained] + [f"- {code}" for code in one.lost]
    yield Text("\n".join(map(clean, lines)) or "the same evidence, weighed otherwise")


def _count_moves(one: Rejudgement) -> str:
    old, new = one.record.event.verdict.counted_as, one.verdict.counted_as if one.verdict else None
    return "" if old == new else f"{old or 'nobody'} to {new or 'nobody'}"


def _make_class_table(totals: _Totals) -> Table:
    table = make_table("Classes")
    for heading in ("class", "before", "after", "change"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for one in Classification:
        before, after = totals.before[one], totals.after[one]
        if before or after:
            table.add_row(one.value, f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "")
    return table


def _sum_up(totals: _Totals, *, dry_run: bool) -> str:
    would = "would change" if dry_run else "changed"
    parts = [f"{count(totals.judged, 'event')} judged again: {totals.flipped:,} {would} their class"]
    if totals.changed > totals.flipped:
        parts.append(f"{totals.changed - totals.flipped:,} in reasons, probability or client alone")
    if not dry_run:
        parts.append(f"{count(totals.revised, 'verdict')} appended")
    sentence = ", ".join(parts) + "."
    if totals.purged:
        keep = "keeps its verdict" if totals.purged == 1 else "keep their verdicts"
        sentence += f" {count(totals.purged, 'event')} {keep}: evidence purged."
    left_out = totals.seen - totals.judged - totals.purged
    return sentence + (f" {count(left_out, 'event')} left out: judged by other rules." if left_out else "")


def _to_plain(totals: _Totals, *, dry_run: bool, stopped: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "finished": not stopped,
        "resume_since": totals.reached if stopped else None,
        "seen": totals.seen,
        "judged": totals.judged,
        "kept": {"evidence purged": totals.purged},
        "changed": totals.changed,
        "flipped": totals.flipped,
        "revised": totals.revised,
        "classes": {
            one.value: {"before": totals.before[one], "after": totals.after[one]}
            for one in Classification
            if totals.before[one] or totals.after[one]
        },
        "flips": list(map(_flip_to_plain, totals.flips)),
    }


def _flip_to_plain(one: Rejudgement) -> dict[str, object]:
    event, delivery = one.record.event, one.record.delivery
    return {
        "id": event.id,
        "type": event.type,
        "occurred_at": event.occurred_at,
        "message_id": delivery.envelope.message_id if delivery else None,
        "recipient": delivery.recipient if delivery else None,
        "old": event.verdict,
        "new": one.verdict,
        "gained": one.gained,
        "lost": one.lost,
    }
