"""What plugins add to a judgement, and what is not taken from them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mailnod.assessor import Assessor
from mailnod.hookspecs import hookimpl
from mailnod.judge.classify import Judge
from mailnod.model import Classification, Hit, Observation, Signal, Verdict, Window
from mailnod.plugins import Plugins

JUDGE = Judge()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HIT = Hit(
    kind="click",
    method="GET",
    ip="203.0.113.9",
    user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    headers={"accept": "text/html,application/xhtml+xml", "accept-language": "en", "accept-encoding": "gzip, br"},
    received_at=NOW,
    link_index=0,
    url="https://example.com/",
)
CLICK = Observation(id=bytes(16), hit=HIT, delivery_id=b"8 bytes.")
WINDOW = Window(delivery=None, observations=(CLICK,))


class Adds:
    """Adds what it was made with to the evidence."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @hookimpl
    def find_signals(self, observation: Observation, window: Window) -> Any:
        assert observation in window.observations
        return self.answer


class Overrides:
    """Changes some fields of each verdict, or answers what it was made with."""

    def __init__(self, answer: Any = None, **changes: Any) -> None:
        self.answer = answer
        self.changes = changes

    @hookimpl
    def override_verdict(self, verdict: Verdict) -> Any:
        return replace(verdict, **self.changes) if self.changes else self.answer


class Raises:
    """A plugin with a defect in both hooks."""

    @hookimpl
    def find_signals(self) -> Iterator[Signal]:
        yield Signal(code="early", weight=100)
        raise KeyError("reader@example.com")

    @hookimpl
    def override_verdict(self) -> Verdict:
        raise KeyError("reader@example.com")


SCANNER: dict[str, Any] = {
    "classification": Classification.SECURITY_SCANNER,
    "machine": True,
    "counts_for_metrics": False,
    "probability": 99,
}


def explain(*plugins: object) -> tuple[Verdict, tuple[Signal, ...]]:
    """Judge the click with plugins, and check that the short way comes to the same verdict."""
    assessor = Assessor(judge=JUDGE, plugins=Plugins(plugins, load_entry_points=False))
    found = assessor.explain(CLICK, WINDOW)
    assert assessor.classify(CLICK, WINDOW) == found[0]
    return found


def test_without_plugins_the_judge_has_the_last_word() -> None:
    """Where no plugin takes part, verdict and evidence are the judge's own."""
    assert explain() == JUDGE.explain(CLICK, WINDOW)


def test_signals_of_plugins_are_weighed_with_those_of_the_rules() -> None:
    """Each plugin's signals move the probability, name the plugin as their source, and stand among the reasons."""
    before, _ = explain()
    verdict, signals = explain(Adds([Signal(code="ours.monitor", weight=100, source="our table")]), Adds(None))
    assert not before.machine
    assert verdict.machine
    assert verdict.probability > before.probability
    assert signals[0] == Signal(code="ours.monitor", weight=100, source="plugin 'Adds': our table")
    assert verdict.reason_codes[0] == "ours.monitor"
    opposite, _ = explain(Adds([Signal(code="ours.monitor", weight=100)]), Adds((Signal(code="no", weight=-100),)))
    assert opposite.probability == before.probability


@pytest.mark.parametrize(
    "answer",
    [
        3,
        "text",
        [Signal(code="good", weight=100), "bad"],
        [Signal(code="", weight=100)],
        [Signal(code="a b", weight=100)],
        [Signal(code="heavy", weight=101)],
        [Signal(code="half", weight=0.5)],  # type: ignore[arg-type]
        [Signal(code="flag", weight=True)],
        [Signal(code="source", weight=1, source=None)],  # type: ignore[arg-type]
        [Signal(code="many", weight=0)] * 101,
    ],
)
def test_what_is_no_signal_is_left_out(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An answer with anything wrong in it is left out as a whole, and logged once for each plugin."""
    kept = Signal(code="kept", weight=1)
    assert explain(Adds([kept]), Adds(answer))[0] == explain(Adds([kept]))[0]
    assert caplog.text.count("'Adds 2' is not heard in hook 'find_signals'") == 1


def test_plugin_that_raises_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """A defect in one plugin changes nothing and stops no other; the log names plugin and hook, and no data."""
    caplog.set_level(logging.ERROR)
    verdict, _ = explain(Overrides(**SCANNER), Raises())
    assert verdict.classification is Classification.SECURITY_SCANNER
    assert "early" not in verdict.reason_codes
    assert "'Raises' is not heard in hook 'find_signals'" in caplog.text
    assert "'Raises' raised in hook 'override_verdict'" in caplog.text
    assert "reader@example.com" not in caplog.text


def test_override_replaces_the_verdict_and_signs_for_it() -> None:
    """The first plugin that answers decides; the verdict names it first, keeps the rules' reasons and their version."""
    before, signals = explain()
    verdict, shown = explain(Overrides(**SCANNER), Overrides(None))
    assert verdict == replace(before, **SCANNER, reason_codes=("override.Overrides", *before.reason_codes))
    assert shown[0].code == "override.Overrides"
    assert shown[0].weight == 100
    assert shown[1:] == signals
    person = replace(before, client_name="Kiosk", ruleset="mine")
    verdict, shown = explain(Overrides(**SCANNER), Overrides(person))
    assert (verdict.client_name, verdict.ruleset, verdict.reason_codes[0]) == (
        "Kiosk",
        before.ruleset,
        "override.Overrides_2",
    )
    assert shown[0].weight == -100


@pytest.mark.parametrize(
    "changes",
    [
        {"answer": "scanner"},
        {"classification": "security_scanner"},
        {"classification": Classification.SECURITY_SCANNER},
        {"machine": True},
        {**SCANNER, "counts_for_metrics": True},
        {"probability": 101},
        {"probability": 50.0},
        {"proxy_type": "hotmail"},
        {"reason_codes": ["a"]},
        {"reason_codes": (1,)},
        {"counts_for_metrics": 1},
        {"device_type": 3},
    ],
)
def test_what_is_no_verdict_is_refused(changes: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """An invalid answer is refused and logged once, and the next plugin is asked."""
    verdict, _ = explain(Overrides(**SCANNER), Overrides(**changes))
    assert verdict.reason_codes[0] == "override.Overrides"
    assert caplog.text.count("'Overrides 2' is not heard in hook 'override_verdict'") == 1


def test_person_may_be_left_out_of_the_counts() -> None:
    """A plugin may say that a hit is a person's and counts nowhere."""
    verdict, _ = explain(Overrides(counts_for_metrics=False))
    assert verdict.counted_as is None
