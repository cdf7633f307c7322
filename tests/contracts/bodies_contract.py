"""What every store must do with the HTML of mail that it is given to keep; a store's tests inherit the class."""

from __future__ import annotations

import pytest

from contracts.store_contract import DENIED, GRANTED, T0, after, make_consent, make_delivery
from mailnod.model import Delivery, KeptBody
from mailnod.store.base import Store

PARTS = ("<p>Gr\u00fc\u00dfe \U0001f389</p>", "<p>lone \udcff</p>")


def add(store: Store, *recipients: str) -> Delivery:
    """Add a delivery to some people."""
    delivery = make_delivery(*recipients)
    store.add_deliveries([delivery])
    return delivery


def keep(store: Store, *deliveries: Delivery, parts: tuple[str, ...] = PARTS, seconds: float = 60) -> None:
    """Keep the same body of some deliveries until some seconds after T0."""
    store.keep_bodies([KeptBody(delivery.id, parts, after(seconds)) for delivery in deliveries])


class BodiesContract:
    """The rules; a subclass gives the fixture ``store``."""

    @pytest.fixture
    def store(self) -> Store:
        """Give an empty store."""
        raise NotImplementedError

    def test_body_comes_back_as_it_went_in(self, store: Store) -> None:
        """Every part of a body that was kept is read again, character for character."""
        kept, other = add(store), add(store)
        keep(store, kept)
        assert store.get_body(kept.id, now=T0) == PARTS
        assert store.get_body(other.id, now=T0) is None
        assert store.get_body(b"unknown.", now=T0) is None

    def test_body_kept_twice_stays_as_it_was(self, store: Store) -> None:
        """What is kept again after an uncertain commit changes nothing."""
        delivery = add(store)
        keep(store, delivery)
        keep(store, delivery, parts=("<p>other</p>",), seconds=600)
        assert store.get_body(delivery.id, now=T0) == PARTS
        assert store.erase_bodies(after(60)) == 1

    def test_body_of_a_delivery_that_is_not_known_is_passed_over(self, store: Store) -> None:
        """A body without a delivery is kept nowhere, and those that came with it are."""
        delivery = add(store)
        store.keep_bodies([KeptBody(b"unknown.", PARTS, after(60)), KeptBody(delivery.id, PARTS, after(60))])
        store.keep_bodies([KeptBody(b"unknown.", ("<p>x</p>",), T0)])
        store.keep_bodies([])
        assert store.get_body(b"unknown.", now=T0) is None
        assert store.get_body(delivery.id, now=T0) == PARTS

    def test_body_is_erased_when_its_days_are_over(self, store: Store) -> None:
        """Each delivery has its own end, whoever shares the text."""
        early, late = add(store), add(store)
        keep(store, early, seconds=60)
        keep(store, late, seconds=120)
        assert store.erase_bodies(after(59)) == 0
        assert store.erase_bodies(after(60)) == 1
        assert store.get_body(early.id, now=T0) is None
        assert store.get_body(late.id, now=T0) == PARTS
        assert store.erase_bodies(after(120)) == 1
        assert store.get_body(late.id, now=T0) is None

    def test_body_whose_days_are_over_is_not_shown(self, store: Store) -> None:
        """From its end on nobody is given a body, though no sweep has come by."""
        delivery = add(store)
        keep(store, delivery, seconds=60)
        assert store.get_body(delivery.id, now=after(59)) == PARTS
        assert store.get_body(delivery.id, now=after(60)) is None
        assert store.erase_bodies(after(60)) == 1

    def test_bodies_are_erased_in_batches(self, store: Store) -> None:
        """One call erases as many as it is told, those whose end came first."""
        deliveries = [add(store) for _ in range(5)]
        for seconds, delivery in enumerate(deliveries):
            keep(store, delivery, seconds=seconds)
        assert [store.erase_bodies(after(60), limit=2) for _ in range(4)] == [2, 2, 1, 0]

    def test_withdrawal_erases_what_only_that_person_got(self, store: Store) -> None:
        """Who withdraws takes their own bodies along; what others got too stays for its days."""
        alone, together, other = add(store, "ann@x.org"), add(store, "bo@x.org", "ann@x.org"), add(store, "bo@x.org")
        keep(store, alone, together, other)
        store.record_consent("ann@x.org", make_consent(GRANTED))
        assert store.get_body(alone.id, now=T0) == PARTS
        store.record_consent("ann@x.org", make_consent(DENIED))
        assert store.get_body(alone.id, now=T0) is None
        assert store.get_body(together.id, now=T0) == PARTS
        assert store.get_body(other.id, now=T0) == PARTS

    def test_nothing_is_kept_of_a_delivery_that_is_suppressed(self, store: Store) -> None:
        """Who withdrew between the writing of a delivery and that of its body has none kept."""
        delivery = add(store, "ann@x.org")
        store.record_consent("ann@x.org", make_consent(DENIED))
        keep(store, delivery)
        assert store.get_body(delivery.id, now=T0) is None
