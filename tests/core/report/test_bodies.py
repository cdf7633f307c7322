"""Bodies are kept where a route asks for it, as they were, and no byte of them longer than that."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from typing import TYPE_CHECKING, Any

from mailnod import Envelope, make_override
from mailnod.model import ConsentRecord, ConsentState

if TYPE_CHECKING:
    from mailnod.send.prepare import Prepared

    Site = Any

DAY_S = 86_400.0


def send(site: Site, html: str, *, to: str = "ada@example.com", route: str = "kept") -> Prepared:
    """Send a mail of one HTML part."""
    envelope = Envelope(message_id="<1@app.example>", recipients=(to,), sent_at=site.clock.now())
    prepared: Prepared = site.tracker.prepare(envelope, [html], layers=[("call", make_override(route=route))])
    site.tracker.accepted(prepared)
    return prepared


def get_body(site: Site, prepared: Prepared) -> tuple[str, ...] | None:
    """Return what is kept of a mail."""
    assert prepared.delivery is not None
    body: tuple[str, ...] | None = site.tracker.store.get_body(prepared.delivery.id, now=site.clock.now())
    return body


def list_values(site: Site) -> list[bytes]:
    """Return all bodies as they lie in the store."""
    with contextlib.closing(sqlite3.connect(site.folder / "mailnod.db")) as connection:
        return [value for (value,) in connection.execute("SELECT value FROM bodies")]


def find_pieces(site: Site, values: list[bytes]) -> list[str]:
    """Return the files that hold any sixteen bytes of what lay in the store."""
    found = []
    for path in site.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if any(value[at : at + 16] in content for value in values for at in range(8, len(value) - 16, 8)):
            found.append(path.name)
    return sorted(found)


def write_text(random_: random.Random, *, words: int) -> str:
    """Return HTML of so many words, each of which is nowhere else."""
    return "<p>" + " ".join(f"{random_.getrandbits(64):x}" for _ in range(words)) + "</p>"


def test_body_is_kept_as_it_was_before_it_was_edited(site: Site) -> None:
    """The store has the original, without token and pixel, where the route says so and nowhere else."""
    html = "<p>Hello Ada</p>"
    kept, other = send(site, html), send(site, html, route="news")
    assert kept.parts != (html,)
    assert get_body(site, kept) == (html,)
    assert get_body(site, other) is None


def test_body_of_a_campaign_is_kept_once(site: Site) -> None:
    """A text that many get lies in the store once."""
    mails = [send(site, "<p>Offers</p>", to=f"{number}@example.com") for number in range(5)]
    assert [get_body(site, mail) for mail in mails] == [("<p>Offers</p>",)] * 5
    assert len(list_values(site)) == 1


def test_worker_leaves_no_byte_of_bodies_whose_days_are_over(site: Site) -> None:
    """After its days no file holds a piece of a body, however large they are, and younger ones are whole."""
    random_ = random.Random(7)
    for _ in range(60):
        send(site, write_text(random_, words=random_.choice((3, 40, 400))))
    old = list_values(site)
    assert find_pieces(site, old) != []
    site.clock.advance(2 * DAY_S)
    young = [write_text(random_, words=random_.choice((3, 40, 400))) for _ in range(30)]
    mails = [send(site, html) for html in young]
    site.clock.advance(1.5 * DAY_S)
    site.tracker.work_once()
    assert find_pieces(site, old) == []
    assert [get_body(site, mail) for mail in mails] == [(html,) for html in young]
    assert site.tracker.store.check() == []


def test_withdrawal_takes_the_persons_bodies_along(site: Site) -> None:
    """What only that person got is gone at once, and its last copy with the next sweep."""
    random_ = random.Random(8)
    mail, other = (send(site, write_text(random_, words=50), to=f"{who}@example.com") for who in ("ada", "bo"))
    values = list_values(site)
    denied = ConsentState.DENIED
    record = ConsentRecord(recorded_at=site.clock.now(), purpose="statistics", opens=denied, clicks=denied, source="x")
    site.tracker.store.record_consent("ada@example.com", record)
    assert get_body(site, mail) is None
    assert get_body(site, other) is not None
    (gone,) = set(values) - set(list_values(site))
    assert site.tracker.worker.sweep().clean
    assert find_pieces(site, [gone]) == []


def test_sweep_says_how_many_bodies_it_erased(site: Site) -> None:
    """Mails are counted, not texts, and a second sweep finds none."""
    for _ in range(3):
        send(site, "<p>Offers</p>")
    site.clock.advance(3 * DAY_S)
    assert site.tracker.worker.sweep().bodies == 3
    assert site.tracker.worker.sweep().bodies == 0
