"""``mailnod consent``: record and show what recipients agreed to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import format_time, print_json, print_table
from mailnod.model import ConsentRecord, ConsentState
from mailnod.report.plain import to_plain

__all__ = ["consent"]

_PURPOSE = click.option(
    "--purpose", default="statistics", show_default=True, help="What the consent is for; a route names its purpose."
)
_COLUMNS = ("time (UTC)", "purpose", "opens", "clicks", "source", "actor", "text")


@click.group()
def consent() -> None:
    """Grant, withdraw and show a recipient's consent."""


def _recording(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command what describes one line of a recipient's history."""
    options: list[Callable[[Any], Any]] = [
        click.argument("address"),
        _PURPOSE,
        click.option("--opens", is_flag=True, help="Opens only; without --opens and --clicks, both."),
        click.option("--clicks", is_flag=True, help="Clicks only."),
        click.option("--source", default="command line", show_default=True, help="Where the wish came from."),
        click.option("--actor", default="", help="Who records it."),
        click.option("--text-version", default="", help="Version or hash of the text that the person saw."),
        database_option,
        json_option,
        pass_cli,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@consent.command()
@_recording
def grant(cli: CliContext, **options: Any) -> None:
    """Record that a recipient agrees to be tracked."""
    _record(cli, ConsentState.GRANTED, **options)


@consent.command(short_help="Record that a recipient does not agree.")
@_recording
def withdraw(cli: CliContext, **options: Any) -> None:
    """Record that a recipient does not agree; mail that was already sent stops recording too."""
    _record(cli, ConsentState.DENIED, **options)


@consent.command()
@click.argument("address")
@_PURPOSE
@database_option
@json_option
@pass_cli
def show(cli: CliContext, *, address: str, purpose: str, as_json: bool) -> None:
    """Show what holds for a recipient now, and how it came to be."""
    now = cli.reader.get_consent(_check_address(address), purpose=purpose)
    history = cli.reader.get_consent_history(address)
    if as_json:
        state = {"purpose": purpose, "opens": now.opens, "clicks": now.clicks}
        print_json({"address": address, **state, "history": to_plain(history)})
        return
    click.echo(f"{address}, {purpose}: opens {now.opens}, clicks {now.clicks}")
    if history:
        print_table("History, oldest first", _COLUMNS, map(_to_row, history))


def _record(
    cli: CliContext,
    state: ConsentState,
    *,
    address: str,
    purpose: str,
    opens: bool,
    clicks: bool,
    source: str,
    actor: str,
    text_version: str,
    as_json: bool,
) -> None:
    both = opens == clicks
    record = ConsentRecord(
        recorded_at=cli.clock.now(),
        purpose=purpose,
        opens=state if opens or both else None,
        clicks=state if clicks or both else None,
        source=source,
        actor=actor,
        text_version=text_version,
    )
    record = cli.writer.record_consent(_check_address(address), record)
    if as_json:
        print_json({"address": address, **to_plain(record)})
    else:
        click.echo(f"{address}, {purpose}: opens {record.opens}, clicks {record.clicks}")
    _doubt_purpose(cli, purpose)


def _doubt_purpose(cli: CliContext, purpose: str) -> None:
    """Say where no route asks for a purpose: a consent to it lets nothing be tracked, a withdrawal stops nothing."""
    routes = cli.settings.routes.values()
    asked = sorted({route.purpose for route in routes if route.track_opens or route.track_clicks})
    if asked and purpose not in asked:
        shown = ", ".join(map(repr, asked))
        click.echo(f"Warning: no route that tracks asks for {purpose!r}; --purpose takes {shown}.", err=True)


def _check_address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    # Another spelling would be another person: what is no plain addr-spec (RFC 5322, section 3.4.1) is refused.
    odd = any(c.isspace() or not c.isprintable() or c in '<>,;()"\\' for c in address) or any(
        c in ":@[]" for c in local
    )
    if not (local and at and domain) or odd:
        raise click.BadParameter(f"{address!r} is not one bare address such as ada@example.com", param_hint="ADDRESS")
    return address


def _to_row(record: ConsentRecord) -> tuple[object, ...]:
    moment = format_time(record.recorded_at)
    return (
        moment, record.purpose, record.opens, record.clicks, record.source, record.actor, record.text_version,
    )  # fmt: skip
