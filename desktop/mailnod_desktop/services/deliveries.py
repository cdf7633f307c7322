"""The deliveries that a store has recorded, as mails of a list; the store is read and never written."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

from mailnod.model import Delivery
from mailnod.store.base import Store
from mailnod_desktop.services.model import Mail

__all__ = ["list_deliveries", "make_delivered_mail", "walk_deliveries"]

#: Deliveries that are asked for at once.
_PAGE = 500
_PART = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
# What would end a header, or is no character at all.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


def list_deliveries(store: Store, *, limit: int = 500, before_id: bytes | None = None) -> list[Mail]:
    """Return the newest deliveries of a store as mails, newest first.

    :param limit: at most this many.
    :param before_id: only those that were added before the delivery with this id: the next page.
    :raises StoreError: the store cannot be read.
    """
    found: list[Mail] = []
    for delivery, bodies in walk_deliveries(store, before_id=before_id):
        if len(found) >= limit:
            break
        found.append(make_delivered_mail(delivery, bodies))
    return found


def walk_deliveries(
    store: Store, *, before_id: bytes | None = None
) -> Iterator[tuple[Delivery, tuple[str, ...] | None]]:
    """Yield every delivery with its HTML bodies, newest first; None where the store keeps no bodies.

    :raises StoreError: the store cannot be read.
    """
    get_body: Callable[..., tuple[str, ...] | None] | None = getattr(store, "get_body", None)
    while page := store.get_deliveries(before_id=before_id, limit=_PAGE):
        for delivery in page:
            yield delivery, None if get_body is None else get_body(delivery.id, now=datetime.now(UTC))
        before_id = page[-1].id


def make_delivered_mail(delivery: Delivery, bodies: tuple[str, ...] | None = None) -> Mail:
    """Return a delivery as a mail whose headers say what was recorded.

    :param bodies: its HTML; None makes a mail of headers alone.
    """
    envelope, decision = delivery.envelope, delivery.decision
    fields = [
        ("Subject", envelope.subject),
        # An address that was erased is "".
        ("To", ", ".join(filter(None, envelope.recipients))),
        ("Message-ID", envelope.message_id),
        ("Date", format_datetime(envelope.sent_at)),
        # Not of our own prefix, which would be read as a wish.
        ("Recorded-Delivery", delivery.id.hex()),
        ("Recorded-State", delivery.state),
        ("Recorded-Route", decision.route),
        ("Recorded-Campaign", envelope.campaign or ""),
        *(("Recorded-Tag", tag) for tag in envelope.tags),
        *(("Recorded-Reason", reason) for reason in decision.reasons),
    ]
    head = "".join(f"{name}: {_fit(value)}\r\n" for name, value in fields if _fit(value))
    return Mail(
        key=f"store:{delivery.id.hex()}",
        name=_fit(envelope.subject) or delivery.id.hex(),
        origin="store",
        data=head.encode() + _make_body(bodies or ()),
        received_at=delivery.accepted_at or envelope.sent_at,
        envelope_recipients=tuple(filter(None, envelope.recipients)),
        recorded=decision,
    )


def _make_body(bodies: tuple[str, ...]) -> bytes:
    """Return what follows the fields of a head: further fields, the empty line, and the bodies byte for byte."""
    if not bodies:
        return b"\r\n"
    parts = [_PART + encodebytes(html.encode("utf-8", "replace")).replace(b"\n", b"\r\n") for html in bodies]
    if len(parts) == 1:
        return b"MIME-Version: 1.0\r\n" + parts[0]
    # No line of Base64 begins with a hyphen.
    boundary = b"mailnod-bodies"
    kind = b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n'
    return kind + b"".join(b"--" + boundary + b"\r\n" + part for part in parts) + b"--" + boundary + b"--\r\n"


def _fit(text: str) -> str:
    return _UNFIT.sub(" ", text)[:900].strip()
