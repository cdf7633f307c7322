"""``mailnod networks``: published lists of whose networks are whose, fetched, packed and asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from mailnod.cli.context import CliContext, database_option, json_option, name_command, pass_cli
from mailnod.cli.output import format_time, print_json, print_table
from mailnod.errors import NetworksError
from mailnod.judge.lists import PUBLISHERS, Publisher, check_list, check_shrinking, read_plain
from mailnod.judge.networks import Part, build_networks, parse_address
from mailnod.judge.packed import read_packed, write_packed

__all__ = ["networks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one publisher's list."""

    name: str
    #: "absent": the folder holds no such list. Unless it was taken, what was known before stays.
    outcome: Literal["taken", "refused", "absent"]
    #: Rows of the list; 0 where it was not taken.
    rows: int = 0
    #: Where it came from, or why it was refused.
    detail: str = ""


@click.group()
def networks() -> None:
    """Fetch, show and ask published lists of networks.

    They say which addresses are rented servers, mailbox providers and relays. Without them coarse built-in blocks are
    used. The lists are packed into MAILNOD_NETWORKS, or <database>.networks where that is not set; a running worker
    takes a new file up by itself.
    """


@networks.command(short_help="Fetch the published lists and pack them.")
@click.option(
    "--from-folder",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Read downloaded files instead of the network: the publishers' own, or NAME-ipv4.txt and NAME-ipv6.txt with "
    "one network per line.",
)
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(sorted(PUBLISHERS)),
    metavar="NAME",
    help="One list; repeatable.",
)
@click.option("--accept-fewer", is_flag=True, help="Take a list that lost more than half since the last time.")
@database_option
@json_option
@click.pass_context
@pass_cli
def update(
    cli: CliContext,
    context: click.Context,
    *,
    folder: Path | None,
    names: tuple[str, ...],
    accept_fewer: bool,
    as_json: bool,
) -> None:
    """Fetch the published lists and pack them; exit code 1 where one was refused or could not be had.

    What was fetched is taken, and of the others the last known stays. Nothing is sent but the requests for the lists.
    """
    path = cli.settings.networks_file
    known = {part.name: part for part in _read_known(path)}
    wanted = [publisher for name, publisher in PUBLISHERS.items() if not names or name in names]
    taken: list[Part] = []
    outcomes: list[Outcome] = []
    for publisher in _show_progress(wanted, quiet=as_json):
        try:
            part = _take(publisher, folder, now=cli.clock.now())
            if part is None:
                outcomes.append(Outcome(name=publisher.name, outcome="absent", detail=_say_absent(publisher)))
                continue
            if publisher.name in known and not accept_fewer:
                check_shrinking(part.intervals, known[publisher.name].intervals)
        except NetworksError as error:
            outcomes.append(Outcome(name=publisher.name, outcome="refused", detail=str(error)))
        else:
            taken.append(part)
            outcomes.append(Outcome(name=part.name, outcome="taken", rows=part.rows, detail=part.source))
    if taken:
        write_packed(path, (known | {part.name: part for part in taken}).values())
    _report(outcomes, path, as_json=as_json)
    if folder is not None:
        _name_strangers(folder)
    missing = [one for one in outcomes if one.outcome == "absent"]
    if any(one.outcome == "refused" for one in outcomes) or (missing and (names or not taken)):
        context.exit(1)


@networks.command()
@database_option
@json_option
@pass_cli
def show(cli: CliContext, *, as_json: bool) -> None:
    """Show which lists are packed, how long they are, and how old."""
    path = cli.settings.networks_file
    parts = sorted(read_packed(path), key=lambda part: part.name)
    ages = [(part, (cli.clock.now() - part.fetched_at).days) for part in parts]
    if as_json:
        rows = [
            {
                "name": part.name,
                "source": part.source,
                "rows": part.rows,
                "blocks": len(part.intervals),
                "fetched_at": part.fetched_at,
                "age_days": age,
            }
            for part, age in ages
        ]
        print_json({"file": path, "lists": rows})
    elif not parts:
        click.echo(
            f"There is no {path}: coarse built-in blocks are used. "
            f"Fetch the lists with '{name_command('networks update')}'."
        )
    else:
        print_table(
            f"Networks in {path}",
            ("name", "from", "fetched (UTC)", "rows", "blocks", "days old"),
            [
                (
                    part.name,
                    _shorten(part.source),
                    format_time(part.fetched_at),
                    f"{part.rows:,}",
                    f"{len(part.intervals):,}",
                    str(age),
                )
                for part, age in ages
            ],
            numbers=3,
        )


@networks.command(short_help="Name the network that an address lies in.")
@click.argument("ip")
@database_option
@json_option
@click.pass_context
@pass_cli
def find(cli: CliContext, context: click.Context, *, ip: str, as_json: bool) -> None:
    """Name the network that an address lies in; exit code 1 where none is known."""
    address = parse_address(ip)
    if address is None:
        raise click.BadParameter(f"{ip!r} is no IPv4 or IPv6 address.", param_hint="IP")
    layer = build_networks(read_packed(cli.settings.networks_file)).find_layer(address)
    if as_json:
        found = layer and {
            "name": layer.name,
            "label": layer.label,
            "source": layer.source,
            "fetched_at": layer.fetched_at,
        }
        print_json({"ip": str(address), "network": found})
    elif layer is None:
        click.echo(f"{address} lies in no network that is known.")
    else:
        known = f"fetched {format_time(layer.fetched_at)}" if layer.fetched_at else "built in, coarse"
        click.echo(f"{address} lies in {layer.name}, which the rules read as {layer.label} ({layer.source}; {known}).")
    if layer is None:
        context.exit(1)


def _shorten(source: str) -> str:
    """Return where a list came from as it fits a table: the host, or the first file."""
    if "://" in source:
        return urlsplit(source).netloc
    first, *others = source.split(", ")
    return f"{first} +{len(others)}" if others else first


def _read_known(path: Path) -> list[Part]:
    try:
        return read_packed(path)
    except NetworksError as error:
        click.echo(f"Warning: {path} is made anew: {error}.", err=True)
        return []


def _show_progress(publishers: Iterable[Publisher], *, quiet: bool) -> Iterator[Publisher]:
    from rich.progress import Progress

    from mailnod.cli.output import make_console

    listed = list(publishers)
    with Progress(console=make_console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("Lists", total=len(listed))
        for publisher in listed:
            progress.update(task, description=publisher.name)
            yield publisher
            progress.advance(task)


def _take(publisher: Publisher, folder: Path | None, *, now: datetime) -> Part | None:
    """Get one list and read it; None where the folder does not hold it."""
    read, source, fetched_at = publisher.read, publisher.urls[0], now
    if folder is None:
        from mailnod.cli.fetch import fetch_list

        texts = fetch_list(publisher)
    else:
        files = _find_files(publisher, folder)
        if not files:
            files, read = _find_plain(publisher, folder), read_plain
        if not files:
            return None
        texts = [_read_file(path, publisher.most_bytes) for path in files]
        source = ", ".join(path.name for path in files)
        fetched_at = min(datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in files)
    rows, intervals = check_list(publisher, texts, read=read)
    return Part(name=publisher.name, source=source, fetched_at=fetched_at, rows=rows, intervals=intervals)


def _find_files(publisher: Publisher, folder: Path) -> list[Path]:
    """Find the publisher's own files; of several for one pattern, the last by name, which is the newest by date."""
    found = [sorted(folder.glob(pattern)) for pattern in publisher.files]
    return [paths[-1] for paths in found if paths]


def _find_plain(publisher: Publisher, folder: Path) -> list[Path]:
    names = (f"{publisher.name}{tail}.txt" for tail in ("", "-ipv4", "-ipv6"))
    return [path for path in (folder / name for name in names) if path.is_file()]


def _read_file(path: Path, most_bytes: int) -> str:
    try:
        if path.stat().st_size > most_bytes:
            raise NetworksError(f"{path.name} is larger than {most_bytes:,} bytes, which is not plausible")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NetworksError(f"{path.name} is no UTF-8 text") from None
    except OSError as error:
        raise NetworksError(f"{path.name} cannot be read: {error.strerror}") from None


def _say_absent(publisher: Publisher) -> str:
    return f"the folder holds no {publisher.files[0]} and no {publisher.name}-ipv4.txt"


def _name_strangers(folder: Path) -> None:
    ours = {path for one in PUBLISHERS.values() for path in (*_find_plain(one, folder), *_list_own(one, folder))}
    strangers = sorted(path.name for path in folder.iterdir() if path not in ours and not path.name.startswith("."))
    if strangers:
        click.echo(f"Left alone, because no known list is called so: {', '.join(strangers)}.", err=True)


def _list_own(publisher: Publisher, folder: Path) -> Iterator[Path]:
    for pattern in publisher.files:
        yield from folder.glob(pattern)


def _report(outcomes: list[Outcome], path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": path, "lists": outcomes})
        return
    rows = [(one.name, one.outcome, one.detail, f"{one.rows:,}" if one.rows else "") for one in outcomes]
    print_table(f"Networks for {path}", ("name", "", "from, or why not", "rows"), rows, numbers=1)
