"""Answering hits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.collect.caps import Caps
from mailnod.collect.collector import PIXEL, Collector, Request, find_client, keep_headers
from mailnod.collect.suppressed import Suppressed
from mailnod.collect.ticks import Lane
from mailnod.errors import StoreBugError, StoreError, StoreUnavailableError
from mailnod.model import HONEYPOT_INDEX, Kind, Mode, Observation, Overflow, Recorded, Reply
from mailnod.testing import FrozenClock
from mailnod.tokens import Keyring

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DELIVERY = b"delivery"
GONE = b"withdrew"
URL = "https://shop.example/caf\u00e9?a=1&b=2#top"


class ListJournal:
    """A journal in memory; full where it is told so."""

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.counts: list[Overflow] = []
        self.lost: list[Kind] = []
        self.full = False

    def append_all(self, items: Sequence[Recorded]) -> None:
        if self.full:
            raise StoreUnavailableError("the disk is full")
        self.observations += [item for item in items if isinstance(item, Observation)]
        self.counts += [item for item in items if isinstance(item, Overflow)]

    def open_lane(self) -> Lane | None:
        return None

    def lose(self, kind: Kind, number: int = 1) -> None:
        self.lost += [kind] * number


class House:
    """A collector with everything around it."""

    def __init__(
        self, keys: str = "0:signing:x", proxies: tuple[str, ...] = (), token_cap: int = 0, source_cap: int = 0
    ) -> None:
        self.keyring = Keyring.parse(keys)
        self.clock = FrozenClock(NOW)
        self.journal = ListJournal()
        self.destinations: dict[tuple[bytes, int], str] = {}
        self.looked_up: list[tuple[bytes, int]] = []
        #: What the store raises when it is asked; None answers.
        self.trouble: StoreError | None = None
        self.suppressed = Suppressed(lambda cursor: (frozenset([GONE]), 1))
        self.suppressed.refresh()
        self.collector = Collector(
            keyring=self.keyring,
            journal=self.journal,
            suppressed=self.suppressed,
            clock=self.clock,
            new_id=lambda now: b"0123456789abcdef",
            find_destination=self.look_up,
            trusted_proxies=[ip_network(proxy) for proxy in proxies],
            caps=Caps(token_cap=token_cap, source_cap=source_cap, hide=self.keyring.hide),
        )

    def look_up(self, delivery_id: bytes, index: int) -> str | None:
        self.looked_up.append((delivery_id, index))
        if self.trouble is not None:
            raise self.trouble
        return self.destinations.get((delivery_id, index))

    def click_short(self, index: int = 3, **changes: object) -> Reply:
        path = f"/c/{self.token()}.{index}"
        request = Request(method="GET", path=path, query="", headers=(), peer="203.0.113.9")
        return self.collector.collect(replace(request, **changes))  # type: ignore[arg-type]

    def token(self, delivery_id: bytes = DELIVERY, opens: Mode = Mode.INDIVIDUAL) -> str:
        expires_at = NOW + timedelta(days=30)
        return self.keyring.sign(delivery_id, opens=opens, clicks=Mode.INDIVIDUAL, expires_at=expires_at)

    def open(self, token: str | None = None, **changes: object) -> Reply:
        request = Request(
            method="GET", path=f"/o/{token or self.token()}.gif", query="", headers=(), peer="203.0.113.9"
        )
        return self.collector.collect(replace(request, **changes))  # type: ignore[arg-type]

    def click(self, token: str | None = None, url: str = URL, index: int = 3, **changes: object) -> Reply:
        tag = self.keyring.tag_link(index, url)
        path = f"/c/{token or self.token()}.{index}.{tag}"
        request = Request(method="GET", path=path, query=f"u={quote(url, safe='')}", headers=(), peer="203.0.113.9")
        return self.collector.collect(replace(request, **changes))  # type: ignore[arg-type]


@pytest.fixture
def house() -> House:
    return House()


def location(reply: Reply) -> str | None:
    return dict(reply.headers).get("Location")


def test_open_is_recorded_and_answered_with_the_pixel(house: House) -> None:
    """A pixel with a genuine token is one observation and one GIF."""
    reply = house.open(headers=(("User-Agent", "Mozilla/5.0"),))
    assert (reply.status, reply.body) == (200, PIXEL)
    (observation,) = house.journal.observations
    assert observation.delivery_id == DELIVERY
    assert observation.checked
    assert observation.hit.kind == "open"
    assert observation.hit.ip == "203.0.113.9"
    assert observation.hit.user_agent == "Mozilla/5.0"
    assert observation.hit.received_at == NOW


def test_click_is_recorded_and_redirected(house: House) -> None:
    """A link with a genuine token and tag leads to its destination, in ASCII, and is one observation."""
    reply = house.click()
    assert reply.status == 302
    assert location(reply) == "https://shop.example/caf%C3%A9?a=1&b=2#top"
    (observation,) = house.journal.observations
    assert (observation.hit.kind, observation.hit.link_index, observation.hit.url) == ("click", 3, URL)


@pytest.mark.parametrize("token", ["A" * 32, "A", "A" * 5000, "..", "%00", ""])
def test_pixel_reply_is_the_same_whatever_the_token(house: House, token: str) -> None:
    """Nobody can tell from the pixel's reply whether a token is genuine or its person has withdrawn (S5)."""
    genuine = house.open()
    assert house.open(path=f"/o/{token}.gif") == genuine
    assert house.open(house.token(GONE)) == genuine
    assert len(house.journal.observations) == 1


def test_forged_click_is_not_redirected(house: House) -> None:
    """A changed token, index, tag or destination gets 404 without Location (S1)."""
    good = house.token()
    tag = house.keyring.tag_link(3, URL)
    query = f"u={quote(URL, safe='')}"
    forged = [
        (f"/c/{good[:-1]}{'A' if good[-1] != 'A' else 'B'}.3.{tag}", query),
        (f"/c/{good}.4.{tag}", query),
        (f"/c/{good}.3.{tag[:-1]}{'A' if tag[-1] != 'A' else 'B'}", query),
        (f"/c/{good}.3.{tag}", "u=https%3A%2F%2Fevil.example%2F"),
        (f"/c/{good}.3.{tag}", ""),
        (f"/c/{good}.3", query),
        (f"/c/{'A' * 9000}.3.{tag}", query),
        (f"/c/{good}.3.{tag}", "u=" + "a" * 10_000),
        ("/c/", query),
        (f"/c/{good}.{9**99}.{tag}", query),
    ]
    for path, forged_query in forged:
        reply = house.click(path=path, query=forged_query)
        assert reply.status == (414 if len(path) + len(forged_query) > 8192 else 404), path[:60]
        assert location(reply) is None
    assert house.journal.observations == []


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/", "https://a.example/\r\nX: y"]
)
def test_signed_but_unsafe_destination_is_not_redirected(house: House, url: str) -> None:
    """Even a destination that was signed is checked again: http and https only, no control characters (S2)."""
    reply = house.click(url=url)
    assert reply.status == 404
    assert location(reply) is None


def test_form_encoded_spaces_still_lead_home(house: House) -> None:
    """A relay that writes spaces as plus signs does not break the link."""
    url = "https://shop.example/?q=red shoes"
    reply = house.click(url=url, query="u=https%3A%2F%2Fshop.example%2F%3Fq%3Dred+shoes")
    assert location(reply) == "https://shop.example/?q=red%20shoes"


def test_parameters_added_on_the_way_are_ignored(house: House) -> None:
    """Chat programs append parameters of their own; the link works all the same."""
    reply = house.click(query=f"x=1&u={quote(URL, safe='')}&fbclid=abc")
    assert reply.status == 302


@pytest.mark.parametrize(("days", "recorded"), [(0, True), (29, True), (31, False), (366, False), (-366, True)])
def test_expired_token_redirects_and_records_nothing(house: House, days: int, recorded: bool) -> None:
    """Expiry separates recording from redirecting (S4)."""
    token = house.token()
    house.clock.advance(days * 86_400)
    assert house.click(token).status == 302
    assert house.open(token).status == 200
    assert len(house.journal.observations) == (2 if recorded else 0)


@pytest.mark.parametrize(
    ("state", "status", "recorded"), [("verifying", 302, 1), ("retired", 302, 0), ("revoked", 404, 0)]
)
def test_key_states_decide_what_old_mail_may(state: str, status: int, recorded: int) -> None:
    """Verifying keys record, retired keys redirect only, revoked keys are unknown (S3)."""
    old = House("0:signing:x")
    token, tag = old.token(), old.keyring.tag_link(3, URL)
    house = House(f"0:{state}:x,1:signing:y")
    reply = house.click(path=f"/c/{token}.3.{tag}")
    assert reply.status == status
    assert len(house.journal.observations) == recorded


def test_withdrawn_person_is_answered_and_not_recorded(house: House) -> None:
    """After a withdrawal pixel and redirect still work and nothing is written (P6)."""
    assert house.click(house.token(GONE)).status == 302
    assert house.open(house.token(GONE)).status == 200
    assert house.journal.observations == []


def test_axis_that_was_not_tracked_is_not_recorded(house: House) -> None:
    """A token signed without opens records no open, even if someone asks for its pixel."""
    house.open(house.token(opens=Mode.NONE))
    assert house.journal.observations == []


def test_full_disk_costs_the_hit_and_not_the_reply(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Where the journal cannot be written the redirect still works, and the loss is counted and logged once."""
    house.journal.full = True
    assert house.click().status == 302
    assert house.open().status == 200
    assert house.collector.lost == 2
    assert house.journal.lost == ["click", "open"]
    assert len(caplog.records) == 1


def test_hit_beyond_a_cap_is_answered_and_counted() -> None:
    """Beyond the cap of a token or of an address, pixel and redirect stay as they are, and a count is written (S6)."""
    house = House(token_cap=2, source_cap=5)
    pixel, redirect = house.open(), house.click()
    for _ in range(3):
        assert house.open() == pixel
        assert house.click() == redirect
    assert len(house.journal.observations) == 4
    assert [(one.reason, one.key, one.kind, one.count) for one in house.journal.counts] == [
        ("token", DELIVERY.hex(), kind, number) for number in (1, 2) for kind in ("open", "click")
    ]
    assert house.open(house.token(b"another.")) == pixel
    source = house.journal.counts[-1]
    assert (source.reason, source.key) == ("source", house.keyring.hide("203.0.113.9"))
    assert house.open(house.token(b"another."), peer="203.0.113.10") == pixel
    assert len(house.journal.observations) == 5


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (414, {"path": "/o/" + "A" * 8192}),
        (414, {"query": "u=" + "A" * 8192}),
        (431, {"headers": (("Cookie", "A" * 10_000), ("Accept", "A" * 10_000))}),
        (413, {"headers": (("Content-Length", "1"),)}),
        (413, {"headers": (("transfer-encoding", "chunked"),)}),
        (200, {"headers": (("Content-Length", "0"), ("Cookie", "A" * 16_000))}),
    ],
)
def test_request_that_is_too_large_is_refused(house: House, status: int, changes: dict[str, Any]) -> None:
    """Paths and queries have 8 KiB, headers 16 KiB, and there is no body (S18); nothing of more is recorded."""
    assert house.open(**changes).status == status
    assert len(house.journal.observations) == (1 if status == 200 else 0)


def test_unread_withdrawals_mark_the_hit_unchecked() -> None:
    """While withdrawals cannot be read the hit is kept and marked, so that it is checked before it is stored."""

    def fail(cursor: int) -> tuple[frozenset[bytes], int]:
        raise StoreUnavailableError("gone")

    house = House()
    house.collector._suppressed = Suppressed(fail)
    house.open()
    assert not house.journal.observations[0].checked


@pytest.mark.parametrize("failing", ["new_id", "journal", "suppressed"])
def test_defect_while_recording_costs_the_hit_and_not_the_redirect(failing: str) -> None:
    """Whatever goes wrong after a link was found genuine, the reader gets where the link leads."""
    house = House()

    def fail(*_: object) -> Any:
        raise RuntimeError("out of threads")

    broken: Any = house

    match failing:
        case "new_id":
            broken.collector._new_id = fail
        case "journal":
            broken.journal.append_all = fail
        case _:
            broken.suppressed.check = fail
    assert house.click().status == 302
    assert house.open().body == PIXEL
    assert house.collector.lost == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_refused(house: House, method: str) -> None:
    """Only GET and HEAD are answered."""
    assert house.open(method=method).status == 405
    assert house.click(method=method).status == 405
    assert house.journal.observations == []


def test_head_is_answered_like_get_without_its_body(house: House) -> None:
    """HEAD gets GET's headers and no body, and is recorded as what it is (RFC 9110, section 9.3.2)."""
    get, head = house.open(), house.open(method="HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert [o.hit.method for o in house.journal.observations] == ["GET", "HEAD"]


def test_replies_forbid_caching_and_carry_no_cookie(house: House) -> None:
    """Every reply has the protective headers and none sets a cookie (S7)."""
    for reply in (house.open(), house.click(), house.click(path="/c/x"), house.open(method="POST")):
        headers = {name.lower(): value for name, value in reply.headers}
        assert headers["cache-control"].startswith("no-store")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert int(headers["content-length"]) == len(reply.body)
        assert "set-cookie" not in headers


def test_headers_are_kept_by_an_allow_list() -> None:
    """Cookies, credentials, addresses and the path of the Referer are not kept."""
    kept = keep_headers(
        [
            ("Cookie", "session=canary"),
            ("Authorization", "Bearer canary"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("From", "reader@example.com"),
            ("X-Purpose", "preview"),
            ("Sec-Fetch-Mode", "navigate"),
            ("ACCEPT-Language", "de"),
            ("Via", "1.1 proxy"),
            ("Referer", "https://mail.example/inbox?user=canary"),
            ("User-Agent", "x" * 5000),
        ]
    )
    assert kept.keys() == {"x-purpose", "sec-fetch-mode", "accept-language", "via", "referer", "user-agent"}
    assert kept["referer"] == "https://mail.example"
    assert len(kept["user-agent"]) == 512


def test_kept_headers_are_bounded() -> None:
    """Nobody fills the disk by headers, and credentials do not pass under a trusted prefix (S18)."""
    flood = [(f"Sec-CH-UA-{chr(97 + n // 26)}{chr(97 + n % 26)}", "x" * 8000) for n in range(300)]
    kept = keep_headers([("User-Agent", "UA"), *flood])
    assert sum(len(name) + len(value) for name, value in kept.items()) <= 4096
    assert kept["user-agent"] == "UA"
    assert keep_headers([("Sec-Session-Response", "x"), ("Sec-WebSocket-Key", "x"), ("Accept-" + "a" * 999, "x")]) == {}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "6.6.6.6, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("10.0.0.1", "fe80::7%<script>", "fe80::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1," * 100_000, "10.0.0.1"),
        (None, "198.51.100.1", None),
        ("unix:", "198.51.100.1", None),
    ],
)
def test_client_is_the_rightmost_untrusted_address(
    peer: str | None, forwarded: str | None, expected: str | None
) -> None:
    """X-Forwarded-For is believed only from trusted proxies, and only up to the first that is not (S8)."""
    headers = () if forwarded is None else (("X-Forwarded-For", forwarded),)
    request = Request(method="GET", path="/o/x.gif", query="", headers=headers, peer=peer)
    assert find_client(request, [ip_network("10.0.0.0/8")]) == expected


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("203.0.113.9", "203.0.113.9"), ("10.0.0.1", "10.0.0.1"), ("2001:DB8::7", "2001:db8::7"), (None, None)]
    + [(peer, None) for peer in ("", "1.2.3", "01.2.3.4", "1.2.3.4\0", "1.2.3.4 ", "localhost", "0x7f.1")],
)
def test_without_trusted_proxies_nobody_s_word_is_taken(peer: str | None, expected: str | None) -> None:
    """Where no proxy is trusted the client is the peer, however many headers say something else (S8)."""
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP")
    headers = [(name, value) for name in names for value in ("6.6.6.6", "for=6.6.6.6")]
    assert find_client(Request(method="GET", path="/o/x", query="", headers=headers, peer=peer), ()) == expected


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"])
def test_trusted_proxy_is_believed_by_one_header_alone(name: str) -> None:
    """A header that a proxy does not set itself, and so lets a client set, names nobody (S8)."""
    request = Request(method="GET", path="/o/x", query="", headers=[(name, "6.6.6.6")], peer="10.0.0.1")
    assert find_client(request, [ip_network("10.0.0.0/8")]) == "10.0.0.1"


def test_several_headers_of_proxies_are_one_list() -> None:
    """What a client sent stands before what the proxy appended, also in a header of its own (S8)."""
    headers = [("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "198.51.100.1, 10.0.0.2")]
    request = Request(method="GET", path="/o/x", query="", headers=headers, peer="10.0.0.1")
    assert find_client(request, [ip_network("10.0.0.0/8")]) == "198.51.100.1"


@pytest.mark.parametrize(
    ("forwarded", "expected"), [("198.51.100.1", "198.51.100.1"), ("6.6.6.6, x", None), ("", None)]
)
def test_unix_socket_counts_as_this_machine(forwarded: str, expected: str | None) -> None:
    """A peer without an address is a proxy on 127.0.0.1, trusted where that is, and never a client itself."""
    request = Request(method="GET", path="/o/x", query="", headers=[("X-Forwarded-For", forwarded)], peer=None)
    assert find_client(request, [ip_network("127.0.0.0/8")]) == expected


@given(st.text(max_size=60), st.text(max_size=60), st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_nothing_that_is_sent_makes_the_collector_raise(path: str, query: str, headers: list[tuple[str, str]]) -> None:
    """Whatever comes in, a reply goes out, and nothing is recorded without a genuine token."""
    house = House(proxies=("203.0.113.0/24",))
    for prefix in ("/o/", "/c/"):
        reply = house.collector.collect(
            Request(method="GET", path=prefix + path, query=query, headers=headers, peer="203.0.113.9")
        )
        assert reply.status in (200, 404)
    assert house.journal.observations == []


def test_canaries_are_not_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """No token, address or header of a hit stands in a log (S17)."""
    with caplog.at_level(logging.DEBUG):
        house.open(headers=(("Cookie", "canary"), ("From", "canary@example.com")))
        house.journal.full = True
        house.click()
    assert "canary" not in caplog.text
    assert house.token() not in caplog.text
    assert "203.0.113.9" not in caplog.text


def test_short_click_is_recorded_and_redirected(house: House) -> None:
    """A short link with a genuine token leads where its delivery's number does, whatever query a client appends."""
    house.destinations[DELIVERY, 3] = URL
    reply = house.click_short(query="utm_source=reader")
    assert (reply.status, location(reply)) == (302, location(house.click()))
    observation = house.journal.observations[0]
    assert (observation.hit.kind, observation.hit.link_index, observation.hit.url) == ("click", 3, URL)


def test_short_destination_is_looked_up_once(house: House) -> None:
    """What a short link stands for never changes, so that it is read from the store once in a while only."""
    house.destinations[DELIVERY, 3] = URL
    for _ in range(3):
        assert house.click_short().status == 302
    assert house.looked_up == [(DELIVERY, 3)]


def test_unknown_short_link_leads_nowhere(house: House) -> None:
    """A number that the delivery has not got, and a token that is not genuine, get 404; the latter asks no store."""
    for _ in range(2):
        reply = house.click_short(index=4)
        assert (reply.status, location(reply)) == (404, None)
    assert house.looked_up == [(DELIVERY, 4)] * 2
    assert house.click_short(path=f"/c/{'A' * 32}.3").status == 404
    assert len(house.looked_up) == 2
    assert house.journal.observations == []


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "https:/x", "https://a.example/\r\nX: y", ""])
def test_short_destination_is_checked_as_others_are(house: House, url: str) -> None:
    """What the store holds is redirected to only where it is safe."""
    house.destinations[DELIVERY, 3] = url
    reply = house.click_short()
    assert (reply.status, location(reply)) == (404, None)


@pytest.mark.parametrize("trouble", [StoreUnavailableError("it is locked"), StoreBugError("there is no such table")])
def test_short_link_waits_for_its_store(house: House, trouble: StoreError) -> None:
    """While the store cannot be read, for whatever reason, a short link asks to be tried again, and is no dead link."""
    house.destinations[DELIVERY, 3] = URL
    house.trouble = trouble
    reply = house.click_short()
    assert (reply.status, location(reply), dict(reply.headers)["Retry-After"]) == (503, None, "5")
    house.trouble = None
    assert house.click_short().status == 302
    assert len(house.journal.observations) == 1


def test_hidden_link_is_recorded_and_leads_nowhere(house: House) -> None:
    """It is signed like any link, shows a page of the collector's own, and is one observation without destination."""
    tag = house.keyring.tag_link(HONEYPOT_INDEX, "")
    path = f"/c/{house.token()}.{HONEYPOT_INDEX}.{tag}"
    reply = house.click(path=path, query="")
    assert reply.status == 200
    assert location(reply) is None
    assert b"please go back to the mail" in reply.body
    (observation,) = house.journal.observations
    assert (observation.hit.kind, observation.hit.honeypot, observation.hit.url) == ("click", True, None)
    head = house.click(path=path, query="u=https://evil.example/", method="HEAD")
    assert (head.status, head.body, location(head)) == (200, b"", None)


def test_hidden_link_cannot_be_forged(house: House) -> None:
    """Neither another link's tag nor a destination of somebody's choice makes one."""
    for tag in (house.keyring.tag_link(3, URL), house.keyring.tag_link(HONEYPOT_INDEX, URL), "A" * 16):
        path = f"/c/{house.token()}.{HONEYPOT_INDEX}.{tag}"
        assert house.click(path=path, query=f"u={quote(URL, safe='')}").status == 404
    assert house.journal.observations == []
