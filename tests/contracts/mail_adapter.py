"""What every mail adapter must do, whatever framework it serves; its tests inherit the class and give it an adapter.

Everything is sent over a real SMTP conversation on the loopback interface and read back with the standard library.
"""

from __future__ import annotations

import logging
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote
from wsgiref.util import setup_testing_defaults

import pytest

from contracts.mail_server import MailServer, Received
from mailnod import Consent, ConsentState, Tracker, hookimpl, tracking
from mailnod.model import ConsentRecord, DeliveryState
from mailnod.testing import FrozenClock

BASE = "https://track.example.com/t"
ALICE, BOB = "one@example.com", "two@example.com"
LINK = "https://shop.example/offer?a=1&b=2#top"
HTML = (
    "<!DOCTYPE html><html><body><p>Grüße — “quoted”</p>\n"
    '<a href="https://shop.example/offer?a=1&amp;b=2#top">See</a>\n'
    "<a href='mailto:desk@example.com'>Write</a></body></html>"
)
TRACKS = {"routes": {"default": {"track_opens": True, "track_clicks": True, "consent": "required"}}, "base_url": BASE}
QUIET = {"routes": {"default": {"consent": "required"}}, "base_url": BASE}
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(range(256))

#: How each layer says what it wishes of an axis, lowest precedence first; the route comes before all of them.
LAYERS = ("context", "header", "attribute", "keyword")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file that goes with a mail."""

    name: str
    type: str
    data: bytes
    #: Set for pictures that stand in the text.
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mail, described without any framework."""

    subject: str = "Weekly"
    to: Sequence[str] = (ALICE,)
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    text: str = "The text part: https://shop.example/offer"
    html: str | None = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Override keywords that are set on the message.
    attributes: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    attached: Sequence[Attached] = ()
    #: Further alternatives, by subtype of text.
    alternatives: Mapping[str, str] = field(default_factory=dict)


class MailAdapter(Protocol):
    """One app with an adapter in it."""

    @property
    def tracker(self) -> Tracker:
        """The app's tracker."""
        ...

    def build(self, draft: Draft) -> Any:
        """Return the framework's own message, with a fixed date and a fixed Message-ID."""
        ...

    def send(self, message: Any, **keywords: Any) -> None:
        """Send a message through the adapter."""
        ...

    def send_many(self, messages: Sequence[Any], **keywords: Any) -> None:
        """Send messages in one call, as campaigns do."""
        ...

    def send_plainly(self, message: Any) -> None:
        """Send a message with the framework alone."""
        ...

    def snapshot(self, message: Any) -> object:
        """Return everything that a caller can see of a message, as a value that compares."""
        ...


class Source:
    """A consent source that answers what it is told."""

    def __init__(self, answer: Consent | Callable[[str], Any] | None) -> None:
        self._answer = answer

    @hookimpl
    def get_consent(self, recipient: str) -> Any:
        """Answer for a recipient."""
        return self._answer(recipient) if callable(self._answer) else self._answer


def consent(opens: ConsentState, clicks: ConsentState | None = None) -> Consent:
    """Return a consent with the same word for both axes, where only one is given."""
    return Consent(opens=opens, clicks=clicks or opens, source="test")


def raising(recipient: str) -> Consent:
    """Fail as a source does whose database is away."""
    raise ConnectionError("the source of consents is away")


GRANTED = Source(consent(ConsentState.GRANTED))
OFF_ANSWERS = {
    "unknown": Source(None),
    "denied": Source(consent(ConsentState.DENIED)),
    "raising": Source(raising),
    "nonsense": Source(lambda _: "yes"),
}

OpenAdapter = Callable[..., MailAdapter]


class MailAdapterContract(ABC):
    """The rules; a subclass says how its framework is set up."""

    #: What the adapter raises for a line break in a header of ours.
    header_error: type[Exception]

    @abstractmethod
    def make_adapter(
        self, *, settings: Mapping[str, Any], plugins: Sequence[object], port: int, clock: FrozenClock
    ) -> AbstractContextManager[MailAdapter]:
        """Set up an app.

        :param settings: Mailnod's, by their names in lower case without prefix; a secret is not among them.
        :param port: where the mail server is, on 127.0.0.1.
        """

    @pytest.fixture
    def server(self) -> Iterator[MailServer]:
        """Give a mail server that keeps what it is given."""
        server = MailServer()
        server.start()
        yield server
        server.stop()

    @pytest.fixture
    def open_adapter(self, server: MailServer, tmp_path: Path) -> Iterator[OpenAdapter]:
        """Give a function that sets up an app; all are taken down after the test."""
        with ExitStack() as stack:

            def open_adapter(settings: Mapping[str, Any] = TRACKS, *, source: Source | None = GRANTED) -> MailAdapter:
                settings = {"database": tmp_path / "mailnod.db", "worker": "none", **settings}
                plugins = [source] if source else []
                clock = FrozenClock(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
                made = self.make_adapter(settings=settings, plugins=plugins, port=server.port, clock=clock)
                return stack.enter_context(made)

            yield open_adapter

    # -- what is tracked ----------------------------------------------------------------------------------------------

    def test_tracked_mail_carries_a_pixel_and_links_whose_tokens_name_its_delivery(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A consenting recipient's mail has one pixel and tracked links, signed for the delivery in the store."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft()))
        (mail,) = server.received
        (delivery,) = adapter.tracker.store.get_deliveries()
        (pixel,) = pixels(mail)
        (link,) = links(mail)
        claims = adapter.tracker.keyring.verify(pixel, now=adapter.tracker.clock.now())
        assert claims.delivery_id == delivery.id
        assert link == (pixel, LINK)
        assert delivery.recipient == ALICE
        assert delivery.state is DeliveryState.ACCEPTED
        assert delivery.accepted_at == adapter.tracker.clock.now()

    def test_nothing_is_tracked_unless_a_route_or_an_override_says_so(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """Tracking is off by default, even for people who have consented."""
        adapter = open_adapter(QUIET)
        assert_leaves_as_it_came(adapter, server, Draft())
        assert adapter.tracker.store.get_deliveries() == []

    def test_mail_without_html_is_left_alone(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A mail of text alone leaves as it came."""
        assert_leaves_as_it_came(open_adapter(), server, Draft(html=None))

    def test_only_the_html_body_changes(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """Text part, calendar, inline picture, attached HTML, Reply-To and the order of parts stay as they were."""
        adapter = open_adapter()
        draft = Draft(
            reply_to="desk@example.com",
            alternatives={"calendar": "BEGIN:VCALENDAR\nURL:https://shop.example/offer\nEND:VCALENDAR"},
            attached=[
                Attached(name="logo.png", type="image/png", data=PNG, content_id="<logo>"),
                Attached(name="page.html", type="text/html", data=HTML.encode()),
            ],
        )
        adapter.send_plainly(adapter.build(draft))
        adapter.send(adapter.build(draft))
        plain, tracked = server.received
        assert tracked.html != plain.html
        assert [shape(part) for part in walk(tracked)] == [shape(part) for part in walk(plain)]
        assert without_html_body(tracked) == without_html_body(plain)
        assert headers(tracked) == headers(plain)

    def test_every_byte_outside_links_and_pixel_stays(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """The HTML that arrives is the sender's, but for the tracked link and the added pixel."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft()))
        (mail,) = server.received
        without_pixel = re.sub(rf'<img src="{BASE}/o/[^>]*>', "", mail.html)
        restored = re.sub(rf"{BASE}/c/[^\"]*", "https://shop.example/offer?a=1&amp;b=2#top", without_pixel)
        assert restored == HTML

    def test_text_of_another_type_leaves_as_it_came(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A body in bytes is the framework's to encode; tracking the HTML beside it does not touch it."""
        adapter = open_adapter()
        draft = Draft(text=b"In bytes, as frameworks take it.")  # type: ignore[arg-type]
        adapter.send_plainly(adapter.build(draft))
        adapter.send(adapter.build(draft))
        plain, tracked = server.received
        assert is_tracked(tracked, "opens")
        assert without_html_body(tracked) == without_html_body(plain)

    def test_unsubscribe_target_of_the_header_is_not_tracked(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A link to a target of List-Unsubscribe is left alone, whatever its text says."""
        adapter = open_adapter()
        draft = Draft(headers={"List-Unsubscribe": f"<mailto:off@example.com>, <{LINK}>"})
        adapter.send(adapter.build(draft))
        (mail,) = server.received
        assert links(mail) == []
        assert len(pixels(mail)) == 1

    # -- overrides ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize("axis", ["opens", "clicks"])
    def test_false_in_a_layer_beats_true_in_all_below(
        self, server: MailServer, open_adapter: OpenAdapter, layer: str, axis: str
    ) -> None:
        """An axis that a higher layer turns off is off, though the route and every lower layer turn it on."""
        adapter = open_adapter()
        send_with(adapter, axis, {name: name != layer for name in LAYERS[: LAYERS.index(layer) + 1]})
        assert not is_tracked(server.received[0], axis)
        assert is_tracked(server.received[0], "clicks" if axis == "opens" else "opens")

    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize("axis", ["opens", "clicks"])
    def test_true_in_a_layer_beats_false_in_all_below(
        self, server: MailServer, open_adapter: OpenAdapter, layer: str, axis: str
    ) -> None:
        """An axis that a higher layer turns on is on, though the route and every lower layer turn it off."""
        adapter = open_adapter(QUIET)
        send_with(adapter, axis, {name: name == layer for name in LAYERS[: LAYERS.index(layer) + 1]})
        assert is_tracked(server.received[0], axis)
        assert not is_tracked(server.received[0], "clicks" if axis == "opens" else "opens")

    @pytest.mark.parametrize("layer", LAYERS)
    def test_any_layer_names_the_route(self, server: MailServer, open_adapter: OpenAdapter, layer: str) -> None:
        """Context, header, attribute and keyword can each choose the route, whose word then counts."""
        routes = {**QUIET["routes"], "news": {"track_opens": True, "consent": "required"}}  # type: ignore[dict-item]
        adapter = open_adapter({**QUIET, "routes": routes})
        draft = Draft(
            headers={"X-Mailnod-Route": "news"} if layer == "header" else {},
            attributes={"route": "news"} if layer == "attribute" else {},
        )
        with tracking(route="news") if layer == "context" else nullcontext():
            adapter.send(adapter.build(draft), **({"route": "news"} if layer == "keyword" else {}))
        assert is_tracked(server.received[0], "opens")
        assert adapter.tracker.store.get_deliveries()[0].decision.route == "news"

    def test_a_route_that_does_not_exist_tracks_nothing(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A misspelt route name turns tracking off and lets the mail go."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft()), route="newz")
        assert server.received[0].html == HTML

    def test_a_denial_beats_every_layer(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """Where the recipient has denied consent, no override turns tracking on."""
        adapter = open_adapter(source=OFF_ANSWERS["denied"])
        for axis in ("opens", "clicks"):
            send_with(adapter, axis, dict.fromkeys(LAYERS, True))
        assert [mail.html for mail in server.received] == [HTML, HTML]

    def test_campaign_tags_and_metadata_are_kept_with_the_delivery(self, open_adapter: OpenAdapter) -> None:
        """What overrides say of a message stands in the store, the keyword's word before the attribute's."""
        adapter = open_adapter()
        attributes = {"campaign": "spring", "tags": ["a", "b"], "metadata": {"run": "7"}}
        adapter.send(adapter.build(Draft(attributes=attributes)), campaign="autumn")
        (delivery,) = adapter.tracker.store.get_deliveries()
        assert delivery.envelope.campaign == "autumn"
        assert delivery.envelope.tags == ("a", "b")
        assert delivery.envelope.metadata == {"run": "7"}
        assert delivery.envelope.subject == "Weekly"

    def test_an_unknown_keyword_is_refused_with_the_nearest_known_one(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A misspelt override keyword raises TypeError that names the right one, and nothing is sent."""
        adapter = open_adapter()
        message = adapter.build(Draft())
        with pytest.raises(TypeError, match="track_opens"):
            adapter.send(message, track_open=False)
        with pytest.raises(TypeError, match="'no'"):
            adapter.send(message, track_opens="no")
        assert server.received == []

    def test_an_attribute_that_cannot_be_read_means_off(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A wrong value that was set on a message later turns tracking off and lets the mail go."""
        adapter = open_adapter()
        message = adapter.build(Draft())
        message.track_clicks = "sometimes"
        adapter.send(message)
        assert server.received[0].html == HTML

    # -- headers ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("value", ["", "maybe", "tru", "1,0", "\N{FULLWIDTH DIGIT ONE}"])
    def test_a_header_that_cannot_be_read_means_off(
        self, server: MailServer, open_adapter: OpenAdapter, value: str
    ) -> None:
        """Doubt about a header of ours is no tracking on its axis."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft(headers={"X-Mailnod-Track-Opens": value})))
        assert not is_tracked(server.received[0], "opens")
        assert is_tracked(server.received[0], "clicks")

    @pytest.mark.parametrize("case", ["tracked", "denied", "failing", "text alone"])
    def test_our_headers_never_reach_the_wire(
        self, server: MailServer, open_adapter: OpenAdapter, tmp_path: Path, case: str
    ) -> None:
        """X-Mailnod-* headers are taken off whether the mail is tracked or not; other headers stay."""
        settings = {**TRACKS, **(unusable_store(tmp_path) if case == "failing" else {})}
        adapter = open_adapter(settings, source=OFF_ANSWERS["denied"] if case == "denied" else GRANTED)
        own = {"X-Mailnod-Track-Clicks": "true", "x-mailnod-anything": "1", "X-Kept": "yes"}
        draft = Draft(headers=own, html=None if case == "text alone" else HTML)
        adapter.send(adapter.build(draft))
        names = [name.lower() for name in server.received[0].message]
        assert not [name for name in names if name.startswith("x-mailnod")]
        assert "x-kept" in names
        assert case == "tracked" or without_own(adapter, server, draft)

    def test_headers_of_other_senders_turn_off_and_travel_on(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """X-PM-TrackOpens and the like turn an axis off, never on, and reach the relay behind us."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft(headers={"X-PM-TrackOpens": "false"})))
        quiet = open_adapter(QUIET)
        quiet.send(quiet.build(Draft(headers={"X-PM-TrackOpens": "true"})))
        off, on = server.received
        assert not is_tracked(off, "opens")
        assert is_tracked(off, "clicks")
        assert off.message["X-PM-TrackOpens"] == "false"
        assert on.html == HTML

    @pytest.mark.parametrize("bad", ["\r\nBcc: three@example.com", "\n", "\r", "\0"])
    @pytest.mark.parametrize("place", ["name", "value"])
    def test_line_breaks_in_our_headers_are_refused(
        self, server: MailServer, open_adapter: OpenAdapter, bad: str, place: str
    ) -> None:
        """CR, LF and NUL in a name or value of ours are refused, and nothing is sent."""
        adapter = open_adapter()
        name, value = ("X-Mailnod-Route" + bad, "x") if place == "name" else ("X-Mailnod-Route", "news" + bad)
        with pytest.raises(self.header_error):
            adapter.send(adapter.build(Draft(headers={name: value})))
        assert server.received == []

    @pytest.mark.parametrize("bad", ["\r\nBcc: three@example.com", "\n", "\0"])
    def test_line_breaks_in_keywords_are_refused(self, server: MailServer, open_adapter: OpenAdapter, bad: str) -> None:
        """CR, LF and NUL in a keyword's text are refused, and nothing is sent."""
        adapter = open_adapter()
        with pytest.raises(ValueError, match="control character"):
            adapter.send(adapter.build(Draft()), campaign="spring" + bad)
        assert server.received == []

    # -- consent ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("answer", OFF_ANSWERS)
    def test_without_a_clear_yes_the_mail_leaves_as_it_came(
        self, server: MailServer, open_adapter: OpenAdapter, answer: str
    ) -> None:
        """Unknown, denied, raising and unreadable consent all mean the same bytes as without Mailnod."""
        assert_leaves_as_it_came(open_adapter(source=OFF_ANSWERS[answer]), server, Draft())

    def test_consent_counts_per_axis(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A recipient who allows clicks alone gets tracked links and no pixel."""
        adapter = open_adapter(source=Source(consent(ConsentState.DENIED, ConsentState.GRANTED)))
        adapter.send(adapter.build(Draft()))
        assert not is_tracked(server.received[0], "opens")
        assert is_tracked(server.received[0], "clicks")

    def test_the_built_in_consent_store_is_asked(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A grant in the store turns tracking on, a later withdrawal off again."""
        adapter = open_adapter(source=None)
        for state in (ConsentState.GRANTED, ConsentState.DENIED):
            record = ConsentRecord(
                recorded_at=adapter.tracker.clock.now(), purpose="statistics", opens=state, clicks=state, source="form"
            )
            adapter.tracker.store.record_consent(ALICE, record)
            adapter.send(adapter.build(Draft()))
        first, second = server.received
        assert is_tracked(first, "opens")
        assert second.html == HTML

    def test_an_assumed_consent_tracks_the_unknown_and_not_the_denied(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A route that answers for consent itself tracks people who were never asked; a denial still wins."""
        routes = {"default": {"track_opens": True, "consent": "assumed"}}
        for answer in ("unknown", "denied"):
            adapter = open_adapter({"base_url": BASE, "routes": routes}, source=OFF_ANSWERS[answer])
            adapter.send(adapter.build(Draft()))
        assert [is_tracked(mail, "opens") for mail in server.received] == [True, False]

    # -- several recipients -------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("place", ["to", "cc", "bcc"])
    def test_recipients_share_one_body_that_is_laid_at_nobodys_door(
        self, server: MailServer, open_adapter: OpenAdapter, place: str
    ) -> None:
        """Where all consent, To, Cc and Bcc get the same body, and its delivery names no single recipient."""
        adapter = open_adapter()
        adapter.send(adapter.build(with_bob(place)))
        (mail,) = server.received
        (delivery,) = adapter.tracker.store.get_deliveries()
        assert set(mail.recipients) == {ALICE, BOB}
        assert len(pixels(mail)) == 1
        assert delivery.recipient is None
        assert set(delivery.envelope.recipients) == {ALICE, BOB}

    @pytest.mark.parametrize("place", ["to", "cc", "bcc"])
    @pytest.mark.parametrize("state", [ConsentState.UNKNOWN, ConsentState.DENIED])
    def test_one_recipient_without_consent_turns_tracking_off_for_all(
        self, server: MailServer, open_adapter: OpenAdapter, place: str, state: ConsentState
    ) -> None:
        """A shared body is tracked only if every recipient has consented, Cc and Bcc included."""
        answers = {ALICE: consent(ConsentState.GRANTED), BOB: consent(state)}
        assert_leaves_as_it_came(open_adapter(source=Source(answers.__getitem__)), server, with_bob(place))

    @pytest.mark.parametrize("place", ["to", "cc", "bcc"])
    def test_split_gives_each_recipient_a_mail_of_their_own(
        self, server: MailServer, open_adapter: OpenAdapter, place: str
    ) -> None:
        """Where the mode is split, each who consented gets a copy whose delivery names them, under equal headers."""
        adapter = open_adapter()
        adapter.send(adapter.build(with_bob(place)), recipient_mode="split")
        assert [mail.recipients for mail in server.received] == [(ALICE,), (BOB,)]
        first, second = server.received
        assert headers(first) == headers(second)
        assert BOB in str(headers(first)) or place == "bcc"
        assert BOB not in first.raw.decode() or place != "bcc"
        named = {delivery.id: delivery.recipient for delivery in adapter.tracker.store.get_deliveries()}
        for mail in server.received:
            (pixel,) = pixels(mail)
            claims = adapter.tracker.keyring.verify(pixel, now=adapter.tracker.clock.now())
            assert named[claims.delivery_id] == mail.recipients[0]

    @pytest.mark.parametrize("place", ["to", "cc", "bcc"])
    def test_split_sends_those_without_consent_the_original(
        self, server: MailServer, open_adapter: OpenAdapter, place: str
    ) -> None:
        """A recipient who has not consented gets the mail as it came, and does not keep others from being tracked."""
        answers = {ALICE: consent(ConsentState.GRANTED), BOB: None}
        adapter = open_adapter(source=Source(answers.__getitem__))
        adapter.send(adapter.build(with_bob(place)), recipient_mode="split")
        by_recipient = {mail.recipients: mail for mail in server.received}
        assert by_recipient[BOB,].html == HTML
        assert is_tracked(by_recipient[ALICE,], "opens")

    # -- text and tests -----------------------------------------------------------------------------------------------

    def test_plain_text_is_tracked_only_where_the_route_says_so(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """Links in the text part are left alone unless the route opts in."""
        for text_clicks in (False, True):
            routes = {"default": {**TRACKS["routes"]["default"], "text_clicks": text_clicks}}  # type: ignore[index]
            adapter = open_adapter({**TRACKS, "routes": routes})
            adapter.send(adapter.build(Draft()))
        texts = [str(mail.message.get_body(("plain",)).get_content()) for mail in server.received]  # type: ignore[union-attr]
        assert texts[0].strip() == Draft().text
        assert texts[1].startswith(f"The text part: {BASE}/c/")

    def test_short_links_lead_on_and_count_where_the_route_asks_for_them(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A short link holds no destination, redirects as long as its store is there, and is a click like any other."""
        routes = {"default": {**TRACKS["routes"]["default"], "link_style": "short"}}  # type: ignore[index]
        adapter = open_adapter({**TRACKS, "routes": routes})
        adapter.send(adapter.build(Draft()))
        (mail,) = server.received
        (path,) = re.findall(rf"{BASE}(/c/[^\"]*)", mail.html)
        assert re.fullmatch(r"/c/[\w-]{32}\.0", path)
        assert get(adapter.tracker, f"/t{path}") == ("302 Found", LINK)
        assert get(adapter.tracker, f"/t{path[:-1]}1") == ("404 Not Found", None)
        (delivery,) = adapter.tracker.store.get_deliveries()
        adapter.tracker.work_once()
        (due,) = adapter.tracker.store.get_due(now=adapter.tracker.clock.now() + timedelta(minutes=1))
        assert (due.delivery_id, due.hit.link_index, due.hit.url) == (delivery.id, 0, LINK)

    def test_a_test_is_tracked_and_not_counted(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """Mail that is called a test carries pixel and links, and no number moves."""
        adapter = open_adapter()
        with tracking(test=True):
            adapter.send(adapter.build(Draft()))
        assert is_tracked(server.received[0], "opens")
        (metrics,) = adapter.tracker.store.get_metrics()
        assert metrics.deliveries == 0

    # -- failure ------------------------------------------------------------------------------------------------------

    def test_a_store_that_cannot_be_opened_costs_tracking_and_not_mail(
        self, server: MailServer, open_adapter: OpenAdapter, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Mail leaves as it came, and an outage is logged once however many mails it costs."""
        adapter = open_adapter({**TRACKS, **unusable_store(tmp_path)})
        with caplog.at_level(logging.WARNING, logger="mailnod"):
            for _ in range(3):
                assert_leaves_as_it_came(adapter, server, Draft())
        lines = [record for record in caplog.records if record.name.startswith("mailnod")]
        assert len(lines) == 1
        assert ALICE not in caplog.text

    def test_html_that_cannot_be_rewritten_leaves_as_it_came(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """Where the rewriter refuses an HTML text, the original goes out."""
        assert_leaves_as_it_came(open_adapter(), server, Draft(html="<a href='https://shop.example/'>x</a>\n" * 20_000))

    def test_a_refused_mail_is_failed_and_the_error_reaches_the_caller(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """What the mail server says comes out of send(), and the delivery is marked failed."""
        adapter = open_adapter()
        server.answer = "554 refused"
        with pytest.raises(Exception, match="554"):
            adapter.send(adapter.build(Draft()))
        (delivery,) = adapter.tracker.store.get_deliveries()
        assert delivery.state is DeliveryState.FAILED

    # -- campaigns ----------------------------------------------------------------------------------------------------

    def test_a_campaign_is_on_disk_before_its_first_mail_leaves(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """All deliveries of a call are written together first, each mail has its own, and all are accepted after."""
        adapter, written = open_adapter(), list[int]()
        server.on_mail = lambda: written.append(len(adapter.tracker.store.get_deliveries()))
        people = [f"{name}@example.com" for name in "abcd"]
        adapter.send_many([adapter.build(Draft(to=[person])) for person in people])
        assert written == [4] * 4
        deliveries = {delivery.id: delivery for delivery in adapter.tracker.store.get_deliveries()}
        assert {delivery.state for delivery in deliveries.values()} == {DeliveryState.ACCEPTED}
        for mail, person in zip(server.received, people, strict=True):
            claims = adapter.tracker.keyring.verify(pixels(mail)[0], now=adapter.tracker.clock.now())
            assert mail.recipients == (person,)
            assert deliveries[claims.delivery_id].recipient == person

    def test_a_campaign_of_more_than_a_batch_leaves_whole_and_in_order(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """Batches follow each other over one connection, and nothing is left out."""
        adapter = open_adapter()
        people = [f"{number}@example.com" for number in range(205)]
        adapter.send_many([adapter.build(Draft(to=[person])) for person in people])
        assert [mail.recipients for mail in server.received] == [(person,) for person in people]
        assert all(is_tracked(mail, "opens") for mail in server.received)
        assert adapter.tracker.store.get_metrics()[0].deliveries == 205

    def test_a_refusal_in_a_campaign_leaves_right_states(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """What left before is accepted; what was refused, and what never left for it, is failed."""
        adapter = open_adapter()
        server.refuses = BOB
        with pytest.raises(Exception, match="554"):
            adapter.send_many([adapter.build(Draft(to=[person])) for person in (ALICE, BOB, "three@example.com")])
        states = {delivery.recipient: delivery.state.value for delivery in adapter.tracker.store.get_deliveries()}
        assert states == {ALICE: "accepted", BOB: "failed", "three@example.com": "failed"}
        assert [mail.recipients for mail in server.received] == [(ALICE,)]

    def test_a_campaign_takes_consent_and_wishes_of_each_mail(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """One call holds mail that is tracked and mail that is not, each by its own recipient and attributes."""
        adapter = open_adapter(source=Source({ALICE: consent(ConsentState.GRANTED), BOB: None}.__getitem__))
        drafts = [Draft(), Draft(to=[BOB]), Draft(attributes={"track_opens": False}), Draft(html=None)]
        adapter.send_many([adapter.build(draft) for draft in drafts])
        assert [bool(pixels(mail)) for mail in server.received] == [True, False, False, False]
        assert [bool(links(mail)) for mail in server.received] == [True, False, True, False]

    def test_a_store_that_cannot_be_opened_costs_a_campaign_its_tracking(
        self, server: MailServer, open_adapter: OpenAdapter, tmp_path: Path
    ) -> None:
        """Without a store every mail of a call leaves as it came."""
        adapter = open_adapter({**TRACKS, **unusable_store(tmp_path)})
        adapter.send_many([adapter.build(Draft(to=[person])) for person in (ALICE, BOB)])
        assert [mail.html for mail in server.received] == [HTML, HTML]

    @pytest.mark.parametrize("text", ["plain ASCII", "Grüße — “quoted”", "Предложения недели", "日本語のメール"])
    @pytest.mark.parametrize("attached", [False, True])
    def test_a_body_that_comes_again_has_the_bytes_that_the_framework_makes(
        self, server: MailServer, open_adapter: OpenAdapter, text: str, attached: bool
    ) -> None:
        """From the third mail of a body on its HTML is filled in as bytes, and not one differs for it."""
        adapter = open_adapter()
        rows = "".join(
            f'<p>{text * number}</p>\n<a href="https://shop.example/{number}?a=1&amp;b=2">{text}</a>\n'
            for number in range(7)
        )
        picture = [Attached(name="logo.png", type="image/png", data=PNG)] if attached else []
        draft = Draft(html=f"<html><body>\n{rows}</body></html>", attached=picture)
        for _ in range(2):
            adapter.send(adapter.build(draft))
        adapter.send_many([adapter.build(draft) for _ in range(3)])
        sent = list(server.received)
        assert len({pixels(mail)[0] for mail in sent}) == 5
        for mail in sent:
            adapter.send_plainly(adapter.build(replace(draft, html=mail.html)))
            assert mask_boundaries(mail) == mask_boundaries(server.received[-1])

    # -- the caller's message -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("answer", ["granted", *OFF_ANSWERS])
    def test_the_callers_message_is_never_changed(
        self, server: MailServer, open_adapter: OpenAdapter, answer: str
    ) -> None:
        """Whatever happens to the copy, the message that was given stays as it was, lists and dicts included."""
        adapter = open_adapter(source=OFF_ANSWERS.get(answer, GRANTED))
        message = adapter.build(
            Draft(
                headers={"X-Mailnod-Track-Opens": "true", "X-Kept": "yes"},
                attributes={"tags": ["a"]},
                attached=[Attached(name="logo.png", type="image/png", data=PNG, content_id="<logo>")],
            )
        )
        before = adapter.snapshot(message)
        adapter.send(message)
        assert adapter.snapshot(message) == before

    def test_a_message_that_is_sent_twice_has_two_deliveries(
        self, server: MailServer, open_adapter: OpenAdapter
    ) -> None:
        """A loop that sends one message again gets a token of its own each time."""
        adapter = open_adapter()
        message = adapter.build(Draft())
        adapter.send(message)
        adapter.send(message)
        first, second = (pixels(mail) for mail in server.received)
        assert len(first) == len(second) == 1
        assert first != second

    def test_what_is_tracked_already_is_not_tracked_again(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """Tracked HTML that comes through a second time, by a queue or a second tracker, keeps its links."""
        adapter = open_adapter()
        adapter.send(adapter.build(Draft()))
        adapter.send(adapter.build(Draft(html=server.received[0].html)))
        first, second = server.received
        assert links(second) == links(first)

    # -- the wire -----------------------------------------------------------------------------------------------------

    def test_longer_links_break_no_line_limit(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """Lines stay within 998 octets (RFC 5321) though tracked links are longer, and the text stays the same."""
        adapter = open_adapter()
        row = "".join(f'<a href="https://shop.example/{n}">ä{n}</a>' for n in range(20))
        html = f"<body>{row}\n{row}</body>"
        assert max(map(len, html.encode().splitlines())) < 998
        draft = Draft(html=html, subject="Grüße", text="Grüße\n" + "x = 1; " * 40)
        adapter.send(adapter.build(draft))
        (mail,) = server.received
        text = mail.message.get_body(("plain",))
        assert mail.message["Subject"] == draft.subject
        assert text is not None
        assert text.get_content().replace("\r\n", "\n").rstrip("\n") == draft.text
        assert max(len(line) for line in mail.raw.split(b"\r\n")) <= 998
        assert [url for _, url in links(mail)] == [f"https://shop.example/{n}" for n in range(20)] * 2
        assert unescape(re.sub(r"<[^>]*>", "", mail.html)) == unescape(re.sub(r"<[^>]*>", "", html))

    def test_line_limits_do_not_change_untracked_mail(self, server: MailServer, open_adapter: OpenAdapter) -> None:
        """A long line of the sender's own leaves as it came where nothing is tracked."""
        assert_leaves_as_it_came(open_adapter(QUIET), server, Draft(html=f"<body>{'x' * 2000}</body>"))


# -- what the rules are written with ----------------------------------------------------------------------------------


def pixels(mail: Received) -> list[str]:
    """Return the token of each pixel."""
    return re.findall(rf'<img src="{BASE}/o/([\w-]{{32}})\.gif"', mail.html)


def links(mail: Received) -> list[tuple[str, str]]:
    """Return token and destination of each tracked link."""
    found = re.findall(rf"""href=["']{BASE}/c/([\w-]{{32}})\.\d+\.[\w-]+\?u=([^"']*)""", mail.html)
    return [(token, unquote(unescape(url))) for token, url in found]


def is_tracked(mail: Received, axis: str) -> bool:
    """Return whether an axis is tracked in a mail."""
    return bool(pixels(mail) if axis == "opens" else links(mail))


def send_with(adapter: MailAdapter, axis: str, wishes: Mapping[str, bool]) -> None:
    """Send a mail on which each named layer says what it wishes of an axis."""
    name = f"track_{axis}"
    header = {f"X-Mailnod-Track-{axis.title()}": str(wishes["header"]).lower()} if "header" in wishes else {}
    attributes = {name: wishes["attribute"]} if "attribute" in wishes else {}
    message = adapter.build(Draft(headers=header, attributes=attributes))
    with tracking(**{name: wishes["context"]}) if "context" in wishes else nullcontext():
        adapter.send(message, **({name: wishes["keyword"]} if "keyword" in wishes else {}))


def get(tracker: Tracker, path: str) -> tuple[str, str | None]:
    """Ask an app that the tracker wraps for a path, and return its status and where it redirects to."""
    replies: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
        replies.append((status, dict(headers)))

    environ: dict[str, Any] = {"PATH_INFO": path, "REMOTE_ADDR": "203.0.113.9"}
    setup_testing_defaults(environ)

    # Only a tracking path is answered; anything else would reach an app that fails.
    list(tracker.wrap_wsgi(lambda *_: pytest.fail("no hit"))(environ, start))
    ((status, headers),) = replies
    return status, headers.get("Location")


def assert_leaves_as_it_came(adapter: MailAdapter, server: MailServer, draft: Draft) -> None:
    """Assert that a mail's bytes on the wire are those that the framework alone would send."""
    message = adapter.build(draft)
    # MIME boundaries are drawn from this generator.
    random.seed(7)
    adapter.send(message)
    random.seed(7)
    adapter.send_plainly(message)
    ours, plain = server.received[-2:]
    assert ours.raw == plain.raw
    assert ours.recipients == plain.recipients


def without_own(adapter: MailAdapter, server: MailServer, draft: Draft) -> bool:
    """Return whether the last mail is, to the byte, the draft without our headers as the framework sends it."""
    headers = {name: value for name, value in draft.headers.items() if not name.lower().startswith("x-mailnod")}
    adapter.send_plainly(adapter.build(Draft(html=draft.html, headers=headers)))
    ours, plain = server.received[-2:]
    return mask_boundaries(ours) == mask_boundaries(plain)


def mask_boundaries(mail: Received) -> bytes:
    """Return a mail's bytes with its MIME boundaries numbered."""
    raw = mail.raw
    for number, boundary in enumerate(dict.fromkeys(re.findall(rb'boundary="([^"]+)"', raw))):
        raw = raw.replace(boundary, b"boundary-%d" % number)
    return raw


def unusable_store(tmp_path: Path) -> dict[str, Any]:
    """Return settings with a database that lies below a plain file."""
    (tmp_path / "file").touch()
    return {"database": tmp_path / "file" / "mailnod.db"}


def with_bob(place: str) -> Draft:
    """Return a mail to two people, the second of whom stands in To, Cc or Bcc."""
    others = {place: (BOB,)} if place != "to" else {"to": (ALICE, BOB)}
    return Draft(**others)


def walk(mail: Received) -> list[Any]:
    """Return every part of a mail, containers included."""
    return list(mail.message.walk())


def shape(part: Any) -> tuple[object, ...]:
    """Return what a part is, without its content."""
    return part.get_content_type(), part.get_filename(), part["Content-ID"], part.get_content_disposition()


def without_html_body(mail: Received) -> list[bytes]:
    """Return the content of every part but the containers and the HTML body."""
    body = mail.message.get_body(("html",))
    kept = [part for part in walk(mail) if not part.is_multipart() and part.get_filename() is None]
    named = [part.get_payload(decode=True) for part in walk(mail) if part.get_filename() is not None]
    texts = [part.get_payload(decode=True) for part in kept if part.get_content_type() != "text/html"]
    assert body is not None
    return [*texts, *named]


def headers(mail: Received) -> list[tuple[str, str]]:
    """Return the headers of a mail, without the boundary in the type."""
    return [(name, str(value)) for name, value in mail.message.items() if name.lower() != "content-type"]
