"""``mailnod inspect``: what tracking would do to a mail, without a window; nothing is sent or stored."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.progress import show_progress
from mailnod.model import ConsentState
from mailnod.plugins import Plugins
from mailnod.settings import Settings, refuse_unknown
from mailnod.store.base import Store
from mailnod_desktop.commands.inspect_output import Output, Pictures
from mailnod_desktop.services.consents import AskConsent
from mailnod_desktop.services.findings import choose_failures
from mailnod_desktop.services.inspecting import inspect_all, make_wishes, read_lean, set_base_url
from mailnod_desktop.services.model import Mail
from mailnod_desktop.services.reading import MAX_FILE_BYTES, ReadingError, make_mail
from mailnod_desktop.services.rewriting import Rewriter

__all__ = ["inspect"]

#: A finding of a rule that ``--fail-on`` names.
EXIT_FOUND = 3
_STORED = "stored"
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|-...", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--route", help="The route by which the mail is tracked; the default one where none is named.")
@click.option("--base-url", help="Where the collector is reached; that of the settings where it is not given.")
@click.option("--no-opens", is_flag=True, help="Add no pixel.")
@click.option("--no-clicks", is_flag=True, help="Leave links alone.")
@click.option("--recipient", help="Show this recipient's own copy, and not the one that all share.")
@click.option(
    "--consent",
    type=click.Choice([*(state.value for state in ConsentState), _STORED]),
    default=ConsentState.GRANTED.value,
    show_default=True,
    help="What recipients are taken to have said; 'stored' asks the store and plugins.",
)
@click.option(
    "--fail-on",
    multiple=True,
    metavar="RULES",
    help="End with 3 where one of these finds something: names with commas between them, 'error', 'warning' or 'any'.",
)
@click.option("--png", type=_FILE, help="Draw the mail as it leaves, into this file.")
@click.option("--width", type=click.IntRange(200, 4000), default=800, show_default=True, help="Of the picture.")
@click.option("--html-report", type=_FILE, help="Write a page about all mails, into this file.")
@database_option
@json_option
@pass_cli
def inspect(
    cli: CliContext,
    *,
    files: tuple[Path, ...],
    route: str | None,
    base_url: str | None,
    no_opens: bool,
    no_clicks: bool,
    recipient: str | None,
    consent: str,
    fail_on: tuple[str, ...],
    png: Path | None,
    width: int,
    html_report: Path | None,
    as_json: bool,
) -> None:
    """Show what tracking does to mails, and what is to be looked at in them.

    FILE is a message (.eml), HTML (.html) or a mailbox file (.mbox); "-" reads standard input. Consent counts as
    granted, because nothing is sent. Links are signed with MAILNOD_SECRET_KEYS, or with a key for this run alone.
    """
    rules = [name.strip() for names in fail_on for name in names.split(",") if name.strip()]
    choose_failures((), rules)
    rewriter = _make_rewriter(cli, base_url, stored=consent == _STORED)
    if route is not None and route not in rewriter.routes:
        raise refuse_unknown("route", route, rewriter.routes)
    wishes = make_wishes(
        route=route,
        opens=not no_opens,
        clicks=not no_clicks,
        recipient=recipient,
        consent=None if consent == _STORED else ConsentState(consent),
    )
    reading = read_lean(_read_input if str(path) == "-" else path for path in files)
    total = sum(map(len, reading.sources))
    pictures = Pictures(png, width=width, many=total > 1) if png is not None else None
    output = Output(detailed=total == 1 and len(files) == 1, as_json=as_json, pictures=pictures, report=html_report)
    for error in reading.errors:
        output.add_error(error)
    found = False
    with show_progress("Inspecting", total=total) as advance:
        for inspection in inspect_all(reading, rewriter, wishes, failed=output.add_error):
            failures = choose_failures(inspection.findings, rules)
            found = found or bool(failures)
            output.add(inspection, failures)
            advance(1)
    output.finish()
    if output.failed:
        sys.exit(1)
    if found:
        sys.exit(EXIT_FOUND)


def _make_rewriter(cli: CliContext, base_url: str | None, *, stored: bool) -> Rewriter:
    """Return what rewrites as the app would, or as the environment says."""
    settings = cli.settings if cli.belongs_to_app else Settings.from_environ(cli.environ, base_url=base_url)
    if base_url is not None:
        settings = set_base_url(settings, base_url)
    if cli.keyring is None:
        click.echo("MAILNOD_SECRET_KEYS is not set: a key for this run alone signs the links.", err=True)
    plugins = cli.tracker.plugins if cli.belongs_to_app else Plugins()
    return Rewriter(settings, cli.keyring, plugins=plugins, consents=_ask_store(cli.reader) if stored else None)


def _ask_store(store: Store) -> AskConsent:
    return lambda address, purpose: store.get_consent(address, purpose=purpose)


def _read_input() -> tuple[Mail, ...]:
    name = "standard input"
    with click.open_file("-", "rb") as source:
        data = source.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ReadingError(name, "it has more than 100 MB, and a mail has less", "Give a mailbox file by its name.")
    return (make_mail(data, name=name, key="stdin"),)
