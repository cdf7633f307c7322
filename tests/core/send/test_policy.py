"""Deciding whether a message is tracked."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnod.model import Consent, ConsentState, Mode, Override, Route
from mailnod.send.policy import apply_consent, wish

ON = Route(name="news", track_opens=True, track_clicks=True)
OFF = Route(name="default")
GRANTED = Consent(opens=ConsentState.GRANTED, clicks=ConsentState.GRANTED, source="form")
DENIED = Consent(opens=ConsentState.DENIED, clicks=ConsentState.DENIED, source="form")
UNKNOWN = Consent()
LAYERS = ("context manager", "header", "attribute", "keyword")


@pytest.mark.parametrize(("lower", "upper"), [(a, b) for i, a in enumerate(LAYERS) for b in LAYERS[i + 1 :]])
@pytest.mark.parametrize("value", [True, False])
def test_upper_layer_beats_lower_layer(lower: str, upper: str, value: bool) -> None:
    """Each layer beats all that lie below it, and the route too."""
    layers = [(lower, Override(track_opens=not value)), (upper, Override(track_opens=value))]
    assert wish(ON, layers).opens is value
    assert wish(OFF, layers).opens is value


def test_axes_are_decided_apart() -> None:
    """An override of one axis leaves the other as it was."""
    wanted = wish(ON, [("keyword", Override(track_opens=False))])
    assert (wanted.opens, wanted.clicks) == (False, True)


def test_reasons_tell_the_way_of_the_decision() -> None:
    """Reasons stand in the order in which they were weighed."""
    wanted = wish(OFF, [("attribute", Override(track_opens=True)), ("keyword", Override(track_clicks=True))])
    decision = apply_consent(wanted, [GRANTED])
    assert decision.reasons == (
        "route 'default': opens off, clicks off",
        "attribute: opens on",
        "keyword: clicks on",
        "consent granted by form: opens on",
        "consent granted by form: clicks on",
    )


@pytest.mark.parametrize(
    ("consents", "required", "assumed"),
    [
        ([GRANTED], True, True),
        ([UNKNOWN], False, True),
        ([DENIED], False, False),
        ([GRANTED, GRANTED], True, True),
        ([GRANTED, UNKNOWN], False, True),
        ([GRANTED, DENIED], False, False),
        ([UNKNOWN, DENIED], False, False),
        ([], False, False),
    ],
)
def test_every_recipient_must_have_consented(consents: list[Consent], required: bool, assumed: bool) -> None:
    """One recipient without consent keeps the message untracked; "assumed" is enough for unknown, never for denied."""
    for rule, tracked in (("required", required), ("assumed", assumed)):
        route = Route(name="news", track_opens=True, track_clicks=True, consent=rule)  # type: ignore[arg-type]
        decision = apply_consent(wish(route, []), consents)
        assert (decision.opens is Mode.INDIVIDUAL) is tracked
        assert (decision.clicks is Mode.INDIVIDUAL) is tracked


states = st.sampled_from(ConsentState)
consents = st.builds(Consent, opens=states, clicks=states)
overrides = st.builds(
    Override,
    track_opens=st.sampled_from([None, True, False]),
    track_clicks=st.sampled_from([None, True, False]),
)


@given(st.lists(consents, min_size=1, max_size=4), st.lists(overrides, max_size=4))
def test_consent_veto_is_above_every_layer(found: list[Consent], layers: list[Override]) -> None:
    """No override tracks a person who has denied or not granted."""
    wanted = wish(ON, list(zip(LAYERS, layers, strict=False)))
    decision = apply_consent(wanted, found)
    for axis, mode in (("opens", decision.opens), ("clicks", decision.clicks)):
        if any(getattr(consent, axis) is not ConsentState.GRANTED for consent in found):
            assert mode is Mode.NONE
        else:
            assert (mode is Mode.INDIVIDUAL) is getattr(wanted, axis)


def test_nothing_wanted_asks_nothing() -> None:
    """Where nothing is wanted, consent does not appear among the reasons."""
    for found in product([GRANTED, DENIED, UNKNOWN], repeat=1):
        assert apply_consent(wish(OFF, []), found).reasons == ("route 'default': opens off, clicks off",)
