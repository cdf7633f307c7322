"""Tables and JSON of what the demo saw."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mailnod import Decision
from mailnod.cli.event_table import make_event_table
from mailnod.cli.output import make_table
from mailnod.model import EventFilter, EventRecord, Metrics
from mailnod.store.base import Store
from mailnod_flask.demo.mailbox import DeliveredMail
from mailnod_flask.demo.scene import Reader
from mailnod_flask.testing import TrackedMail

__all__ = ["Result", "print_json", "print_result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the demo leaves behind."""

    readers: Sequence[Reader]
    outbox: Sequence[TrackedMail]
    #: By the address of the reader.
    delivered: Mapping[str, DeliveredMail]
    store: Store
    database: Path
    #: The app's address; it answers as long as the demo runs.
    site: str

    def get_events(self) -> list[EventRecord]:
        """Return every event, oldest first."""
        return self.store.get_events(EventFilter(limit=1000))[::-1]

    def get_metrics(self) -> Metrics:
        """Return the counts of everything."""
        return next(iter(self.store.get_metrics()), Metrics(key=""))


def print_result(result: Result, console: Console) -> None:
    """Print what was tracked and why, every event, the counts, and what to type next."""
    console.print()
    console.print(_make_mail_table(result))
    console.print()
    console.print(_make_event_table(result, width=console.width))
    console.print()
    console.print(_make_count_table(result))
    console.print()
    console.print("The store lies at:")
    console.print(f"  {result.database}", soft_wrap=True, markup=False)
    console.print("Look at it with, for example:")
    for command in _next_commands(result):
        console.print(f"  {command}", style="bold cyan", soft_wrap=True, markup=False)
    console.print()


def print_json(result: Result) -> None:
    """Print the same as one JSON object."""
    metrics = result.get_metrics()
    shown = {
        "mails": [_mail_to_plain(result, reader, mail) for reader, mail in _pair(result)],
        "events": [_event_to_plain(record) for record in result.get_events()],
        "metrics": {name: getattr(metrics, name) for name in Metrics.__slots__},
        "database": str(result.database),
        "site": result.site,
        "next": _next_commands(result),
    }
    click.echo(json.dumps(shown, indent=2))


def _pair(result: Result) -> list[tuple[Reader, TrackedMail]]:
    return list(zip(result.readers, result.outbox, strict=True))


def _make_mail_table(result: Result) -> Table:
    table = make_table("What is tracked, and why")
    table.add_column("Readers", no_wrap=True)
    table.add_column("Opens", no_wrap=True)
    table.add_column("Clicks", no_wrap=True)
    table.add_column("Why, in the order in which it was decided")
    for decision, readers in _group(result).items():
        reasons = [*decision.reasons]
        if not decision.tracked:
            reasons.append("so the mail left byte for byte as it was")
        table.add_row(
            escape("\n".join(readers)),
            _show_axis(decision.opens),
            _show_axis(decision.clicks),
            escape("\n".join(reasons)),
        )
        table.add_row()
    return table


def _group(result: Result) -> dict[Decision, list[str]]:
    """Put readers together whose mail was decided alike."""
    groups: dict[Decision, list[str]] = {}
    for reader, mail in _pair(result):
        groups.setdefault(_get_decision(mail), []).append(_local_part(reader.address))
    return groups


def _get_decision(mail: TrackedMail) -> Decision:
    assert mail.prepared is not None  # noqa: S101  # The newsletter has an HTML part and a recipient.
    return mail.prepared.decision


def _show_axis(mode: int) -> str:
    return "[green]on[/green]" if mode else "[dim]off[/dim]"


def _make_event_table(result: Result, *, width: int) -> Table:
    table = make_event_table(
        result.get_events(),
        title="Every event, and how it was judged",
        width=width,
        when=("After", lambda record: _show_age(_age(record))),
        who=("Reader", lambda record: _local_part(_recipient(record))),
        about=lambda record: _slug(record.event.url or ""),
    )
    table.caption = "After: since the mail was sent, by a clock that the demo moves itself."
    table.caption_justify = "left"
    return table


def _make_count_table(result: Result) -> Table:
    metrics = result.get_metrics()
    table = make_table("Opens and clicks")
    table.add_column("")
    for heading in ("Opens", "of mails", "Clicks", "of mails"):
        table.add_column(heading, justify="right")
    table.add_row(
        "[green]People[/green]",
        str(metrics.human_opens),
        f"{metrics.human_opens_unique} of {metrics.deliveries_with_pixel}",
        str(metrics.human_clicks),
        f"{metrics.human_clicks_unique} of {metrics.deliveries_with_links}",
    )
    table.add_row(
        "[yellow]Machines[/yellow]",
        str(metrics.machine_opens),
        f"{metrics.machine_opens_unique} of {metrics.deliveries_with_pixel}",
        str(metrics.machine_clicks),
        f"{metrics.machine_clicks_unique} of {metrics.deliveries_with_links}",
    )
    table.add_row(
        "[dim]Counted without judging[/dim]",
        f"[dim]{metrics.human_opens + metrics.machine_opens}[/dim]",
        "",
        f"[dim]{metrics.human_clicks + metrics.machine_clicks}[/dim]",
        "",
    )
    return table


def _next_commands(result: Result) -> list[str]:
    command, database = _own_command(), shlex.quote(str(result.database))
    return [f"{command} events --database {database}", f"{command} stats --database {database}"]


def _own_command() -> str:
    """Return how the user can call ``mailnod``: by its name where the shell finds it, else as it was called now."""
    called = Path(sys.argv[0])
    found = shutil.which("mailnod")
    if called.name != "mailnod" or (found and Path(found).resolve() == called.resolve()):
        return "mailnod"
    return shlex.quote(str(called))


def _age(record: EventRecord) -> timedelta:
    sent_at = record.delivery.envelope.sent_at if record.delivery else record.event.occurred_at
    return record.event.occurred_at - sent_at


def _show_age(age: timedelta) -> str:
    seconds = age.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min"


def _slug(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _recipient(record: EventRecord) -> str:
    return (record.delivery.recipient if record.delivery else None) or ""


def _local_part(address: str) -> str:
    return address.partition("@")[0]


def _mail_to_plain(result: Result, reader: Reader, mail: TrackedMail) -> dict[str, object]:
    decision = _get_decision(mail)
    return {
        "recipient": reader.address,
        "message_id": mail.original.msgId,
        "opens": decision.opens.name.lower(),
        "clicks": decision.clicks.name.lower(),
        "reasons": list(decision.reasons),
        "changed": decision.tracked,
        "bytes": len(result.delivered[reader.address].raw),
    }


def _event_to_plain(record: EventRecord) -> dict[str, object]:
    event, verdict = record.event, record.event.verdict
    return {
        "id": event.id.hex(),
        "type": event.type,
        "occurred_at": event.occurred_at.isoformat(),
        "recipient": _recipient(record),
        "method": record.observation.hit.method,
        "url": event.url,
        "first": event.first,
        "machine": verdict.machine,
        "probability": verdict.probability,
        "classification": verdict.classification.value,
        "proxy_type": verdict.proxy_type,
        "reason_codes": list(verdict.reason_codes),
        "device_type": verdict.device_type,
        "client_name": verdict.client_name,
    }
