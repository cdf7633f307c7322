"""``mailnod deliveries``: which mail was tracked, for whom, and with which reasons."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.ids import read_id
from mailnod.cli.output import clean, count, format_time, make_console, make_table, print_json, stack
from mailnod.model import Delivery, Mode
from mailnod.report.plain import to_plain

__all__ = ["deliveries"]

#: As many recipients of a shared body are shown; the JSON has all.
MOST_RECIPIENTS = 3


@click.command()
@database_option
@click.option("--recipient", help="Mail to one address only.")
@click.option("--message-id", "--message", "message_id", help="One message only, by its Message-ID.")
@click.option("--before", help="Added before the delivery with this id, as --json names it: the next page.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most this many.")
@json_option
@pass_cli
def deliveries(
    cli: CliContext,
    *,
    recipient: str | None,
    message_id: str | None,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show which mail was tracked, when, for whom, and why, newest first.

    The reasons stand in the order in which they were weighed, the consents among them with their source. Mail that is
    not tracked leaves no trace in the store, so it is not listed.
    """
    last = None if before is None else read_id("--before", before, digits=16)
    found = cli.reader.get_deliveries(message_id=message_id, recipient=recipient, before_id=last, limit=limit)
    if as_json:
        print_json([_to_plain(delivery) for delivery in found])
    elif found:
        _print(found)
        if len(found) == limit:
            click.echo(f"Older ones: --before {found[-1].id.hex()}")
    else:
        click.echo("No deliveries: mail that is not tracked leaves no trace.")


def _print(found: list[Delivery]) -> None:
    from rich.text import Text

    table = make_table(f"{count(len(found), 'delivery', many='deliveries')}, newest first")
    table.add_column("Sent (UTC)", no_wrap=True)
    table.add_column("To, and what")
    table.add_column("Tracked", no_wrap=True)
    table.add_column("Why, as it was decided")
    for delivery in found:
        day, time = format_time(delivery.envelope.sent_at).split()
        table.add_row(
            stack(day, time, delivery.state.value),
            stack(*_describe_mail(delivery)),
            stack(*_describe_axes(delivery)),
            Text("\n".join(map(clean, delivery.decision.reasons))),
        )
        table.add_row()
    make_console().print(table)


def _describe_mail(delivery: Delivery) -> Iterator[str]:
    envelope = delivery.envelope
    recipients = [address or "erased" for address in envelope.recipients]
    more = len(recipients) - MOST_RECIPIENTS
    yield ", ".join(recipients[:MOST_RECIPIENTS]) + (f" and {more} more" if more > 0 else "")
    yield envelope.subject
    yield f"route {delivery.decision.route}"
    yield f"campaign {envelope.campaign}" if envelope.campaign else ""
    yield f"tags {', '.join(envelope.tags)}" if envelope.tags else ""
    yield ", ".join(f"{name}={value}" for name, value in envelope.metadata.items())


def _describe_axes(delivery: Delivery) -> Iterator[str]:
    axes = (("opens", delivery.decision.opens), ("clicks", delivery.decision.clicks))
    on = [name for name, mode in axes if mode is not Mode.NONE]
    yield from on or ["nothing"]
    yield "test" if delivery.test else ""


def _to_plain(delivery: Delivery) -> dict[str, object]:
    envelope, decision = delivery.envelope, delivery.decision
    shown = {
        "id": delivery.id,
        "message_id": envelope.message_id,
        "subject": envelope.subject,
        "recipients": envelope.recipients,
        "sent_at": envelope.sent_at,
        "state": delivery.state,
        "accepted_at": delivery.accepted_at,
        "route": decision.route,
        "opens": decision.opens,
        "clicks": decision.clicks,
        "reasons": decision.reasons,
        "campaign": envelope.campaign,
        "tags": envelope.tags,
        "metadata": envelope.metadata,
        "link_count": delivery.link_count,
        "test": delivery.test,
    }
    return {name: to_plain(value) for name, value in shown.items()}
