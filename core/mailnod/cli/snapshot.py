"""``mailnod snapshot``: a consistent copy of the store, for a look at it on another machine."""

from __future__ import annotations

from pathlib import Path

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import print_json
from mailnod.cli.progress import show_progress

__all__ = ["snapshot"]


@click.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--minimised",
    is_flag=True,
    help="Leave out addresses, subjects, bodies, metadata, and the IP addresses, user agents and headers of hits.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@database_option
@json_option
@pass_cli
def snapshot(cli: CliContext, *, target: Path, minimised: bool, force: bool, as_json: bool) -> None:
    """Copy the store into the file TARGET, in one state, while the app goes on.

    Every command reads the copy with --database TARGET. Hits that still lie in journals are not in it.
    """
    if target.exists() and not force:
        raise click.ClickException(f"{str(target)!r} is there already; name another file, or replace it with --force")
    source = cli.settings.database
    if not isinstance(source, Path):
        raise click.ClickException(
            f"{source} is a server: take a copy with its own tools, such as pg_dump, or open it with --database"
        )
    if target.exists() and source.exists() and target.samefile(source):
        raise click.ClickException(f"{str(target)!r} is the store itself")
    from mailnod.store.snapshot import write_snapshot

    with show_progress("Copying") as advance:
        write_snapshot(source, target, minimised=minimised, report=lambda: advance(1))
    size_bytes = target.stat().st_size
    if as_json:
        print_json({"snapshot": target, "size_bytes": size_bytes, "minimised": minimised})
    else:
        what = (
            "without addresses and raw facts" if minimised else "with addresses and raw facts: keep it like the store"
        )
        click.echo(f"{target}: {size_bytes / 1e6:.1f} MB, {what}.")
