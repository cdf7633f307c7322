"""Deliveries of a store as mails: headers say what was recorded, bodies come byte for byte, and nothing is written."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailnod.model import Decision, Delivery, DeliveryState, Envelope, Mode
from mailnod.settings import Settings
from mailnod.store.sqlite import SQLiteStore
from mailnod_desktop.services.deliveries import list_deliveries, make_delivered_mail
from mailnod_desktop.services.model import Wishes
from mailnod_desktop.services.parsing import parse, summarise
from mailnod_desktop.services.rewriting import Rewriter

SENT_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def make_delivery(number: int = 1, **envelope: object) -> Delivery:
    """Return a delivery with a subject and two recipients."""
    values: dict[str, object] = {
        "message_id": f"<{number}@example.com>",
        "recipients": ("one@example.com", "two@example.com"),
        "subject": f"Number {number}",
        "sent_at": SENT_AT,
        **envelope,
    }
    return Delivery(
        id=number.to_bytes(8),
        envelope=Envelope(**values),  # type: ignore[arg-type]
        decision=Decision(opens=Mode.INDIVIDUAL, clicks=Mode.NONE, route="news", reasons=("route 'news': opens on",)),
        state=DeliveryState.ACCEPTED,
        accepted_at=SENT_AT,
    )


def test_headers_say_what_was_recorded() -> None:
    """Subject, recipients, date, route and reasons stand in the head, and the body is empty."""
    mail = make_delivered_mail(make_delivery())
    summary = summarise(mail)
    assert (summary.subject, summary.recipients) == ("Number 1", ("one@example.com", "two@example.com"))
    assert summary.sent_at == SENT_AT
    headers = dict(parse(mail).headers)
    assert headers["Message-ID"] == "<1@example.com>"
    assert headers["Recorded-Reason"] == "route 'news': opens on"
    assert (mail.origin, mail.key) == ("store", "store:0000000000000001")


def test_what_was_decided_is_shown_where_no_text_is_kept() -> None:
    """A delivery without a body is shown by what the store recorded, and not judged as a mail that has no HTML."""
    delivery = make_delivery()
    inspection = Rewriter(Settings(), None).inspect(parse(make_delivered_mail(delivery)), Wishes())
    assert (inspection.decision.opens, inspection.decision.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    assert inspection.decision.reasons[1:] == delivery.decision.reasons
    assert inspection.as_sent
    assert "keeps no text" in inspection.unknown[0]
    assert set(inspection.tokens) == {"one@example.com", "two@example.com"}
    assert inspection.data == make_delivered_mail(delivery).data


@pytest.mark.parametrize("bodies", [("<p>Größe\r\n.</p>\n",), ("<p>1</p>", "<p>2\udcff</p>")])
def test_bodies_come_byte_for_byte(bodies: tuple[str, ...]) -> None:
    """HTML that the store has kept is read back as it was; half a character becomes a question mark."""
    parsed = parse(make_delivered_mail(make_delivery(), bodies))
    assert parsed.htmls == tuple(body.replace("\udcff", "?") for body in bodies)
    assert not parsed.summary.problem


def test_no_header_is_read_as_a_wish() -> None:
    """A recorded mail with a body can be rewritten as any other."""
    parsed = parse(make_delivered_mail(make_delivery(), ('<p><a href="https://example.com/">x</a></p>',)))
    assert Rewriter(Settings.from_mapping({}), None).inspect(parsed, Wishes()).token is not None


def test_hostile_fields_end_no_header() -> None:
    """Line ends, half characters and erased addresses in what was recorded harm nobody."""
    delivery = make_delivery(subject="a\r\nX-Mailnod-Route: b\ud800" + "c" * 5000, recipients=("", "one@example.com"))
    mail = make_delivered_mail(delivery)
    names = [name for name, _ in parse(mail).headers]
    assert "X-Mailnod-Route" not in names
    assert summarise(mail).recipients == ("one@example.com",)
    assert len(mail.data) < 2000


def test_pages_follow_each_other_and_the_store_stays_as_it_is(tmp_path: Path) -> None:
    """Each delivery comes once, newest first, and not a byte of the store changes."""
    path = tmp_path / "mail.db"
    store = SQLiteStore(path)
    store.add_deliveries([make_delivery(number) for number in range(1, 1201)])
    store.close()
    before = hashlib.sha256(path.read_bytes()).digest()
    reader = SQLiteStore(path, read_only=True)
    first = list_deliveries(reader, limit=700)
    rest = list_deliveries(reader, limit=5000, before_id=bytes.fromhex(first[-1].key.removeprefix("store:")))
    keys = [mail.key for mail in (*first, *rest)]
    assert keys == [f"store:{number:016x}" for number in range(1200, 0, -1)]
    reader.close()
    assert hashlib.sha256(path.read_bytes()).digest() == before
