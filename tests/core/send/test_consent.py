"""Collecting consent from many sources."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailnod.hookspecs import hookimpl
from mailnod.model import Consent, ConsentState, Envelope
from mailnod.plugins import Plugins
from mailnod.send.consent import collect_consent

ENVELOPE = Envelope(
    message_id="<1@example.com>", recipients=("r@example.com",), sent_at=datetime(2026, 1, 1, tzinfo=UTC)
)


class Source:
    """A source with one answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    @hookimpl
    def get_consent(self) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def say(state: ConsentState) -> Consent:
    return Consent(opens=state, clicks=state, source=f"says {state}")


def ask(*answers: object) -> Consent:
    plugins = Plugins([Source(answer) for answer in answers], load_entry_points=False)
    return collect_consent(plugins, "r@example.com", purpose="statistics", envelope=ENVELOPE)


GRANTED, DENIED, UNKNOWN = say(ConsentState.GRANTED), say(ConsentState.DENIED), say(ConsentState.UNKNOWN)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((), ConsentState.UNKNOWN),
        ((None,), ConsentState.UNKNOWN),
        ((UNKNOWN, None), ConsentState.UNKNOWN),
        ((GRANTED, UNKNOWN), ConsentState.GRANTED),
        ((GRANTED, DENIED), ConsentState.DENIED),
        ((DENIED, GRANTED), ConsentState.DENIED),
        ((GRANTED, RuntimeError()), ConsentState.DENIED),
        ((GRANTED, True), ConsentState.DENIED),
        ((GRANTED, "granted"), ConsentState.DENIED),
    ],
)
def test_doubt_wins(answers: tuple[object, ...], expected: ConsentState) -> None:
    """Any denial, failure or nonsense wins, then any grant; silence is unknown."""
    consent = ask(*answers)
    assert (consent.opens, consent.clicks) == (expected, expected)


@pytest.mark.parametrize("state", [False, None, "granted", "DENIED"])
def test_consent_of_another_type_cannot_be_made(state: object) -> None:
    """A source that writes something else for an axis fails, and a source that fails counts as a denial."""
    with pytest.raises(TypeError):
        Consent(opens=state)  # type: ignore[arg-type]


def test_axes_are_combined_apart() -> None:
    """A denial of one axis leaves the grant of the other."""
    consent = ask(GRANTED, Consent(clicks=ConsentState.DENIED, source="page"))
    assert (consent.opens, consent.clicks) == (ConsentState.GRANTED, ConsentState.DENIED)
    assert consent.source == "says granted, page"
