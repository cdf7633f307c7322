"""The rows of an export of events: one for each, newest first, always with the same columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from mailnod.model import Delivery, EventFilter, EventPage, EventRecord, Hit
from mailnod.store.base import Store

__all__ = ["COLUMNS", "describe_hit", "describe_mail", "list_columns", "list_events"]

_PAGE = 1_000

#: The columns of an export, in this order; new ones come behind them.
COLUMNS = (
    "id",
    "occurred_at",
    "type",
    "recipient",
    "recipients",
    "subject",
    "message_id",
    "campaign",
    "route",
    "tags",
    "test",
    "url",
    "link_index",
    "machine",
    "classification",
    "probability",
    "counts_for_metrics",
    "first",
    "seq",
    "proxy_type",
    "device_type",
    "client_type",
    "client_name",
    "reason_codes",
    "ruleset",
    "honeypot",
    "method",
    "ip",
    "user_agent",
)


def list_events(
    store: Store,
    wanted: EventFilter,
    *,
    limit: int | None = None,
    on_page: Callable[[EventPage], object] | None = None,
) -> Iterator[EventRecord]:
    """Yield events page by page, newest first.

    :param limit: at most this many; None yields all of them.
    :param on_page: is told of each page before its events, also of one without any; what it raises ends the search.
    """
    left = limit
    while left is None or left > 0:
        page = store.search_events(replace(wanted, limit=_PAGE if left is None else min(left, _PAGE)))
        if on_page is not None:
            on_page(page)
        yield from page.records
        if page.next_id is None:
            return
        wanted = replace(wanted, before_id=page.next_id)
        left = None if left is None else left - len(page.records)


def list_columns(record: EventRecord) -> dict[str, object]:
    """Return what an export says of an event, by column."""
    event = record.event
    verdict = {field.name: getattr(event.verdict, field.name) for field in fields(event.verdict)}
    own = {field.name: getattr(event, field.name) for field in fields(event)}
    return {**describe_mail(record.delivery), **verdict, **own, **describe_hit(record.observation.hit)}


def describe_hit(hit: Hit) -> dict[str, object]:
    """Return what is told of a request beside its event."""
    return {"honeypot": hit.honeypot, "method": hit.method, "ip": hit.ip, "user_agent": hit.user_agent}


def describe_mail(delivery: Delivery | None) -> dict[str, object]:
    """Return what is told of a mail beside an event; nothing but None where it is not known."""
    envelope, decision = (None, None) if delivery is None else (delivery.envelope, delivery.decision)
    return {
        "message_id": envelope and envelope.message_id,
        "subject": envelope and envelope.subject,
        "recipient": delivery and delivery.recipient,
        "recipients": envelope and len(envelope.recipients),
        "campaign": envelope and envelope.campaign,
        "route": decision and decision.route,
        "tags": envelope and envelope.tags,
        "metadata": envelope and envelope.metadata,
        "reasons": decision and decision.reasons,
        "test": delivery and delivery.test,
    }
