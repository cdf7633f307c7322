"""``mailnod stats``: counts from the rollups."""

from __future__ import annotations

from typing import get_args

import click

from mailnod.cli.context import CliContext, database_option, json_option, pass_cli
from mailnod.cli.output import print_json, print_table
from mailnod.model import Metrics
from mailnod.store.base import GroupBy

__all__ = ["stats"]

_COLUMNS = ("mails", "with pixel", "opened by people", "open rate", "opens by machines")
_CLICK_COLUMNS = ("with links", "clicked by people", "click rate", "clicks by machines")


@click.command()
@database_option
@click.option(
    "--by", type=click.Choice(list(get_args(GroupBy))), default="all", show_default=True, help="One line per ..."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most this many lines.")
@json_option
@pass_cli
def stats(cli: CliContext, *, by: GroupBy, limit: int, as_json: bool) -> None:
    """Count opens and clicks of people and of machines.

    Rates are mails that a person opened (clicked) at least once, of the mails that could be counted: accepted by a
    server, with a pixel (tracked links) inside. Opens that a privacy proxy hides are counted as its own.
    """
    found = cli.reader.get_metrics(by=by, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = [*_COLUMNS, *_CLICK_COLUMNS] if by == "all" else [by, *_COLUMNS, *_CLICK_COLUMNS]
    rows = [_to_row(metrics) if by == "all" else (metrics.key, *_to_row(metrics)) for metrics in found]
    print_table("Opens and clicks", columns, rows, numbers=len(_COLUMNS) + len(_CLICK_COLUMNS))


def _to_row(metrics: Metrics) -> tuple[object, ...]:
    return (
        metrics.deliveries,
        metrics.deliveries_with_pixel,
        metrics.human_opens_unique,
        _rate(metrics.human_opens_unique, metrics.deliveries_with_pixel),
        metrics.machine_opens,
        metrics.deliveries_with_links,
        metrics.human_clicks_unique,
        _rate(metrics.human_clicks_unique, metrics.deliveries_with_links),
        metrics.machine_clicks,
    )


def _rate(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
