"""The table of events, as ``mailnod events`` and the demo show it: two lines for each, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from rich.table import Table

from mailnod.cli.output import format_time, make_table, stack
from mailnod.model import Classification, EventRecord, Verdict

__all__ = ["SHORT_ID", "make_event_table"]

#: As many digits of an id name one event, but for a rare chance; ``mailnod explain`` takes them.
SHORT_ID = 18
#: From this width on there is room for a second reason, and for the subject of a mail whose link was clicked.
WIDE = 100

#: Classes whose clients nobody can see.
_HIDING = (Classification.IMAGE_PROXY, Classification.PRIVACY_PROXY)


def _show_time(record: EventRecord) -> str:
    return format_time(record.event.occurred_at).replace(" ", "\n")


def _show_recipient(record: EventRecord) -> str:
    if record.delivery is None:
        return "not known"
    shared = len(record.delivery.envelope.recipients)
    return record.delivery.recipient or (f"one of {shared}" if shared > 1 else "erased")


def _show_url(url: str) -> str:
    """Return a destination as short as people still know it, its path first; the JSON has all of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    path = parts.path.rstrip("/")
    return f"{path} at {parts.netloc}" if path else parts.netloc


def make_event_table(
    records: Iterable[EventRecord],
    *,
    title: str,
    width: int,
    when: tuple[str, Callable[[EventRecord], str]] = ("Time (UTC)", _show_time),
    who: tuple[str, Callable[[EventRecord], str]] = ("Recipient", _show_recipient),
    about: Callable[[EventRecord], str] | None = None,
    ids: bool = False,
) -> Table:
    """Return a table with two lines for each event.

    :param width: how many columns there are for it; a narrow table shows the strongest reason alone.
    :param when: heading of the first column, and what it says of an event, in one line or two.
    :param who: heading of the column that names the recipient, and what it says of an event.
    :param about: what stands below the recipient; None shows the link, that it was the hidden one, or the subject of
        the mail that was opened.
    :param ids: whether the first column shows the beginning of each id below.
    """
    wide = width >= WIDE
    table = make_table(title)
    table.add_column(when[0], no_wrap=True)
    table.add_column("What", no_wrap=True)
    table.add_column(who[0])
    table.add_column("Judged as", no_wrap=True)
    table.add_column("Client, and why", width=None if wide else 23)
    for record in records:
        below = about(record) if about else _show_about(record, wide=wide)
        verdict = record.event.verdict
        table.add_row(
            stack(*when[1](record).splitlines(), record.event.id.hex()[:SHORT_ID] if ids else ""),
            stack(*_show_what(record)),
            stack(who[1](record), below, cut=True),
            stack(*_show_judgement(verdict), style="yellow" if verdict.machine else "green"),
            stack(_show_client(verdict), _show_reasons(verdict, most=2 if wide else 1)),
        )
    return table


def _show_what(record: EventRecord) -> tuple[str, str]:
    what = "open" if record.event.type == "message.opened" else "click"
    method = record.observation.hit.method
    test = "test" if record.delivery is not None and record.delivery.test else ""
    return what, " ".join(filter(None, ("" if method == "GET" else method, test)))


def _show_about(record: EventRecord, *, wide: bool) -> str:
    subject = record.delivery.envelope.subject if record.delivery else ""
    if record.observation.hit.honeypot:
        return f"hidden link in {subject}" if wide and subject else "hidden link"
    if record.event.url is None:
        return subject
    url = _show_url(record.event.url)
    return f"{url} in {subject}" if wide and subject else url


def _show_judgement(verdict: Verdict) -> tuple[str, str]:
    return "machine" if verdict.machine else "person", verdict.classification.value


def _show_client(verdict: Verdict) -> str:
    if verdict.client_name is None:
        return "hidden by the proxy" if verdict.classification in _HIDING else "not known"
    if verdict.machine and verdict.client_type in ("browser", "email_client", "app"):
        # A scanner says that it is a browser; a library is what it says it is.
        return f"claims {verdict.client_name}"
    return ", ".join(filter(None, (verdict.client_name, verdict.device_type)))


def _show_reasons(verdict: Verdict, *, most: int) -> str:
    """Return the strongest reasons, and how many more there are: a scanner gives itself away by many."""
    more = len(verdict.reason_codes) - most
    return " ".join([*verdict.reason_codes[:most], *([f"+{more}"] if more > 0 else [])])
