"""Everything that is known of how one event was judged, put together in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from mailnod.assessor import Assessor
from mailnod.judge.sentences import say
from mailnod.model import EventRecord, Observation, Signal, Verdict
from mailnod.rejudge import EVIDENCE_PURGED, Rejudgement
from mailnod.store.base import Store

__all__ = ["Explanation", "Neighbour", "Reason", "Step", "lay_open", "to_plain_explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One sign that a verdict rests on."""

    code: str
    #: None where only an earlier verdict knew it: what it weighed then is not kept.
    weight: int | None
    #: Where the rule comes from; "" where nobody says.
    source: str
    #: What it means, in a sentence.
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One verdict of the history."""

    at: datetime
    verdict: Verdict
    gained: tuple[Reason, ...]
    lost: tuple[Reason, ...]
    #: Why it was judged again, in words; empty for the first.
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """Another hit of the window, as seen from the judged one."""

    observation: Observation
    #: Seconds after the judged hit; negative before it.
    offset_s: float
    same_mail: bool
    #: None where either address was not captured.
    same_address: bool | None
    same_agent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How an event was judged, from first to last."""

    record: EventRecord
    #: Seconds since a server accepted the mail; None where that is not known.
    age_s: float | None
    neighbours: tuple[Neighbour, ...]
    #: What the latest verdict rests on, strongest first.
    reasons: tuple[Reason, ...]
    history: tuple[Step, ...]
    #: What the rules of today say.
    today: Rejudgement

    @property
    def today_reasons(self) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
        """What today's verdict rests on that the latest one does not, and the reverse."""
        return _describe_all(self.today.gained), tuple(_recall(code, {}) for code in self.today.lost)


def lay_open(record: EventRecord, *, store: Store, assessor: Assessor) -> Explanation:
    """Put together what is known of how an event was judged.

    :param assessor: judges as the worker does, for what today's rules say.
    """
    observation, delivery = record.observation, record.delivery
    (window,) = store.get_windows([observation])
    verdict, signals = (None, ()) if window.purged else assessor.explain(observation, window)
    known = {signal.code: signal for signal in signals}
    others = [one for one in window.observations if one.id != observation.id]
    sent_at = None if delivery is None else delivery.accepted_at or delivery.envelope.sent_at
    return Explanation(
        record=record,
        age_s=None if sent_at is None else (observation.hit.received_at - sent_at).total_seconds(),
        neighbours=tuple(_look_at(one, observation) for one in others),
        reasons=tuple(_recall(code, known) for code in record.event.verdict.reason_codes),
        history=tuple(_tell(store.get_verdicts(observation.id), others, known)),
        today=Rejudgement(record=record, verdict=verdict, signals=signals),
    )


def _tell(
    verdicts: Sequence[tuple[datetime, Verdict]], others: Sequence[Observation], known: dict[str, Signal]
) -> Iterator[Step]:
    for at, verdict in verdicts[:1]:
        yield Step(at=at, verdict=verdict, gained=_recall_all(verdict, None, known), lost=(), causes=())
    for (before_at, before), (at, verdict) in pairwise(verdicts):
        yield Step(
            at=at,
            verdict=verdict,
            gained=_recall_all(verdict, before, known),
            lost=_recall_all(before, verdict, known),
            causes=tuple(_find_causes(before_at, before, at, verdict, others)),
        )


def _find_causes(
    before_at: datetime, before: Verdict, at: datetime, verdict: Verdict, others: Sequence[Observation]
) -> Iterator[str]:
    if before.ruleset != verdict.ruleset:
        yield f"the rules went from {before.ruleset} to {verdict.ruleset}"
    number = sum(before_at < one.hit.received_at <= at for one in others)
    if number:
        yield f"{number} more {'hit' if number == 1 else 'hits'} came into its window"
    if before.ruleset == verdict.ruleset and not number:
        yield "a hit was taken in late, or lists of networks or plugins changed"


def _look_at(one: Observation, judged: Observation) -> Neighbour:
    known = one.hit.ip is not None and judged.hit.ip is not None
    return Neighbour(
        observation=one,
        offset_s=(one.hit.received_at - judged.hit.received_at).total_seconds(),
        same_mail=one.delivery_id == judged.delivery_id,
        same_address=one.hit.ip == judged.hit.ip if known else None,
        same_agent=one.hit.user_agent == judged.hit.user_agent,
    )


def _recall_all(verdict: Verdict, other: Verdict | None, known: dict[str, Signal]) -> tuple[Reason, ...]:
    """Return the reasons of one verdict that another does not have."""
    left_out = () if other is None else other.reason_codes
    return tuple(_recall(code, known) for code in verdict.reason_codes if code not in left_out)


def _recall(code: str, known: dict[str, Signal]) -> Reason:
    signal = known.get(code)
    if signal is not None:
        return _describe(signal)
    return Reason(code=code, weight=None, source="", sentence=say(code) or "No rule of today knows this sign.")


def _describe(signal: Signal) -> Reason:
    sentence = say(signal.code) or "A plugin found this sign."
    return Reason(code=signal.code, weight=signal.weight, source=signal.source, sentence=sentence)


def _describe_all(signals: Sequence[Signal]) -> tuple[Reason, ...]:
    return tuple(map(_describe, signals))


def to_plain_explanation(explanation: Explanation) -> dict[str, object]:
    """Return what JSON says of an explanation."""
    record, today = explanation.record, explanation.today
    gained, lost = explanation.today_reasons
    return {
        "event": record.event,
        "observation": record.observation,
        "evidence": EVIDENCE_PURGED if today.verdict is None else "whole",
        "delivery": record.delivery,
        "seconds_after_acceptance": explanation.age_s,
        "window": [
            {
                "offset_s": one.offset_s,
                "same_mail": one.same_mail,
                "same_address": one.same_address,
                "same_agent": one.same_agent,
                "observation": one.observation,
            }
            for one in explanation.neighbours
        ],
        "reasons": explanation.reasons,
        "history": [
            {
                "seq": seq,
                "published_at": step.at,
                "verdict": step.verdict,
                "gained": step.gained,
                "lost": step.lost,
                "causes": step.causes,
            }
            for seq, step in enumerate(explanation.history)
        ],
        "today": {"verdict": today.verdict, "differs": today.changed, "gained": gained, "lost": lost},
    }
