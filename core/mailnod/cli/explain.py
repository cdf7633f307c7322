"""``mailnod explain``: the evidence on one event in order, every verdict on it, and what today's rules say."""

from __future__ import annotations

import re

import click

from mailnod.cli.context import CliContext, database_option, json_option, name_command, pass_cli
from mailnod.cli.output import print_json
from mailnod.cli.waiting import describe_waiting
from mailnod.model import EventRecord

__all__ = ["explain"]

_ID = re.compile(r"[0-9a-f]{4,32}")
_MOST = 5


@click.command()
@database_option
@click.argument("event_id")
@json_option
@pass_cli
def explain(cli: CliContext, *, event_id: str, as_json: bool) -> None:
    """Lay open how one event was judged: what came in, what was around it, each sign, and every verdict.

    EVENT_ID is an event's id, or as many of its first digits as no other id has; "mailnod events --ids" and "mailnod
    rejudge" show them. Where the rules of today would say something else than the latest verdict, that is said too.
    """
    record = _find(cli, event_id)
    # After the event was found: a wrong id is answered without loading the rules.
    from mailnod.explanation import lay_open, to_plain_explanation

    explanation = lay_open(record, store=cli.reader, assessor=cli.tracker.worker.assessor)
    if as_json:
        print_json(to_plain_explanation(explanation))
        return
    from mailnod.cli.explanation_text import print_explanation

    print_explanation(explanation)


def _find(cli: CliContext, event_id: str) -> EventRecord:
    prefix = event_id.strip().lower().replace("-", "")
    if not _ID.fullmatch(prefix):
        raise click.BadParameter(
            f"{event_id!r} is not the id of an event: 4 to 32 hexadecimal digits", param_hint="EVENT_ID"
        )
    found = cli.reader.find_events(prefix, limit=_MOST + 1)
    if not found:
        waiting = describe_waiting(cli)
        beside = f" ({waiting})" if waiting else ""
        how = name_command("events --ids")
        raise click.ClickException(f"no event's id begins with {prefix!r}; '{how}' shows them{beside}")
    if len(found) > 1:
        shown = ", ".join(record.event.id.hex() for record in found[:_MOST])
        more = " and more" if len(found) > _MOST else ""
        raise click.ClickException(f"several events' ids begin with {prefix!r}, give more digits: {shown}{more}")
    return found[0]
