"""Preparing a message for sending."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mailnod.errors import StoreUnavailableError
from mailnod.hookspecs import hookimpl
from mailnod.model import Consent, ConsentRecord, ConsentState, Delivery, Envelope, KeptBody, Link, Mode, Override
from mailnod.plugins import Plugins
from mailnod.send.policy import Layers
from mailnod.send.prepare import Draft, Mailing, Prepared, Preparer
from mailnod.settings import Settings
from mailnod.store.sqlite import SQLiteStore
from mailnod.tokens import Keyring

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HTML = '<html><body><p>Hi</p><a href="https://shop.example/?a=1&amp;b=2">Offer</a></body></html>'
BASE = "https://track.example/t"


class Everyone:
    """A consent source that says the same of everybody."""

    def __init__(self, state: ConsentState = ConsentState.GRANTED) -> None:
        self.state = state

    @hookimpl
    def get_consent(self) -> Consent:
        return Consent(opens=self.state, clicks=self.state, source="test")


class House:
    """A preparer with a real store."""

    def __init__(self, folder: Path, *plugins: object, store: SQLiteStore | None = None, **settings: Any) -> None:
        config = {"base_url": BASE, "routes": {"news": {"track_opens": True, "track_clicks": True}}, **settings}
        config = {f"MAILNOD_{key.upper()}": value for key, value in config.items() if value is not None}
        self.keyring = Keyring.parse("0:signing:x")
        self.store = store or SQLiteStore(folder / "mailnod.db")
        self.preparer = Preparer(
            settings=Settings.from_mapping(config),
            keyring=self.keyring,
            plugins=Plugins(plugins or [Everyone()], load_entry_points=False),
            store=self.store,
        )

    def prepare(self, *parts: str, recipients: tuple[str, ...] = ("r@example.com",), **keywords: Any) -> Prepared:
        return self.preparer.prepare(self.draft(*parts, recipients=recipients), layers=self.layers(**keywords))

    def draft(
        self, *parts: str, recipients: tuple[str, ...] = ("r@example.com",), texts: tuple[str, ...] = ()
    ) -> Draft:
        envelope = Envelope(message_id="<1@example.com>", recipients=recipients, sent_at=NOW)
        return Draft(envelope=envelope, parts=parts or (HTML,), texts=texts)

    def layers(self, **keywords: Any) -> Layers:
        return [("keyword", Override(**{"route": "news", **keywords}))]

    def deliveries(self) -> list[Delivery]:
        return self.store.get_deliveries()


def test_consented_mail_is_rewritten_and_written_down(tmp_path: Path) -> None:
    """The copy carries pixel and link, and its delivery is in the store before it leaves."""
    house = House(tmp_path)
    prepared = house.prepare(campaign="spring", tags=("a",), metadata={"k": "v"})
    assert prepared.changed
    assert f"{BASE}/o/" in prepared.parts[0]
    assert f"{BASE}/c/" in prepared.parts[0]
    (delivery,) = house.deliveries()
    assert delivery == prepared.delivery
    assert delivery.link_count == 1
    assert (delivery.envelope.campaign, delivery.envelope.tags) == ("spring", ("a",))
    assert prepared.plans[0].restore(prepared.parts[0]) == HTML


def test_token_of_the_copy_names_its_delivery(tmp_path: Path) -> None:
    """What the pixel says is what the store knows."""
    house = House(tmp_path)
    prepared = house.prepare()
    token = prepared.parts[0].partition("/o/")[2][:32]
    claims = house.keyring.verify(token, now=NOW)
    assert prepared.delivery is not None
    assert claims.delivery_id == prepared.delivery.id
    assert (claims.opens, claims.clicks) == (Mode.INDIVIDUAL, Mode.INDIVIDUAL)
    assert 30 <= (claims.expires_at - NOW).days <= 31


def test_each_send_of_one_message_is_its_own_delivery(tmp_path: Path) -> None:
    """A message that is sent twice keeps its Message-ID and gets two delivery ids."""
    house = House(tmp_path)
    first, second = house.prepare(), house.prepare()
    assert first.delivery is not None
    assert second.delivery is not None
    assert first.delivery.id != second.delivery.id
    assert len(house.deliveries()) == 2


@pytest.mark.parametrize("state", [ConsentState.DENIED, ConsentState.UNKNOWN])
def test_mail_without_consent_is_the_same_text(tmp_path: Path, state: ConsentState) -> None:
    """Without a clear grant the parts are the very ones that came, and nothing is stored."""
    house = House(tmp_path, Everyone(state))
    prepared = house.prepare()
    assert prepared.parts[0] is HTML
    assert prepared.delivery is None
    assert not prepared.changed
    assert house.deliveries() == []


def test_untracked_route_touches_neither_store_nor_consent(tmp_path: Path) -> None:
    """Mail that nobody wants tracked asks nobody and opens no file."""

    class Never:
        @hookimpl
        def get_consent(self) -> Consent:
            raise AssertionError

    house = House(tmp_path, Never())
    prepared = house.prepare(track_opens=False, track_clicks=False)
    assert prepared.parts[0] is HTML
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keywords", "settings", "reason"),
    [
        ({"route": "nwes"}, {}, "unknown route 'nwes': did you mean 'news'?"),
        ({"route": "default", "track_opens": True}, {"base_url": None, "routes": {}}, "MAILNOD_BASE_URL is not set"),
    ],
)
def test_wrong_wish_is_no_tracking(tmp_path: Path, keywords: Any, settings: Any, reason: str) -> None:
    """A wish that cannot be met leaves the mail untracked and says why."""
    prepared = House(tmp_path, **settings).prepare(**keywords)
    assert prepared.parts == (HTML,)
    assert reason in prepared.decision.reasons


@pytest.mark.parametrize("parts", [("",), ("", "")])
def test_empty_parts_stay_empty(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """There is nothing to track in a message without HTML."""
    assert House(tmp_path).prepare(*parts).parts == parts


def test_axis_without_a_place_is_off(tmp_path: Path) -> None:
    """Where the HTML has no link, the delivery does not count as one that carried links."""
    prepared = House(tmp_path).prepare("<html><body>Hi</body></html>")
    assert prepared.delivery is not None
    assert (prepared.decision.opens, prepared.decision.clicks) == (Mode.INDIVIDUAL, Mode.NONE)
    assert prepared.delivery.decision == prepared.decision


def test_html_without_any_place_is_left_alone(tmp_path: Path) -> None:
    """Where there is neither a link nor a place for a pixel, nothing is stored."""
    html = '<html><head></head><frameset cols="*"><frame src="https://f.example/"></frameset></html>'
    house = House(tmp_path)
    assert house.prepare(html).parts[0] is html
    assert house.deliveries() == []


def test_several_html_parts_share_one_delivery(tmp_path: Path) -> None:
    """Alternatives of one message carry the same token and count as one."""
    prepared = House(tmp_path).prepare(HTML, HTML.replace("Hi", "Ho"))
    tokens = {part.partition("/o/")[2][:32] for part in prepared.parts}
    assert len(tokens) == 1


def test_one_recipient_without_consent_keeps_a_shared_body_untracked(tmp_path: Path) -> None:
    """A body that several people share is tracked only if every one of them has consented (P8)."""

    class OnlyFirst:
        @hookimpl
        def get_consent(self, recipient: str) -> Consent | None:
            granted = ConsentState.GRANTED
            return Consent(opens=granted, clicks=granted) if recipient == "a@example.com" else None

    house = House(tmp_path, OnlyFirst())
    assert house.prepare(recipients=("a@example.com",)).changed
    assert not house.prepare(recipients=("a@example.com", "b@example.com")).changed


def test_shared_body_belongs_to_no_single_person(tmp_path: Path) -> None:
    """Events of a shared body are never laid at one person's door."""
    prepared = House(tmp_path).prepare(recipients=("a@example.com", "b@example.com"))
    assert prepared.delivery is not None
    assert prepared.delivery.recipient is None


def test_plugins_have_their_say(tmp_path: Path) -> None:
    """A plugin may choose the route, refuse a link, change a destination, and hears of the result."""

    class Plugin:
        heard: list[str]

        def __init__(self) -> None:
            self.heard = []

        @hookimpl
        def get_route(self, envelope: Envelope) -> str:
            return "news"

        @hookimpl
        def allow_link(self, link: Link) -> bool:
            return "refuse" not in link.url

        @hookimpl
        def change_url(self, url: str) -> str:
            return f"{url}&utm_source=mail"

        @hookimpl
        def message_prepared(self, envelope: Envelope, plan: Any, decision: Any) -> None:
            self.heard.append(envelope.message_id)

    plugin = Plugin()
    house = House(tmp_path, Everyone(), plugin)
    html = HTML + '<a href="https://refuse.example/">x</a>'
    prepared = house.prepare(html, route=None)
    assert "utm_source%3Dmail" in prepared.parts[0]
    assert 'href="https://refuse.example/"' in prepared.parts[0]
    assert plugin.heard == ["<1@example.com>"]
    assert prepared.plans[0].restore(prepared.parts[0]) == html


def test_plugin_that_raises_leaves_the_link_alone(tmp_path: Path) -> None:
    """A raising decision hook counts as the safe answer."""

    class Raises:
        @hookimpl
        def allow_link(self, link: Link) -> bool:
            raise RuntimeError

    prepared = House(tmp_path, Everyone(), Raises()).prepare()
    assert prepared.decision.clicks is Mode.NONE
    assert 'href="https://shop.example/?a=1&amp;b=2"' in prepared.parts[0]


def test_body_that_comes_again_is_not_compiled_again(tmp_path: Path) -> None:
    """Messages with one body share its plan and differ in nothing but their token."""
    house = House(tmp_path)
    first, second = house.prepare(), house.prepare(recipients=("s@example.com",))
    assert first.plans[0] is second.plans[0]
    tokens = [prepared.parts[0].partition("/o/")[2][:32] for prepared in (first, second)]
    assert first.parts[0].replace(tokens[0], tokens[1]) == second.parts[0]


def test_plans_are_not_shared_where_a_plugin_may_look_at_the_envelope(tmp_path: Path) -> None:
    """What a plugin says of one message does not hold for the next."""

    class OnlyFirst:
        @hookimpl
        def allow_link(self, envelope: Envelope) -> bool:
            return envelope.recipients == ("a@example.com",)

    house = House(tmp_path, Everyone(), OnlyFirst())
    assert house.prepare(recipients=("a@example.com",)).decision.clicks is Mode.INDIVIDUAL
    assert house.prepare(recipients=("b@example.com",)).decision.clicks is Mode.NONE


class OnlyFirst:
    """A consent source that knows one address alone."""

    @hookimpl
    def get_consent(self, recipient: str) -> Consent | None:
        granted = ConsentState.GRANTED
        return Consent(opens=granted, clicks=granted) if recipient == "a@example.com" else None


def test_split_gives_each_who_may_be_tracked_a_copy_and_the_others_one(tmp_path: Path) -> None:
    """Only those who consented get copies of their own, attributed to them; the rest share the original."""
    house = House(tmp_path, OnlyFirst())
    draft = house.draft(recipients=("b@example.com", "a@example.com", "c@example.com"))
    rest, own = house.preparer.prepare_each(draft, layers=house.layers())
    assert (rest.recipients, rest.parts, rest.delivery) == (("b@example.com", "c@example.com"), (HTML,), None)
    assert own.recipients == ("a@example.com",)
    assert own.delivery is not None
    assert own.delivery.recipient == "a@example.com"


def test_split_copies_differ_in_their_token_alone(tmp_path: Path) -> None:
    """Each recipient's copy has a token of its own, and nothing else of its own."""
    house = House(tmp_path)
    copies = house.preparer.prepare_each(
        house.draft(recipients=("a@example.com", "b@example.com")), layers=house.layers()
    )
    tokens = [copy.parts[0].partition("/o/")[2][:32] for copy in copies]
    assert len(set(tokens)) == 2
    assert copies[0].parts[0].replace(tokens[0], tokens[1]) == copies[1].parts[0]


def test_links_of_plain_text_are_tracked_only_where_the_route_says_so(tmp_path: Path) -> None:
    """Plain text stays as it is unless the route opts in; its links then count on from those of the HTML."""
    text = "See https://shop.example/a (or <https://shop.example/b>)."
    for text_clicks in (False, True):
        (tmp_path / str(text_clicks)).mkdir()
        routes = {"news": {"track_clicks": True, "text_clicks": text_clicks}}
        house = House(tmp_path / str(text_clicks), routes=routes)
        prepared = house.preparer.prepare(house.draft(texts=(text,)), layers=house.layers())
        assert prepared.delivery is not None
        if text_clicks:
            assert prepared.texts[0].count(f"{BASE}/c/") == 2
            assert ".1." in prepared.texts[0]
            assert ".2." in prepared.texts[0]
            assert prepared.delivery.link_count == 3
        else:
            assert prepared.texts == (text,)
            assert prepared.delivery.link_count == 1


def test_own_mailboxes_are_tracked_as_tests(tmp_path: Path) -> None:
    """Mail to test recipients alone needs no consent and is marked; with anyone else among them it is neither."""
    house = House(tmp_path, OnlyFirst(), test_recipients="qa@example.com @lab.example.com")
    for recipients, tracked, test in [
        (("QA@example.com",), True, True),
        (("x@lab.example.com", "qa@example.com"), True, True),
        (("a@example.com",), True, False),
        (("qa@example.com", "a@example.com"), True, False),
        (("qa@example.com", "b@example.com"), False, False),
        (("x@notlab.example.com",), False, False),
    ]:
        delivery = house.prepare(recipients=recipients).delivery
        assert (delivery is not None) is tracked, recipients
        assert delivery is None or delivery.test is test


def test_test_recipient_who_denies_is_not_tracked(tmp_path: Path) -> None:
    """A denial is above everything, the test lane too."""
    house = House(tmp_path, Everyone(ConsentState.DENIED), test_recipients="qa@example.com")
    assert not house.prepare(recipients=("qa@example.com",)).changed


def test_test_override_marks_the_delivery(tmp_path: Path) -> None:
    """A message can be called a test; consent is asked for as ever."""
    delivery = House(tmp_path).prepare(test=True).delivery
    assert delivery is not None
    assert delivery.test


@pytest.mark.parametrize("answer", [RuntimeError(), 5, False])
def test_plugin_that_fails_to_name_the_route_turns_tracking_off(tmp_path: Path, answer: object) -> None:
    """A plugin that keeps some mail off by its route must not open it to tracking when it fails."""

    class Fails:
        @hookimpl
        def get_route(self) -> object:
            if isinstance(answer, Exception):
                raise answer
            return answer

    house = House(tmp_path, Everyone(), Fails(), default_route="news")
    assert not house.prepare(route=None).changed
    assert house.prepare().changed


@pytest.mark.parametrize("answer", [0, "no", [], 1])
def test_answer_that_is_none_leaves_the_link_alone(tmp_path: Path, answer: object) -> None:
    """Only True and silence let a link be tracked."""

    class Odd:
        @hookimpl
        def allow_link(self) -> object:
            return answer

    assert House(tmp_path, Everyone(), Odd()).prepare().decision.clicks is Mode.NONE


def test_store_that_cannot_be_opened_is_an_error_to_the_caller(tmp_path: Path) -> None:
    """What cannot be written down is not sent tracked; the tracker above turns this into untracked mail."""
    (tmp_path / "mailnod.db").mkdir()
    with pytest.raises(StoreUnavailableError):
        House(tmp_path).prepare()


def test_short_links_are_looked_up_in_what_the_delivery_keeps(tmp_path: Path) -> None:
    """On a route with short links the delivery says where each number leads, plain text included."""
    house = House(tmp_path, routes={"news": {"track_clicks": True, "text_clicks": True, "link_style": "short"}})
    prepared = house.preparer.prepare(house.draft(texts=("See https://shop.example/text.",)), layers=house.layers())
    assert prepared.delivery is not None
    destinations = prepared.delivery.destinations
    assert destinations is not None
    assert house.store.get_deliveries()[0].destinations == destinations
    sent = re.findall(r"/c/[\w-]{32}\.(\d+)(?![.\d])", prepared.parts[0]) + re.findall(r"\.(\d+)\.$", prepared.texts[0])
    assert [int(index) for index in sent] == sorted(destinations)
    assert destinations[max(destinations)] == "https://shop.example/text"
    assert "?u=" not in prepared.parts[0] + prepared.texts[0]


def test_parts_that_number_links_differently_keep_portable_ones(tmp_path: Path) -> None:
    """Where one number would lead to two places, every link of the message holds its own destination."""
    house = House(tmp_path, routes={"news": {"track_clicks": True, "link_style": "short"}})
    parts = tuple(f'<a href="https://shop.example/{name}">x</a>' for name in "ab")
    prepared = house.prepare(*parts)
    assert prepared.delivery is not None
    assert prepared.delivery.destinations is None
    assert all("?u=https" in part for part in prepared.parts)


def test_many_messages_are_prepared_in_one_transaction(tmp_path: Path) -> None:
    """Each message of a batch gets what it would get alone, one that fails stays alone with that."""
    house = House(tmp_path)
    drafts = [house.draft(recipients=(f"{name}@example.com",)) for name in "abc"]
    broken = house.draft(object())  # type: ignore[arg-type]  # What no text is.
    mailings = [Mailing(draft, house.layers(), split=False) for draft in (*drafts[:2], broken, drafts[2])]
    outcomes = house.preparer.prepare_all(mailings)
    assert isinstance(outcomes[2], Exception)
    copies = [copy for outcome in outcomes if isinstance(outcome, list) for copy in outcome]
    assert [copy.recipients for copy in copies] == [draft.envelope.recipients for draft in drafts]
    assert len({copy.token for copy in copies}) == 3
    assert [delivery.id for delivery in reversed(house.deliveries())] == [
        copy.delivery.id for copy in copies if copy.delivery
    ]


def test_a_message_that_cannot_be_written_costs_no_other_its_tracking(tmp_path: Path) -> None:
    """Where the store refuses one delivery of a batch, the others are written by themselves."""
    house = House(tmp_path)
    drafts = [house.draft(recipients=(f"{name}@example.com",)) for name in "abc"]
    metadata: Any = {"what no JSON is": {1}}
    drafts[1] = replace(drafts[1], envelope=replace(drafts[1].envelope, metadata=metadata))
    outcomes = house.preparer.prepare_all([Mailing(draft, house.layers(), split=False) for draft in drafts])
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False]
    assert [delivery.recipient for delivery in house.deliveries()] == ["c@example.com", "a@example.com"]


def test_whoever_withdraws_while_a_batch_is_prepared_is_suppressed(tmp_path: Path) -> None:
    """A denial that is recorded after the first of a batch was prepared counts for those written with it."""

    class Withdrawing:
        """Grants, and has the first recipient withdraw when the last is asked."""

        @hookimpl
        def get_consent(self, recipient: str) -> Consent:
            if recipient == "b@example.com":
                denied = ConsentState.DENIED
                record = ConsentRecord(
                    recorded_at=NOW, purpose="statistics", opens=denied, clicks=denied, source="form"
                )
                house.store.record_consent("a@example.com", record)
            return Consent(opens=ConsentState.GRANTED, clicks=ConsentState.GRANTED, source="test")

    house = House(tmp_path, Withdrawing())
    drafts = [house.draft(recipients=(f"{name}@example.com",)) for name in "ab"]
    house.preparer.prepare_all([Mailing(draft, house.layers(), split=False) for draft in drafts])
    first = house.deliveries()[-1]
    assert first.recipient == "a@example.com"
    assert house.store.get_suppressed()[0] == {first.id}


def test_body_that_cannot_be_kept_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Mail is tracked and leaves where its body cannot be kept, and the log says so once for an outage."""
    house = House(tmp_path, routes={"news": {"track_opens": True, "store_bodies_days": 3}})
    assert house.deliveries() == []
    with contextlib.closing(sqlite3.connect(tmp_path / "mailnod.db")) as connection:
        connection.execute("DROP TABLE kept_bodies")
    assert house.prepare().changed
    assert house.prepare().changed
    assert len(house.deliveries()) == 2
    (record,) = caplog.records
    assert record.getMessage().startswith("bodies are not kept: SQLite refused a statement")


def test_store_is_not_asked_where_no_body_is_kept(tmp_path: Path) -> None:
    """A route that says nothing of bodies does nothing for them, and neither does mail that is not tracked."""
    asked: list[object] = []

    class Listening(SQLiteStore):
        """A store that notes what it is to keep."""

        def keep_bodies(self, bodies: Sequence[KeptBody]) -> None:
            """Note it."""
            asked.extend(bodies)

    keeping = {"routes": {"news": {"track_opens": True, "store_bodies_days": 3}}}
    for plugin, settings, count in (
        (Everyone(), {}, 0),
        (Everyone(ConsentState.DENIED), keeping, 0),
        (Everyone(), keeping, 1),
    ):
        house = House(tmp_path, plugin, store=Listening(tmp_path / "mailnod.db"), **settings)
        house.prepare()
        assert len(asked) == count
