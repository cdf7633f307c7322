"""What every store must do, whatever engine it stands on; a store's tests inherit the class and give it a store."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from mailnod.model import (
    HONEYPOT_INDEX,
    Classification,
    Consent,
    ConsentRecord,
    ConsentState,
    Decision,
    Delivery,
    DeliveryState,
    Envelope,
    EventFilter,
    EventRecord,
    Hit,
    Kind,
    Metrics,
    Mode,
    Observation,
    Overflow,
    Publication,
    Term,
    TermField,
    Verdict,
)
from mailnod.store.base import WORKER_LEASE, GroupBy, Store
from mailnod.store.ids import new_id

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SETTLE_S = 60.0
PURPOSE = "statistics"


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after the hour at which everything here begins."""
    return T0 + timedelta(seconds=seconds)


def make_delivery(*recipients: str, at: datetime = T0, **changes: Any) -> Delivery:
    """Make a delivery to the given addresses, tracked on both axes; changes go to whatever type has the field."""
    envelope: dict[str, Any] = {"message_id": f"<{secrets.token_hex(6)}@example.com>", "campaign": "spring"}
    decision: dict[str, Any] = {"opens": Mode.INDIVIDUAL, "clicks": Mode.INDIVIDUAL, "route": "news"}
    delivery: dict[str, Any] = {"link_count": 3}
    for name, value in changes.items():
        of = next(d for d in (Envelope, Decision, Delivery) if name in d.__dataclass_fields__)
        {Envelope: envelope, Decision: decision, Delivery: delivery}[of][name] = value
    return Delivery(
        id=secrets.token_bytes(8),
        envelope=Envelope(recipients=recipients or ("ann@example.com",), sent_at=at, **envelope),
        decision=Decision(reasons=("route 'news': on",), **decision),
        **delivery,
    )


def make_overflow(number: int, *, at: datetime = T0, **changes: Any) -> Overflow:
    """Make a count of hits, whose id is made of a number."""
    fields: dict[str, Any] = {"reason": "token", "key": "", "kind": "open", "first_at": at, "last_at": at, **changes}
    return Overflow(id=number.to_bytes(16), **fields)


def make_observation(delivery_id: bytes, *, at: datetime = T0, kind: Kind = "open", **changes: Any) -> Observation:
    """Make an observation of a hit; changes go to the hit."""
    fields: dict[str, Any] = {
        "method": "GET",
        "ip": "192.0.2.1",
        "user_agent": "Mail/1.0",
        "headers": {"accept": "*/*"},
    }
    if kind == "click":
        fields |= {"link_index": 0, "url": "https://example.com/"}
    hit = Hit(kind=kind, received_at=at, **(fields | changes))
    return Observation(id=new_id(at), hit=hit, delivery_id=delivery_id)


def make_verdict(*, machine: bool = False, **changes: Any) -> Verdict:
    """Make a verdict on a person, or on a machine."""
    verdict = Verdict(
        detected=machine,
        probability=90 if machine else 5,
        classification=Classification.GENERIC_BOT if machine else Classification.GENUINE,
        proxy_type=None,
        reason_codes=("ua.bot",) if machine else (),
        machine=machine,
        counts_for_metrics=not machine,
        device_type=None if machine else "mobile",
        client_type="email_client",
        client_name="Mail",
        ruleset="1",
    )
    return replace(verdict, **changes)


def make_consent(
    opens: ConsentState, clicks: ConsentState | None = None, *, at: datetime = T0, purpose: str = PURPOSE
) -> ConsentRecord:
    """Make a record of consent; clicks stand as opens do unless given."""
    return ConsentRecord(
        recorded_at=at,
        purpose=purpose,
        opens=opens,
        clicks=opens if clicks is None else clicks,
        source="form",
        actor="web",
        text_version="v1",
    )


GRANTED, DENIED, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN


class StoreContract:
    """The suite; a subclass overrides the fixture ``store`` with an empty store of its engine."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError("the subclass gives the store")

    def publish(self, store: Store, *judgements: tuple[Observation, Verdict], at: datetime = T0) -> list[Publication]:
        """Take observations in and publish verdicts on them."""
        store.add_observations([observation for observation, _ in judgements], settle_s=SETTLE_S)
        return store.publish(judgements, now=at)

    def get_line(
        self, store: Store, key: str = "", *, by: GroupBy = "all", of: tuple[str, ...] = ("deliver", "human", "machine")
    ) -> dict[str, int]:
        """Return the counts of one line that are not zero: of deliveries, of people and of machines unless told."""
        (line,) = [line for line in store.get_metrics(by=by, limit=1000) if line.key == key]
        return {
            name: count
            for name in line.__dataclass_fields__
            if name.startswith(of) and (count := getattr(line, name)) != 0
        }

    # -- send ---------------------------------------------------------------------------------------------------------

    def test_delivery_comes_back_as_it_went_in(self, store: Store) -> None:
        """Every field of a delivery survives the store."""
        delivery = make_delivery(
            "Ann@example.com",
            "bo@exämple.com",
            subject="Grüße \N{PARTY POPPER}",
            tags=("a", "b"),
            metadata={"order": "1"},
            at=T0 + timedelta(microseconds=1),
            expires_at=after(60),
        )
        store.add_deliveries([delivery])
        assert store.get_deliveries() == [delivery]

    def test_delivery_added_twice_is_one(self, store: Store) -> None:
        """A delivery that is written again after an uncertain commit changes nothing."""
        delivery = make_delivery(state=DeliveryState.ACCEPTED, accepted_at=T0)
        store.add_deliveries([delivery])
        store.add_deliveries([replace(delivery, link_count=9)])
        assert store.get_deliveries() == [delivery]
        assert self.get_line(store)["deliveries"] == 1

    def test_deliveries_are_listed_newest_first_and_by_message(self, store: Store) -> None:
        """Deliveries come newest first, at most as many as asked for, or those of one message."""
        deliveries = [make_delivery() for _ in range(4)]
        for delivery in deliveries:
            store.add_deliveries([delivery])
        assert store.get_deliveries(limit=3) == deliveries[:0:-1]
        assert store.get_deliveries(message_id=deliveries[1].envelope.message_id) == [deliveries[1]]
        assert store.get_deliveries(message_id="<nobody@example.com>") == []

    def test_deliveries_are_read_page_by_page(self, store: Store) -> None:
        """Who goes on before the last delivery seen sees each once."""
        deliveries = [make_delivery() for _ in range(5)]
        store.add_deliveries(deliveries)
        seen: list[Delivery] = []
        while page := store.get_deliveries(limit=2, before_id=seen[-1].id if seen else None):
            seen += page
        assert seen == deliveries[::-1]
        assert store.get_deliveries(before_id=b"unknown.") == []

    def test_deliveries_are_found_by_recipient(self, store: Store) -> None:
        """An address finds the deliveries that went to it, alone or with others, however it is written."""
        alone, together, other = (
            make_delivery("ann@example.com"),
            make_delivery("bo@example.com", "ann@example.com"),
            make_delivery("cy@example.com"),
        )
        for delivery in (alone, together, other):
            store.add_deliveries([delivery])
        assert store.get_deliveries(recipient="Ann@Example.COM") == [together, alone]
        assert store.get_deliveries(recipient="ann@example.com", message_id=other.envelope.message_id) == []
        assert store.get_deliveries(recipient="nobody@example.com") == []

    def test_broken_text_is_kept_as_far_as_text_goes(self, store: Store) -> None:
        """Lone surrogates and NUL, as broken headers yield them, become question marks and raise nothing."""
        delivery = make_delivery(subject="a\udcff\x00b", metadata={"k": "\udcff"})
        store.add_deliveries([delivery])
        observation = make_observation(delivery.id, user_agent="x\udc80\x00y", headers={"accept": "\udc80"})
        assert store.add_observations([observation], settle_s=0) == [observation]
        (due,) = store.get_due(now=T0)
        assert due.hit.user_agent == "x??y"
        assert store.get_deliveries()[0].envelope.subject == "a??b"

    def test_accepted_delivery_counts_once(self, store: Store) -> None:
        """Acceptance is noted with its time, counts once, and outlives a later failure."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        assert store.get_metrics()[0].deliveries == 0
        store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=after(5))
        store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=after(9))
        store.set_delivery_states([delivery.id], DeliveryState.FAILED, at=after(9))
        (stored,) = store.get_deliveries()
        assert (stored.state, stored.accepted_at) == (DeliveryState.ACCEPTED, after(5))
        counts = {"deliveries": 1, "deliveries_with_pixel": 1, "deliveries_with_links": 1}
        assert self.get_line(store) == counts
        assert self.get_line(store, "spring", by="campaign") == counts
        assert self.get_line(store, "news", by="route") == counts
        assert self.get_line(store, delivery.envelope.message_id, by="message") == counts
        assert self.get_line(store, "2026-03-01T12:00Z", by="hour") == counts

    def test_deliveries_of_a_campaign_are_written_and_counted_together(self, store: Store) -> None:
        """Many deliveries are added, suppressed and accepted as if each came alone, those of tests uncounted."""
        mark = store.get_consent_mark()
        store.record_consent("ann@example.com", make_consent(DENIED))
        ann, bo, both = (
            make_delivery(*to) for to in (["ann@example.com"], ["bo@example.com"], ["bo@x.org", "Ann@example.com"])
        )
        test = replace(make_delivery("cy@example.com"), test=True)
        store.add_deliveries([ann, bo, both, test, bo], consent_mark=mark)
        assert [delivery.id for delivery in store.get_deliveries()] == [test.id, both.id, bo.id, ann.id]
        assert store.get_suppressed()[0] == {ann.id, both.id}
        store.set_delivery_states([ann.id, b"unknown.", bo.id, bo.id, test.id], DeliveryState.ACCEPTED, at=T0)
        store.set_delivery_states([bo.id, both.id], DeliveryState.FAILED, at=T0)
        states = {delivery.id: delivery.state.value for delivery in store.get_deliveries()}
        assert states == {ann.id: "accepted", bo.id: "accepted", both.id: "failed", test.id: "accepted"}
        assert self.get_line(store)["deliveries"] == 2
        assert self.get_line(store, "spring", by="campaign")["deliveries"] == 2

    def test_no_deliveries_are_no_error(self, store: Store) -> None:
        """An empty batch changes nothing."""
        store.add_deliveries([], consent_mark=0)
        store.set_delivery_states([], DeliveryState.ACCEPTED, at=T0)
        assert store.get_deliveries() == []

    def test_deliveries_are_added_whole_or_not_at_all(self, store: Store) -> None:
        """One delivery that cannot be written leaves none of its batch behind."""
        broken: dict[str, str] = {"order": object()}  # type: ignore[dict-item]  # What no store can hold.
        with pytest.raises(TypeError):
            store.add_deliveries([make_delivery(), make_delivery(metadata=broken)])
        assert store.get_deliveries() == []

    def test_failed_delivery_counts_when_it_is_accepted_after_all(self, store: Store) -> None:
        """A failure counts nothing and does not stand in the way of a later success."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        store.set_delivery_states([delivery.id], DeliveryState.FAILED, at=T0)
        assert store.get_deliveries()[0].state is DeliveryState.FAILED
        assert store.get_metrics()[0].deliveries == 0
        store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=T0)
        assert store.get_metrics()[0].deliveries == 1

    def test_unknown_delivery_is_passed_over(self, store: Store) -> None:
        """The state of a delivery that was never stored is no error, because its mail went out untracked."""
        store.set_delivery_states([b"8 bytes."], DeliveryState.ACCEPTED, at=T0)
        assert store.get_metrics()[0].deliveries == 0

    def test_denominators_count_only_what_was_carried(self, store: Store) -> None:
        """Deliveries without a pixel or without tracked links stay out of those denominators."""
        for opens, clicks, links in ((Mode.NONE, Mode.INDIVIDUAL, 2), (Mode.INDIVIDUAL, Mode.INDIVIDUAL, 0)):
            delivery = make_delivery(opens=opens, clicks=clicks, link_count=links)
            store.add_deliveries([delivery])
            store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=T0)
        assert self.get_line(store) == {"deliveries": 2, "deliveries_with_pixel": 1, "deliveries_with_links": 1}

    # -- consent ------------------------------------------------------------------------------------------------------

    def test_consent_is_unknown_until_recorded(self, store: Store) -> None:
        """Nobody has consented by default, and a purpose says nothing of another."""
        assert store.get_consent("ann@example.com", purpose=PURPOSE) == Consent()
        store.record_consent("ann@example.com", make_consent(GRANTED))
        assert store.get_consent("ann@example.com", purpose="profiling") == Consent()
        assert store.get_consent("bo@example.com", purpose=PURPOSE) == Consent()

    def test_latest_record_speaks(self, store: Store) -> None:
        """The last record of a purpose holds, per axis, and the history keeps all of them in order."""
        records = [
            make_consent(GRANTED, at=T0),
            make_consent(GRANTED, DENIED, at=after(1)),
            make_consent(UNKNOWN, GRANTED, at=after(2)),
        ]
        for record in records:
            store.record_consent("ann@example.com", record)
            consent = store.get_consent("ann@example.com", purpose=PURPOSE)
            assert (consent.opens, consent.clicks, consent.source) == (record.opens, record.clicks, "form")
        assert store.get_consent_history("ann@example.com") == records

    def test_older_grant_does_not_undo_a_denial(self, store: Store) -> None:
        """An import of old grants leaves a denial of a later date in force."""
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(60)))
        store.record_consent("ann@example.com", make_consent(GRANTED, at=T0))
        assert store.get_consent("ann@example.com", purpose=PURPOSE).opens is DENIED
        store.record_consent("ann@example.com", make_consent(GRANTED, at=after(120)))
        assert store.get_consent("ann@example.com", purpose=PURPOSE).opens is GRANTED

    def test_axis_that_is_not_named_stays_as_it_is(self, store: Store) -> None:
        """A record of one axis leaves the other as it stands when it is written, and the history says how it stood."""
        store.record_consent("ann@example.com", make_consent(GRANTED))
        only_opens = replace(make_consent(DENIED, at=after(2)), clicks=None)
        store.record_consent("ann@example.com", make_consent(GRANTED, DENIED, at=after(1)))
        written = store.record_consent("ann@example.com", only_opens)
        consent = store.get_consent("ann@example.com", purpose=PURPOSE)
        assert (consent.opens, consent.clicks) == (DENIED, DENIED)
        assert store.get_consent_history("ann@example.com")[-1] == written == replace(only_opens, clicks=DENIED)
        only_clicks = replace(make_consent(GRANTED, purpose="profiling"), opens=None)
        assert store.record_consent("ann@example.com", only_clicks).opens is UNKNOWN

    @pytest.mark.parametrize(
        "spelling",
        [
            "ANN@EXAMPLE.COM",
            "Ann Other <ann@example.com>",
            '"a > b" <ann@example.com>',
            " ann@example.com ",
            "ann@example.com.",
        ],
    )
    def test_one_address_has_one_history(self, store: Store, spelling: str) -> None:
        """Case, display name and a root dot do not make another person."""
        store.record_consent("ann@example.com", make_consent(DENIED))
        assert store.get_consent(spelling, purpose=PURPOSE).opens is DENIED

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            ("jo@bücher.example", "jo@xn--bcher-kva.example"),
            ("jo@BÜCHER.example", "jo@bu\N{COMBINING DIAERESIS}cher.example"),
            ("josé@example.com", "JOSE\N{COMBINING ACUTE ACCENT}@example.com"),
        ],
    )
    def test_international_spellings_are_one_address(self, store: Store, left: str, right: str) -> None:
        """An IDNA domain equals its ASCII form, and composed letters equal decomposed ones."""
        store.record_consent(left, make_consent(DENIED))
        assert store.get_consent(right, purpose=PURPOSE).opens is DENIED

    def test_withdrawal_suppresses_what_was_sent(self, store: Store) -> None:
        """A denial on one axis and purpose suppresses every delivery to the address, shared bodies included."""
        alone, shared, other = (
            make_delivery(),
            make_delivery("bo@example.com", "ann@example.com"),
            make_delivery("c@d.e"),
        )
        for delivery in (alone, shared, other):
            store.add_deliveries([delivery])
        assert store.get_suppressed() == (frozenset(), 0)
        store.record_consent("ann@example.com", make_consent(UNKNOWN, DENIED, purpose="profiling", at=after(1)))
        suppressed, cursor = store.get_suppressed()
        assert suppressed == {alone.id, shared.id}
        assert store.get_suppressed(after=cursor) == (frozenset(), cursor)

    def test_cursor_brings_only_what_is_new(self, store: Store) -> None:
        """A collector that asks with its cursor gets the deliveries suppressed since."""
        first, second = make_delivery(), make_delivery("bo@example.com")
        store.add_deliveries([first])
        store.add_deliveries([second])
        store.record_consent("ann@example.com", make_consent(DENIED))
        _, cursor = store.get_suppressed()
        store.record_consent("bo@example.com", make_consent(DENIED))
        found, later = store.get_suppressed(after=cursor)
        assert found == {second.id}
        assert later > cursor

    def test_suppressed_deliveries_are_named_for_as_long_as_they_record(self, store: Store) -> None:
        """Who asks at a time gets what still records then, and a cursor beyond all that was suppressed."""
        short, long, endless = (make_delivery(expires_at=after(s) if s else None) for s in (60, 120, 0))
        for delivery in (long, endless, short):
            store.add_deliveries([delivery])
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(90)))
        everything = store.get_suppressed()
        assert everything[0] == {short.id, long.id, endless.id}
        assert store.get_suppressed(now=after(59)) == everything
        assert store.get_suppressed(now=after(60)) == (frozenset({long.id, endless.id}), everything[1])
        assert store.get_suppressed(now=after(120)) == (frozenset({endless.id}), everything[1])

    def test_grant_lifts_no_suppression(self, store: Store) -> None:
        """What was suppressed stays so after a new grant, and mail sent after it is not suppressed."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(1)))
        store.record_consent("ann@example.com", make_consent(GRANTED, at=after(2)))
        store.add_deliveries([make_delivery(at=after(3))])
        assert store.get_suppressed()[0] == {delivery.id}

    def test_full_denial_said_again_suppresses_again(self, store: Store) -> None:
        """Denying both axes a second time reaches what was sent in between on another purpose."""
        store.record_consent("ann@example.com", make_consent(DENIED))
        delivery = make_delivery(at=after(1))
        store.add_deliveries([delivery])
        assert store.get_suppressed()[0] == frozenset()
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(2)))
        assert store.get_suppressed()[0] == {delivery.id}

    def test_standing_denial_of_one_axis_suppresses_nothing_anew(self, store: Store) -> None:
        """A record that repeats one axis's denial while it grants the other is no withdrawal."""
        store.record_consent("ann@example.com", make_consent(DENIED, UNKNOWN))
        store.add_deliveries([make_delivery(at=after(1))])
        store.record_consent("ann@example.com", make_consent(DENIED, GRANTED, at=after(2)))
        assert store.get_suppressed()[0] == frozenset()

    def test_withdrawal_during_the_send_wins(self, store: Store) -> None:
        """A denial between the reading of consent and the write of the delivery suppresses it, whatever clocks say."""
        mark = store.get_consent_mark()
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(-3600)))
        store.record_consent("ann@example.com", make_consent(GRANTED, at=after(-3599)))
        delivery = make_delivery("bo@example.com", "ann@example.com", at=T0)
        store.add_deliveries([delivery], consent_mark=mark)
        assert store.get_suppressed()[0] == {delivery.id}

    def test_withdrawal_before_the_send_suppresses_nothing(self, store: Store) -> None:
        """What was known when consent was read, and what others withdrew since, leaves a delivery alone."""
        assert store.get_consent_mark() == 0
        store.record_consent("ann@example.com", make_consent(DENIED, at=after(3600)))
        store.record_consent("ann@example.com", make_consent(GRANTED, at=after(3601)))
        mark = store.get_consent_mark()
        store.record_consent("bo@example.com", make_consent(DENIED, at=after(3602)))
        store.add_deliveries([make_delivery()], consent_mark=mark)
        assert store.get_suppressed()[0] == frozenset()
        assert store.get_consent_mark() > mark

    # -- collect ------------------------------------------------------------------------------------------------------

    def test_observation_comes_back_as_it_went_in(self, store: Store) -> None:
        """Every field of an observation survives, None distinct from empty."""
        full = make_observation(b"8 bytes.", kind="click", at=T0 + timedelta(microseconds=7), ip="2001:db8::1")
        bare = make_observation(b"8 bytes.", method="HEAD", ip=None, user_agent=None, headers=None)
        empty = make_observation(b"8 bytes.", user_agent="", headers={})._replace(checked=False)
        store.add_observations([full, bare, empty], settle_s=0)
        assert sorted(store.get_due(now=after(1)), key=lambda o: o.id) == [full, bare, empty]

    def test_observation_counts_once(self, store: Store) -> None:
        """Observations that come again, in the same call or another, are not new."""
        first, second = make_observation(b"8 bytes."), make_observation(b"8 bytes.")
        assert store.add_observations([first, first], settle_s=0) == [first]
        assert store.add_observations([second, first], settle_s=0) == [second]
        assert len(store.get_due(now=T0)) == 2

    def test_suppressed_observation_is_discarded(self, store: Store) -> None:
        """What comes in for a suppressed delivery leaves no trace."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        store.record_consent("ann@example.com", make_consent(DENIED))
        observation = make_observation(delivery.id)
        assert store.add_observations([observation], settle_s=0) == []
        assert store.get_due(now=T0) == []
        assert store.get_windows([observation])[0].observations == ()

    def test_nothing_is_taken_in_from_nothing(self, store: Store) -> None:
        """An empty batch is no error."""
        assert store.add_observations([], settle_s=0) == []
        assert store.publish([], now=T0) == []

    def test_short_links_lead_where_their_delivery_says(self, store: Store) -> None:
        """A short link's number leads where it led in the delivery's own mail, and nowhere else."""
        spring = {0: "https://shop.example/spring?a=1&b=2", 12: "https://shop.example/café"}
        first, second, other, none = (
            make_delivery(destinations=destinations)
            for destinations in (spring, dict(reversed(spring.items())), {0: "https://shop.example/autumn"}, None)
        )
        store.add_deliveries([first, second])
        store.add_deliveries([other, none, first])
        for delivery in (first, second):
            assert store.get_destination(delivery.id, 0) == spring[0]
            assert store.get_destination(delivery.id, 12) == spring[12]
            assert store.get_destination(delivery.id, 1) is None
        assert store.get_destination(other.id, 0) == "https://shop.example/autumn"
        assert store.get_destination(none.id, 0) is None
        assert store.get_destination(b"unknown.", 0) is None
        assert store.get_deliveries() == [none, other, second, first]

    def test_overflow_is_summed_by_reason_and_kind(self, store: Store) -> None:
        """Hits that were only counted add up over what had too many of them, with the first and the last time."""
        assert store.get_overflow() == []
        store.add_overflow([])
        store.add_overflow([make_overflow(1, key="a", count=3), make_overflow(2, key="b", count=4, at=after(5))])
        store.add_overflow([make_overflow(3, reason="lost", count=2), make_overflow(4, key="b", kind="click", count=1)])
        found = [(o.reason, o.kind, o.hits, o.keys, o.first_at, o.last_at) for o in store.get_overflow()]
        assert found == [
            ("lost", "open", 2, 1, T0, T0),
            ("token", "click", 1, 1, T0, T0),
            ("token", "open", 7, 2, T0, after(5)),
        ]

    def test_highest_count_of_an_overflow_stands(self, store: Store) -> None:
        """A count that comes twice, or after a higher one, changes nothing."""
        for count in (2, 5, 5, 3):
            store.add_overflow([make_overflow(1, count=count, at=after(count))])
        (found,) = store.get_overflow()
        assert (found.hits, found.first_at, found.last_at) == (5, after(2), after(5))

    # -- judge --------------------------------------------------------------------------------------------------------

    def test_observation_is_due_when_it_has_settled(self, store: Store) -> None:
        """An observation is due its settle time after the hit, not before; those due longest come first."""
        late, early = make_observation(b"8 bytes.", at=after(1)), make_observation(b"8 bytes.")
        store.add_observations([late, early], settle_s=SETTLE_S)
        assert store.get_due(now=after(SETTLE_S - 0.001)) == []
        assert store.get_due(now=after(SETTLE_S)) == [early]
        assert store.get_due(now=after(SETTLE_S + 1)) == [early, late]
        assert store.get_due(now=after(SETTLE_S + 1), limit=1) == [early]

    def test_hit_from_the_future_is_due(self, store: Store) -> None:
        """A hit that a clock stamped before it was set back does not wait until that hour comes again."""
        future, near = make_observation(b"8 bytes.", at=after(3600)), make_observation(b"another.", at=after(60))
        store.add_observations([future, near], settle_s=SETTLE_S)
        assert store.get_due(now=T0) == []
        assert store.get_due(now=T0, settle_s=SETTLE_S) == [future]
        store.publish([(future, make_verdict())], now=T0)
        assert store.get_due(now=T0, settle_s=SETTLE_S) == []
        assert store.get_due(now=after(120), settle_s=SETTLE_S) == [near]

    def test_waiting_observations_are_counted_until_they_are_judged(self, store: Store) -> None:
        """What has not settled counts as waiting too; what is judged does not."""
        assert store.count_waiting() == 0
        delivery = make_delivery()
        store.add_deliveries([delivery])
        observation = make_observation(delivery.id)
        store.add_observations([observation], settle_s=10)
        assert store.count_waiting() == 1
        store.publish([(observation, make_verdict())], now=after(20))
        assert store.count_waiting() == 0

    def test_published_observation_is_due_no_more(self, store: Store) -> None:
        """What was judged leaves the queue."""
        observation = make_observation(b"8 bytes.")
        self.publish(store, (observation, make_verdict()))
        assert store.get_due(now=after(1e6)) == []

    def test_window_holds_the_delivery_and_its_minutes(self, store: Store) -> None:
        """The window has the delivery, its hits within ten minutes, and those of the address within one."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        judged = make_observation(delivery.id, at=after(3600))
        inside = [
            make_observation(delivery.id, at=after(3000), ip="192.0.2.7"),
            make_observation(b"another.", at=after(3540)),
            judged,
            make_observation(b"another.", at=after(3660)),
            make_observation(delivery.id, at=after(4200), ip=None),
        ]
        outside = [
            make_observation(delivery.id, at=after(2999.999)),
            make_observation(delivery.id, at=after(4200.001)),
            make_observation(b"another.", at=after(3539.999)),
            make_observation(b"another.", at=after(3600), ip="192.0.2.8"),
        ]
        store.add_observations([*outside, *reversed(inside)], settle_s=0)
        window = store.get_windows([judged])[0]
        assert window.delivery == delivery
        assert list(window.observations) == inside

    def test_window_without_address_or_delivery(self, store: Store) -> None:
        """Hits without an address are not each other's neighbours, and an unknown delivery is None."""
        judged = make_observation(b"8 bytes.", ip=None)
        store.add_observations([judged, make_observation(b"another.", ip=None)], settle_s=0)
        window = store.get_windows([judged])[0]
        assert window.delivery is None
        assert window.observations == (judged,)

    def test_window_keeps_the_nearest_two_hundred(self, store: Store) -> None:
        """A flood fills the window with the nearest hits only, the judged one always among them."""
        judged = make_observation(b"8 bytes.")
        flood = [make_observation(b"8 bytes.", at=after(i / 10)) for i in range(-700, 700) if i]
        store.add_observations([*flood, judged], settle_s=0)
        observations = store.get_windows([judged])[0].observations
        assert len(observations) == 200
        assert judged in observations
        assert max(abs(o.hit.received_at - T0) for o in observations) <= timedelta(seconds=10)
        assert all(a.hit.received_at <= b.hit.received_at for a, b in pairwise(observations))

    def test_windows_come_in_the_order_asked_for(self, store: Store) -> None:
        """Windows of several observations are the same as those of each alone."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        hits = [make_observation(delivery.id, at=after(400 * i)) for i in range(5)]
        store.add_observations(hits, settle_s=0)
        asked = [hits[3], hits[0], hits[4]]
        windows = store.get_windows(asked)
        assert windows == [store.get_windows([hit])[0] for hit in asked]
        assert [window.observations for window in windows] == [tuple(hits[2:5]), tuple(hits[0:2]), tuple(hits[3:5])]
        assert store.get_windows([]) == []

    def test_neighbours_are_judged_again(self, store: Store) -> None:
        """A new hit queues the published ones whose window it falls into, due when it is due itself."""
        same = make_observation(b"8 bytes.", ip="192.0.2.7")
        same_ip = make_observation(b"another.", at=after(50))
        far = make_observation(b"another.", at=after(-20), ip="192.0.2.9")
        self.publish(store, *((o, make_verdict()) for o in (same, same_ip, far)), at=after(60))
        new = make_observation(b"8 bytes.", at=after(100))
        store.add_observations([new], settle_s=SETTLE_S)
        assert store.get_due(now=after(159)) == []
        assert {o.id for o in store.get_due(now=after(160))} == {new.id, same.id, same_ip.id}

    def test_known_hit_queues_nobody(self, store: Store) -> None:
        """An observation that comes again from a journal causes no new judging."""
        observation = make_observation(b"8 bytes.")
        self.publish(store, (observation, make_verdict()))
        store.add_observations([observation], settle_s=0)
        assert store.get_due(now=after(1e6)) == []

    def test_waiting_neighbour_keeps_its_hour(self, store: Store) -> None:
        """Hits that follow do not put off the judgement of one that waits."""
        waiting = make_observation(b"8 bytes.")
        store.add_observations([waiting], settle_s=SETTLE_S)
        store.add_observations([make_observation(b"8 bytes.", at=after(50))], settle_s=SETTLE_S)
        assert store.get_due(now=after(60)) == [waiting]

    # -- publish ------------------------------------------------------------------------------------------------------

    def test_event_says_what_happened(self, store: Store) -> None:
        """A published click carries its verdict, link, destination, time, and the number 0."""
        observation = make_observation(b"8 bytes.", kind="click", link_index=2, url="https://example.com/a")
        verdict = make_verdict(reason_codes=("a", "b"), proxy_type="gmail")
        (publication,) = self.publish(store, (observation, verdict))
        event = publication.event
        assert publication.previous is None
        assert (event.id, event.delivery_id, event.type) == (observation.id, b"8 bytes.", "message.clicked")
        assert (event.seq, event.first, event.verdict) == (0, True, verdict)
        assert (event.occurred_at, event.link_index, event.url) == (T0, 2, "https://example.com/a")
        (record,) = store.get_events(EventFilter())
        assert (record.event, record.observation, record.delivery) == (event, observation, None)

    def test_same_verdict_changes_nothing(self, store: Store) -> None:
        """A verdict equal to the latest one is not published again, and leaves the queue."""
        observation = make_observation(b"8 bytes.")
        self.publish(store, (observation, make_verdict()))
        self.publish(store, (make_observation(b"8 bytes.", at=after(1)), make_verdict()))
        assert store.publish([(observation, make_verdict())], now=after(2)) == []
        assert len(store.get_verdicts(observation.id)) == 1
        assert observation not in store.get_due(now=after(1e6))

    def test_another_verdict_revises(self, store: Store) -> None:
        """A different verdict is appended with the next number, and both stay readable."""
        observation = make_observation(b"8 bytes.")
        (first,) = self.publish(store, (observation, make_verdict()), at=after(1))
        (second,) = store.publish([(observation, make_verdict(machine=True))], now=after(2))
        assert second.previous == first.event
        assert (second.event.seq, second.event.verdict.machine) == (1, True)
        assert store.get_verdicts(observation.id) == [
            (after(1), make_verdict()),
            (after(2), make_verdict(machine=True)),
        ]
        (record,) = store.get_events(EventFilter())
        assert record.event == second.event

    def test_time_of_a_verdict_is_kept_to_the_millisecond(self, store: Store) -> None:
        """However little or long after its hit it was published, or before it where a clock went back."""
        for seconds in (-7200.0001234, 0.0004321, 11.1234567, 9e6):
            observation = make_observation(b"8 bytes.")
            self.publish(store, (observation, make_verdict()), at=after(seconds))
            ((published_at, _),) = store.get_verdicts(observation.id)
            assert abs(published_at - after(seconds)) < timedelta(milliseconds=1)

    def test_any_difference_is_a_revision(self, store: Store) -> None:
        """Even a changed reason code or ruleset is published."""
        observation = make_observation(b"8 bytes.")
        self.publish(store, (observation, make_verdict()))
        (revision,) = store.publish([(observation, make_verdict(ruleset="2"))], now=T0)
        assert revision.event.seq == 1
        assert self.get_line(store) == {"human_opens": 1, "human_opens_unique": 1}

    def test_judgement_of_an_erased_observation_is_passed_over(self, store: Store) -> None:
        """What the store does not hold cannot be published."""
        assert store.publish([(make_observation(b"8 bytes."), make_verdict())], now=T0) == []
        assert store.get_events(EventFilter()) == []

    @pytest.mark.parametrize(
        ("delivery_id", "ip", "at", "passed_over"),
        [
            (b"8 bytes.", "192.0.2.9", 600.0, True),
            (b"8 bytes.", "192.0.2.9", 600.001, False),
            (b"another.", "192.0.2.1", -60.0, True),
            (b"another.", "192.0.2.1", -60.001, False),
            (b"another.", None, 0.0, False),
        ],
    )
    def test_verdict_on_a_window_that_changed_is_passed_over(
        self, store: Store, delivery_id: bytes, ip: str | None, at: float, passed_over: bool
    ) -> None:
        """Where a hit falls into the window after the mark was taken, nothing is published and the row stays queued."""
        observation = make_observation(b"8 bytes.")
        store.add_observations([observation], settle_s=0)
        mark = store.get_hit_mark()
        store.add_observations([make_observation(delivery_id, at=after(at), ip=ip)], settle_s=SETTLE_S)
        published = store.publish([(observation, make_verdict())], now=T0, hit_mark=mark)
        assert (len(published), observation in store.get_due(now=T0)) == ((0, True) if passed_over else (1, False))
        store.publish([(observation, make_verdict())], now=T0, hit_mark=store.get_hit_mark())
        assert observation not in store.get_due(now=T0)
        assert len(store.get_verdicts(observation.id)) == 1

    def test_old_verdict_does_not_replace_a_newer_one(self, store: Store) -> None:
        """Who was overtaken between reading the window and publishing changes neither event nor counts."""
        observation, later = make_observation(b"8 bytes."), make_observation(b"8 bytes.", at=after(1))
        store.add_observations([observation], settle_s=0)
        mark = store.get_hit_mark()
        machine = make_verdict(machine=True)
        self.publish(store, (later, machine), (observation, machine))
        assert store.publish([(observation, make_verdict())], now=after(9), hit_mark=mark) == []
        assert self.get_line(store) == {"machine_opens": 2, "machine_opens_unique": 1}

    def test_only_the_holder_of_the_lease_publishes(self, store: Store) -> None:
        """Who lost the lease publishes nothing and takes nothing out of the queue."""
        observation = make_observation(b"8 bytes.")
        store.add_observations([observation], settle_s=0)
        judgements = [(observation, make_verdict())]
        store.acquire_lease(WORKER_LEASE, holder="a", now=T0, ttl_s=10)
        store.acquire_lease(WORKER_LEASE, holder="b", now=after(11), ttl_s=10)
        assert store.publish(judgements, now=after(12), holder="a") == []
        assert store.get_due(now=T0) == [observation]
        assert len(store.publish(judgements, now=after(99), holder="b")) == 1

    def test_first_is_per_delivery_type_and_class(self, store: Store) -> None:
        """Only the earliest event of a delivery, a type, and people or machines is the first."""
        delivery = b"8 bytes."
        judgements = [
            (make_observation(delivery, at=after(9)), make_verdict()),
            (make_observation(delivery, at=after(1)), make_verdict()),
            (make_observation(delivery, at=after(2)), make_verdict(machine=True)),
            (make_observation(delivery, at=after(3), kind="click"), make_verdict()),
            (make_observation(b"another.", at=after(4)), make_verdict()),
        ]
        published = self.publish(store, *judgements)
        assert [p.event.occurred_at for p in published] == [after(s) for s in (1, 2, 3, 4, 9)]
        assert [p.event.first for p in published] == [True, True, True, True, False]
        (again,) = self.publish(store, (make_observation(delivery, at=after(5)), make_verdict()))
        assert not again.event.first

    def test_first_moves_with_what_comes_in_late_and_is_revised(self, store: Store) -> None:
        """Whatever is published and revised, the earliest counted event of its class is the first, alone."""
        delivery = b"8 bytes."
        early, middle, late = (make_observation(delivery, at=after(seconds)) for seconds in (1, 2, 3))
        human, machine, nowhere = make_verdict(), make_verdict(machine=True), make_verdict(counts_for_metrics=False)

        def publish(*judgements: tuple[Observation, Verdict]) -> list[bool]:
            store.add_observations([observation for observation, _ in judgements], settle_s=0)
            store.publish(judgements, now=after(60))
            return [record.event.first for record in store.get_judged(EventFilter())]

        assert publish((middle, human), (late, human)) == [True, False]
        assert publish((early, human)) == [True, False, False]
        assert publish((early, machine)) == [True, True, False]
        assert publish((middle, machine)) == [True, False, True]
        assert publish((early, human), (late, nowhere)) == [True, True, False]
        assert publish((middle, human)) == [True, False, False]

    # -- report -------------------------------------------------------------------------------------------------------

    def test_filters_narrow_the_events(self, store: Store) -> None:
        """Each filter lets through exactly the events that it names, and filters add up."""
        news = make_delivery("ann@example.com", campaign="spring")
        bill = make_delivery("bo@example.com", "ann@example.com", campaign=None, route="bills")
        store.add_deliveries([news])
        store.add_deliveries([bill])
        opened = make_observation(news.id, at=after(1))
        clicked = make_observation(news.id, at=after(2), kind="click")
        scanned = make_observation(bill.id, at=after(3))
        unknown = make_observation(b"8 bytes.", at=after(4))
        people, machine = make_verdict(), make_verdict(machine=True)
        self.publish(store, (opened, people), (clicked, people), (scanned, machine), (unknown, people))

        def find(**wishes: Any) -> Sequence[bytes]:
            return [record.event.id for record in store.get_events(EventFilter(**wishes))]

        assert find() == [unknown.id, scanned.id, clicked.id, opened.id]
        assert find(kind="click") == [clicked.id]
        assert find(machine=True) == [scanned.id]
        assert find(machine=False) == [unknown.id, clicked.id, opened.id]
        assert find(classification=Classification.GENERIC_BOT) == [scanned.id]
        assert find(route="bills") == [scanned.id]
        assert find(campaign="spring") == [clicked.id, opened.id]
        assert find(message_id=news.envelope.message_id, kind="open") == [opened.id]
        assert find(recipient="ANN@example.com") == [scanned.id, clicked.id, opened.id]
        assert find(recipient="bo@example.com") == [scanned.id]
        assert find(recipient="%") == []
        assert find(since=after(2), until=after(4)) == [scanned.id, clicked.id]

    def test_terms_narrow_the_events(self, store: Store) -> None:
        """Each term lets through exactly what it names, or all but that; what is unknown matches nothing."""
        news = make_delivery("ann@example.com", tags=("a", 'b,"a'), subject="Big NEWS")
        bill = make_delivery("bo@mail.example.org", campaign=None, route="bills", tags=('x"a',))
        store.add_deliveries([news, bill])
        url = "https://shop.example/A?to=ann"
        opened, clicked = make_observation(news.id, at=after(1)), make_observation(news.id, at=after(2), kind="click")
        scanned = make_observation(bill.id, at=after(3), kind="click", url=url)
        unknown = make_observation(b"8 bytes.", at=after(4))
        machine = make_verdict(machine=True, reason_codes=("ua.bot", "speed"), proxy_type="gmail")
        self.publish(
            store, (opened, make_verdict()), (clicked, make_verdict()), (scanned, machine), (unknown, make_verdict())
        )
        everything = [unknown.id, scanned.id, clicked.id, opened.id]

        def find(field: TermField, *values: str) -> Sequence[bytes]:
            found, rest = (
                [
                    record.event.id
                    for record in store.get_events(
                        EventFilter(terms=(Term(field=field, values=values, negated=negated),))
                    )
                ]
                for negated in (False, True)
            )
            assert sorted([*found, *rest]) == sorted(everything)
            return found

        assert find("kind", "click") == [scanned.id, clicked.id]
        assert find("class", "generic_bot", "suspicious") == [scanned.id]
        assert find("campaign", "spring") == find("route", "news") == [clicked.id, opened.id]
        assert find("message", news.envelope.message_id) == [clicked.id, opened.id]
        assert find("rcpt", "ANN@example.com", "nobody@x.y") == [clicked.id, opened.id]
        assert find("rcpt", "@mail.example.org") == [scanned.id]
        assert find("tag", "a") == [clicked.id, opened.id]
        assert find("tag", 'x"a', "none") == [scanned.id]
        assert find("reason", "speed") == find("proxy", "gmail") == [scanned.id]
        assert find("is", "machine") == find("url", "SHOP.example/a?to") == [scanned.id]
        assert find("link", "https://shop.example/A") == [scanned.id]
        assert find("subject", "big news") == [clicked.id, opened.id]
        assert find("text", "@mail.", "big") == [scanned.id, clicked.id, opened.id]
        assert find("device", "mobile") == find("is", "person") == [unknown.id, clicked.id, opened.id]
        assert find("client", "MAIL") == find("ruleset", "1") == everything
        assert find("is", "first", "revised") == everything
        both = (Term(field="kind", values=("click",)), Term(field="is", values=("machine",), negated=True))
        assert [record.event.id for record in store.search_events(EventFilter(terms=both)).records] == [clicked.id]
        assert store.count_events(EventFilter(terms=both)) == 1

    def test_search_goes_on_where_its_effort_ended(self, store: Store) -> None:
        """Pages of a search with few matches join to what there is, each saying how far back it came."""
        hits = [make_observation(b"8 bytes.", at=after(i), ip=None) for i in range(3)]
        self.publish(store, *((hit, make_verdict(machine=not i)) for i, hit in enumerate(hits)))
        found: list[bytes] = []
        wanted = EventFilter(machine=True, limit=2)
        while True:
            page = store.search_events(wanted)
            found += [record.event.id for record in page.records]
            if page.next_id is None:
                break
            wanted = replace(wanted, before_id=page.next_id)
        assert found == [hits[0].id]

    def test_each_field_finds_what_it_names(self, store: Store) -> None:
        """Each field of the query language finds what it names, any of several, or nothing of them where negated."""
        spring = make_delivery("ann@example.com", campaign="spring", tags=("a", "b"), subject="Spring Sale")
        bill = make_delivery("bo@shop.example", "cy@other.example", campaign=None, route="bills", subject="Bill 7")
        store.add_deliveries([spring, bill, replace(make_delivery("di@example.com"), id=b"the test", test=True)])
        opened = make_observation(spring.id, at=after(1))
        clicked = make_observation(spring.id, at=after(2), kind="click", url="https://example.com/Offers?x=Mail#top")
        scanned = make_observation(bill.id, at=after(3), kind="click", url="https://shop.example/bill?n=7")
        tested = make_observation(b"the test", at=after(4))
        stranger = make_observation(b"8 bytes.", at=after(5))
        bot = make_verdict(
            machine=True,
            classification=Classification.SECURITY_SCANNER,
            reason_codes=("method.head", "ua.none"),
            client_name=None,
            client_type=None,
        )
        person = make_verdict(proxy_type="gmail", client_name="Apple Mail", ruleset="2")
        self.publish(
            store,
            (opened, make_verdict()),
            (clicked, person),
            (scanned, bot),
            (tested, make_verdict()),
            (stranger, make_verdict()),
        )
        store.publish([(opened, make_verdict(probability=1))], now=after(9))
        everything = [stranger, tested, scanned, clicked, opened]
        cases: dict[tuple[TermField, tuple[str, ...]], list[Observation]] = {
            ("kind", ("click",)): [scanned, clicked],
            ("kind", ("click", "open")): everything,
            ("class", ("security_scanner", "generic_bot")): [scanned],
            ("is", ("machine",)): [scanned],
            ("is", ("person",)): [stranger, tested, clicked, opened],
            ("is", ("machine", "test")): [tested, scanned],
            ("is", ("revised",)): [opened],
            ("is", ("first",)): everything,
            ("campaign", ("spring", "autumn")): [tested, clicked, opened],
            ("route", ("bills",)): [scanned],
            ("tag", ("b", "c")): [clicked, opened],
            ("message", (bill.envelope.message_id,)): [scanned],
            ("rcpt", ("Ann@Example.com",)): [clicked, opened],
            ("rcpt", ("EXAMPLE.com",)): [tested, clicked, opened],
            ("rcpt", ("@other.example", "ann@example.com")): [scanned, clicked, opened],
            ("rcpt", ("%",)): [],
            ("link", ("https://example.com/Offers",)): [clicked],
            ("link", ("https://example.com/Offers?x=Mail#top",)): [],
            ("url", ("offers?X=mail",)): [clicked],
            ("url", ("nothing", "bill?n")): [scanned],
            ("subject", ("SALE",)): [clicked, opened],
            ("device", ("mobile",)): [stranger, tested, clicked, opened],
            ("client", ("apple mail",)): [clicked],
            ("proxy", ("gmail",)): [clicked],
            ("reason", ("ua.none",)): [scanned],
            ("ruleset", ("2",)): [clicked],
            ("text", ("spring sale",)): [clicked, opened],
            ("text", ("CY@other",)): [scanned],
            ("text", ("/offers",)): [clicked],
            ("text", ("apple",)): [clicked],
            ("text", ("100%_",)): [],
        }
        for (field, values), expected in cases.items():
            term = Term(field=field, values=values)
            for wanted, found in (
                (EventFilter(terms=(term,)), expected),
                (EventFilter(terms=(replace(term, negated=True),)), [o for o in everything if o not in expected]),
            ):
                assert [record.observation.id for record in store.get_events(wanted)] == [o.id for o in found], term
                page = store.search_events(wanted)
                assert [record.observation.id for record in page.records] == [o.id for o in found], term
                assert store.count_events(wanted) == len(found)
        both = (Term(field="kind", values=("click",)), Term(field="is", values=("person",)))
        assert [record.observation for record in store.get_events(EventFilter(terms=both))] == [clicked]

    def test_search_goes_on_where_it_ended(self, store: Store) -> None:
        """Pages of a search join to the whole, however rare what is looked for is, and the last one says that it is."""
        made = [make_observation(b"8 bytes.", at=after(i)) for i in range(2_500)]
        rare = {0, 3, 2_499}
        for start in range(0, len(made), 500):
            judgements = [(made[i], make_verdict(machine=i in rare)) for i in range(start, start + 500)]
            self.publish(store, *judgements)
        found: list[EventRecord] = []
        page = store.search_events(EventFilter(machine=True, limit=2))
        while page.next_id is not None:
            found += page.records
            page = store.search_events(EventFilter(machine=True, limit=2, before_id=page.next_id))
        found += page.records
        assert [record.observation.id for record in found] == [made[i].id for i in (2_499, 3, 0)]
        assert page.searched_to is None

    def test_pages_join_without_gap_or_overlap(self, store: Store) -> None:
        """Paging by the last id seen walks through all events once, equal times included."""
        observations = [make_observation(b"8 bytes.", at=after(i // 3)) for i in range(10)]
        self.publish(store, *((o, make_verdict()) for o in observations))
        seen: list[bytes] = []
        while page := store.get_events(EventFilter(limit=4, before_id=seen[-1] if seen else None)):
            assert len(page) <= 4
            seen += [record.event.id for record in page]
        assert seen == [o.id for o in reversed(observations)]

    def test_event_is_found_by_the_beginning_of_its_id(self, store: Store) -> None:
        """Digits that begin one id alone find its event, a whole id too; a shared beginning finds several, by id."""
        ids = [bytes.fromhex(text) for text in ("0a" + "00" * 15, "0a" + "ff" * 15, "0b" + "00" * 15)]
        made = [make_observation(b"8 bytes.", at=after(-i))._replace(id=id_) for i, id_ in enumerate(ids)]
        self.publish(store, *((o, make_verdict()) for o in made))

        def find(prefix: str, limit: int = 2) -> list[bytes]:
            return [record.event.id for record in store.find_events(prefix, limit=limit)]

        assert find("0") == ids[:2]
        assert find("0", limit=9) == ids
        assert find("0af") == find(ids[1].hex()) == [ids[1]]
        assert find("0c") == []
        (record,) = store.find_events("0b")
        assert record.observation == made[2]

    def test_everything_judged_is_gone_through_oldest_first(self, store: Store) -> None:
        """Pages join by the key of their last event, whatever is revised or comes in between."""
        made = [make_observation(b"8 bytes.", at=after(i // 2)) for i in range(7)]
        self.publish(store, *((o, make_verdict()) for o in made))
        expected = [o.id for o in sorted(made, key=lambda o: (o.hit.received_at, o.id))]
        seen: list[bytes] = []
        key: tuple[datetime, bytes] | None = None
        while page := store.get_judged(EventFilter(limit=3), after=key):
            key = page[-1].event.occurred_at, page[-1].event.id
            seen += [record.event.id for record in page]
            store.publish([(page[0].observation, make_verdict(machine=True))], now=T0)
        assert seen == expected
        assert [r.event.id for r in store.get_judged(EventFilter(machine=True, since=after(2)))] == [expected[6]]

    def test_events_are_counted_as_they_are_filtered(self, store: Store) -> None:
        """The count knows no limit, and every restriction."""
        delivery = make_delivery(campaign="autumn")
        store.add_deliveries([delivery])
        made = [make_observation(of, at=after(i)) for i in range(3) for of in (delivery.id, b"8 bytes.")]
        self.publish(store, *((o, make_verdict(machine=o is made[0])) for o in made))
        assert store.count_events(EventFilter(limit=1)) == 6
        assert store.count_events(EventFilter(campaign="autumn", machine=False)) == 2
        assert store.count_events(EventFilter(until=after(1))) == 2

    def test_click_on_the_hidden_link_makes_no_line_of_links(self, store: Store) -> None:
        """It comes back as it went in, without a destination, and counts everywhere but among links."""
        hidden = make_observation(b"8 bytes.", kind="click", link_index=HONEYPOT_INDEX, url=None)
        self.publish(store, (hidden, make_verdict(machine=True)))
        (record,) = store.get_events(EventFilter())
        assert record.observation == hidden
        assert (record.event.link_index, record.event.url) == (HONEYPOT_INDEX, None)
        assert record.observation.hit.honeypot
        assert store.get_metrics(by="link") == []
        (line,) = store.get_metrics()
        assert (line.human_clicks, line.machine_clicks) == (0, 1)

    def test_person_who_counts_nowhere_moves_no_count(self, store: Store) -> None:
        """Such an event is neither counted nor first, and the one behind it is; a revision moves what it must."""
        aside = make_observation(b"8 bytes.", kind="click")
        click = make_observation(b"8 bytes.", at=after(1), kind="click")
        nowhere = make_verdict(counts_for_metrics=False)
        published = self.publish(store, (aside, nowhere), (click, make_verdict()))
        assert [p.event.first for p in published] == [False, True]
        assert self.get_line(store) == {"human_clicks": 1, "human_clicks_unique": 1}
        store.publish([(aside, make_verdict(machine=True)), (click, nowhere)], now=after(2))
        assert self.get_line(store) == {"machine_clicks": 1, "machine_clicks_unique": 1}
        store.publish([(aside, nowhere), (click, make_verdict())], now=after(3))
        assert self.get_line(store) == {"human_clicks": 1, "human_clicks_unique": 1}

    def test_rollups_count_people_and_machines_apart(self, store: Store) -> None:
        """Events add up in every group they belong to, uniques once per delivery."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        open_1, open_2 = make_observation(delivery.id), make_observation(delivery.id, at=after(3600))
        click = make_observation(delivery.id, kind="click", url="https://example.com/a")
        bot = make_observation(delivery.id, kind="click", url="https://example.com/b")
        person = make_verdict()
        self.publish(store, *((o, person) for o in (open_1, open_2, click)), (bot, make_verdict(machine=True)))
        whole = {
            "human_opens": 2,
            "human_opens_unique": 1,
            "human_clicks": 1,
            "human_clicks_unique": 1,
            "machine_clicks": 1,
            "machine_clicks_unique": 1,
        }
        assert self.get_line(store) == whole
        assert self.get_line(store, "news", by="route") == whole
        assert self.get_line(store, "spring", by="campaign") == whole
        assert self.get_line(store, delivery.envelope.message_id, by="message") == whole
        assert self.get_line(store, "https://example.com/b", by="link") == {
            "machine_clicks": 1,
            "machine_clicks_unique": 1,
        }
        assert self.get_line(store, "2026-03-01T13:00Z", by="hour") == {"human_opens": 1, "human_opens_unique": 1}

    def test_personal_query_strings_make_one_line(self, store: Store) -> None:
        """A link is counted by its destination without query and fragment, and the event keeps all of it."""
        urls = ["https://example.com/a?to=ann", "https://example.com/a?to=bo#top", "https://example.com/a#x?y"]
        for i, url in enumerate(urls):
            self.publish(store, (make_observation(b"%d bytes." % i, kind="click", url=url), make_verdict()))
        assert [line.key for line in store.get_metrics(by="link")] == ["https://example.com/a"]
        assert self.get_line(store, "https://example.com/a", by="link") == {
            "human_clicks": 3,
            "human_clicks_unique": 3,
        }
        assert {record.event.url for record in store.get_events(EventFilter())} == set(urls)

    def test_revision_moves_the_counts(self, store: Store) -> None:
        """A revised event leaves one class and joins the other, with its unique where it was the only one."""
        first, second = make_observation(b"8 bytes."), make_observation(b"8 bytes.", at=after(1))
        machine = make_verdict(machine=True)
        self.publish(store, (first, make_verdict()), (second, make_verdict()))
        store.publish([(first, machine)], now=T0)
        assert self.get_line(store) == {
            "human_opens": 1,
            "human_opens_unique": 1,
            "machine_opens": 1,
            "machine_opens_unique": 1,
        }
        store.publish([(second, machine)], now=T0)
        assert self.get_line(store) == {"machine_opens": 2, "machine_opens_unique": 1}
        store.publish([(first, make_verdict())], now=T0)
        assert self.get_line(store)["human_opens_unique"] == 1

    @pytest.mark.parametrize(
        ("classification", "of"),
        [
            (Classification.PRIVACY_PROXY, "privacy"),
            (Classification.SECURITY_SCANNER, "scanner"),
            (Classification.LINK_PREVIEW_BOT, "bot"),
            (Classification.GENERIC_BOT, "bot"),
            (Classification.SUSPICIOUS, "bot"),
        ],
    )
    def test_each_machine_is_of_one_kind(self, store: Store, classification: Classification, of: str) -> None:
        """A machine's event counts as observed, as a machine's, and as that of one kind of machine."""
        verdict = make_verdict(machine=True, classification=classification)
        self.publish(store, (make_observation(b"8 bytes.", kind="click"), verdict))
        expected = {f"{who}_clicks{end}": 1 for who in ("observed", "machine", of) for end in ("", "_unique")}
        for line in (self.get_line(store, of=("",)), self.get_line(store, "https://example.com/", by="link", of=("",))):
            line.pop("key")
            assert line == expected

    @pytest.mark.parametrize(
        "classification",
        [Classification.GENUINE, Classification.IMAGE_PROXY, Classification.UNVERIFIED_CLICK],
    )
    def test_people_are_observed_too(self, store: Store, classification: Classification) -> None:
        """What counts for a person counts as observed, and for no machine."""
        self.publish(store, (make_observation(b"8 bytes."), make_verdict(classification=classification)))
        line = self.get_line(store, of=("",))
        line.pop("key")
        assert line == {f"{who}_opens{end}": 1 for who in ("observed", "human") for end in ("", "_unique")}

    def test_uniques_of_several_kinds_do_not_add_up(self, store: Store) -> None:
        """A delivery with events of a proxy, a scanner and a person is one unique of each, and one observed."""
        machines = [
            make_verdict(machine=True, classification=c)
            for c in (Classification.PRIVACY_PROXY, Classification.SECURITY_SCANNER)
        ]
        verdicts = [*machines, *machines, make_verdict()]
        self.publish(store, *((make_observation(b"8 bytes.", at=after(i)), v) for i, v in enumerate(verdicts)))
        line = store.get_metrics()[0]
        assert (line.observed_opens, line.machine_opens, line.privacy_opens, line.scanner_opens) == (5, 4, 2, 2)
        assert (line.observed_opens_unique, line.machine_opens_unique, line.human_opens_unique) == (1, 1, 1)
        assert (line.privacy_opens_unique, line.scanner_opens_unique, line.bot_opens_unique) == (1, 1, 0)

    @pytest.mark.parametrize("by", ["message", "campaign", "route", "link", "hour"])
    def test_lines_are_read_page_by_page(self, store: Store, by: GroupBy) -> None:
        """Who goes on after the last line seen sees each line once, in the order of one long page."""
        for i in range(7):
            delivery = make_delivery(campaign=f"campaign {i}", route=f"route {i}")
            store.add_deliveries([delivery])
            store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=after(3600 * i))
            url = f"https://example.com/{i}"
            click = make_observation(delivery.id, kind="click", url=url, at=after(3600 * i + 1))
            self.publish(store, (click, make_verdict()))
        whole = store.get_metrics(by=by)
        seen: list[Metrics] = []
        while page := store.get_metrics(by=by, limit=3, before=seen[-1].key if seen else None):
            seen += page
        assert seen == whole
        assert len(whole) == 7
        assert store.get_metrics(by=by, before="nothing of that name") == []

    def test_metrics_are_ordered_and_limited(self, store: Store) -> None:
        """Groups come largest first, messages and hours newest first, and everything has one line even when empty."""
        assert [line.key for line in store.get_metrics()] == [""]
        assert store.get_metrics(by="campaign") == []
        for campaign, count in (("small", 1), ("large", 3), ("middle", 2)):
            for i in range(count):
                delivery = make_delivery(campaign=campaign)
                store.add_deliveries([delivery])
                store.set_delivery_states([delivery.id], DeliveryState.ACCEPTED, at=after(3600 * i))
        assert [line.key for line in store.get_metrics(by="campaign")] == ["large", "middle", "small"]
        messages = [delivery.envelope.message_id for delivery in store.get_deliveries()]
        assert [line.key for line in store.get_metrics(by="message")] == messages
        hours = [line.key for line in store.get_metrics(by="hour", limit=2)]
        assert hours == ["2026-03-01T14:00Z", "2026-03-01T13:00Z"]

    # -- upkeep -------------------------------------------------------------------------------------------------------

    def test_lease_has_one_holder(self, store: Store) -> None:
        """A lease is refused while another's lasts, renewed by its holder, and free when it has expired."""
        assert store.acquire_lease("work", holder="a", now=T0, ttl_s=10)
        assert not store.acquire_lease("work", holder="b", now=after(9), ttl_s=10)
        assert store.acquire_lease("sweep", holder="b", now=T0, ttl_s=10)
        assert store.acquire_lease("work", holder="a", now=after(9), ttl_s=10)
        assert not store.acquire_lease("work", holder="b", now=after(18), ttl_s=10)
        assert store.acquire_lease("work", holder="b", now=after(19), ttl_s=10)
        assert not store.acquire_lease("work", holder="a", now=after(20), ttl_s=10)

    def test_lease_names_its_holder_while_it_lasts(self, store: Store) -> None:
        """Everybody can read who holds a lease; nobody does once it has run out or was given back."""
        assert store.get_lease_holder("worker", now=T0) is None
        store.acquire_lease("worker", holder="a", now=T0, ttl_s=10)
        assert store.get_lease_holder("worker", now=after(9)) == "a"
        assert store.get_lease_holder("rejudge", now=after(9)) is None
        assert store.get_lease_holder("worker", now=after(10)) is None
        store.release_lease("worker", holder="a")
        assert store.get_lease_holder("worker", now=T0) is None

    def test_lease_is_given_back_by_its_holder_only(self, store: Store) -> None:
        """A release by somebody else does nothing."""
        assert store.acquire_lease("work", holder="a", now=T0, ttl_s=10)
        store.release_lease("work", holder="b")
        assert not store.acquire_lease("work", holder="b", now=T0, ttl_s=10)
        store.release_lease("work", holder="a")
        assert store.acquire_lease("work", holder="b", now=T0, ttl_s=10)

    def test_lease_survives_a_clock_that_is_set_back(self, store: Store) -> None:
        """A lease taken by a clock a day ahead does not stop the work for a day."""
        assert store.acquire_lease("work", holder="a", now=after(86_400), ttl_s=10)
        assert store.acquire_lease("work", holder="b", now=T0, ttl_s=10)

    def test_sound_store_has_nothing_to_report(self, store: Store) -> None:
        """A check of a store that was used and works finds nothing."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        self.publish(store, (make_observation(delivery.id), make_verdict()))
        assert store.check() == []

    def test_closed_store_opens_again(self, store: Store) -> None:
        """Closing is no end: the next call opens the store anew."""
        delivery = make_delivery()
        store.add_deliveries([delivery])
        store.close()
        store.close()
        assert store.get_deliveries() == [delivery]
