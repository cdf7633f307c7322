"""An explanation in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mailnod.cli.context import name_command
from mailnod.cli.output import clean, count, format_time, make_console
from mailnod.explanation import Explanation, Neighbour, Reason, Step
from mailnod.model import Hit, Observation, Verdict

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_explanation"]

#: As many hits around are listed, the nearest in time; the JSON has all.
MOST_NEIGHBOURS = 12


def print_explanation(explanation: Explanation) -> None:
    """Print it: what came in, what was around it, the signs, the verdict, its history, and what today's rules say."""
    console = make_console()
    record = explanation.record
    _print_section(console, _name_event(explanation), _describe_facts(explanation))
    number = len(explanation.neighbours)
    title = f"Around it: {count(number, 'other hit')} in its window" if number else "Around it: no other hit"
    _print_section(console, title, _describe_window(explanation.neighbours))
    reasons = list(_describe_reasons(explanation.reasons)) or ["Nothing unusual was seen."]
    _print_section(console, "The signs, strongest first: + speaks for a machine, - for a person", reasons)
    _print_section(console, "The verdict", _describe_verdict(record.event.verdict))
    _print_section(console, f"How it came about: {count(len(explanation.history), 'verdict')}", _tell(explanation))
    _print_section(console, "The rules of today", _describe_today(explanation), last=True)


def _print_section(console: Console, title: str, lines: Iterable[str], *, last: bool = False) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(clean(title), style="bold"))
    for line in lines:
        text = clean(line.lstrip())
        # What is folded stays below its own first line.
        console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, 2 + len(line) - len(line.lstrip()))))
    if not last:
        console.print()


def _name_event(explanation: Explanation) -> str:
    record = explanation.record
    hit, delivery = record.observation.hit, record.delivery
    what = f"Event {record.event.id.hex()}: {_name_hit(hit)}"
    if delivery is None:
        return f"{what} of a mail that is not known"
    recipients = delivery.envelope.recipients
    who = delivery.recipient or (
        f"one of {len(recipients)} recipients" if len(recipients) > 1 else "an erased recipient"
    )
    return f"{what} in {delivery.envelope.subject!r}, sent to {who}"


def _name_hit(hit: Hit) -> str:
    if hit.kind == "open":
        return "open"
    return "click on the hidden link" if hit.honeypot else f"click on link {hit.link_index}, {hit.url}"


def _describe_facts(explanation: Explanation) -> Iterator[str]:
    observation, delivery = explanation.record.observation, explanation.record.delivery
    hit = observation.hit
    yield f"received    {format_time(hit.received_at)} UTC" + _describe_age(explanation.age_s)
    yield f"request     {hit.method} from {'an address that was not kept' if hit.ip is None else hit.ip}"
    if hit.user_agent is None:
        yield "user agent  not kept"
    else:
        yield f"user agent  {hit.user_agent or 'none was sent'}"
    if hit.headers:
        width = max(map(len, hit.headers))
        yield "headers"
        yield from (f"  {name:<{width}}  {value}" for name, value in sorted(hit.headers.items()))
    elif hit.headers is not None:
        yield "headers     none of those that are kept"
    if observation.purged:
        yield "Its evidence was purged, so its verdict stands as it is."
    if delivery is not None:
        campaign = f", campaign {delivery.envelope.campaign}" if delivery.envelope.campaign else ""
        test = ", a test that counts nowhere" if delivery.test else ""
        links = count(delivery.link_count, "tracked link")
        yield f"mail        route {delivery.decision.route}{campaign}, {links}{test}"


def _describe_age(age_s: float | None) -> str:
    if age_s is None:
        return ""
    return f", {_say_seconds(abs(age_s))} {'before' if age_s < 0 else 'after'} the mail"


def _say_seconds(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (120, "minutes")):
        if seconds >= size:
            return f"{seconds / (60 if name == 'minutes' else size):.1f} {name}"
    return f"{seconds:.1f} s"


def _describe_window(neighbours: tuple[Neighbour, ...]) -> Iterator[str]:
    nearest = sorted(neighbours, key=lambda one: abs(one.offset_s))[:MOST_NEIGHBOURS]
    for one in sorted(nearest, key=lambda one: one.offset_s):
        yield f"{one.offset_s:+8.1f} s  {_describe_neighbour(one)}"
    if len(neighbours) > len(nearest):
        yield f"and {len(neighbours) - len(nearest)} more, further away"


def _describe_neighbour(one: Neighbour) -> str:
    hit = one.observation.hit
    method = "" if hit.method == "GET" else f" ({hit.method})"
    return ", ".join((f"{_name_place(one.observation, same_mail=one.same_mail)}{method}", *_compare(one)))


def _name_place(observation: Observation, *, same_mail: bool) -> str:
    hit = observation.hit
    if not same_mail:
        return f"{hit.kind} in another mail"
    if hit.kind == "open":
        return "open"
    return "click on the hidden link" if hit.honeypot else f"click on link {hit.link_index}"


def _compare(one: Neighbour) -> Iterator[str]:
    if one.same_address is not None:
        yield "same address" if one.same_address else f"from {one.observation.hit.ip}"
    yield "same user agent" if one.same_agent else "another user agent"


def _describe_reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    for reason in reasons:
        weight = "   ?" if reason.weight is None else f"{reason.weight:+4d}"
        source = f" [{reason.source}]" if reason.source else ""
        yield f"{weight}  {reason.code}: {reason.sentence}{source}"


def _describe_verdict(verdict: Verdict) -> Iterator[str]:
    who = "a machine" if verdict.machine else "a person"
    counts = "counts as one of people" if verdict.counts_for_metrics else "is not counted among people"
    yield f"{_name_verdict(verdict)}: {who}, {counts}"
    client = ", ".join(filter(None, (verdict.client_name, verdict.client_type, verdict.device_type)))
    yield f"client {client or 'not known'}" + (f", through {verdict.proxy_type}" if verdict.proxy_type else "")


def _name_verdict(verdict: Verdict) -> str:
    return f"{verdict.classification.value}, {verdict.probability} % likely a machine"


def _tell(explanation: Explanation) -> Iterator[str]:
    for number, step in enumerate(explanation.history, start=1):
        yield f"{number}. {format_time(step.at)} UTC, rules {step.verdict.ruleset}: {_name_verdict(step.verdict)}"
        if number > 1:
            yield from _tell_change(step)


def _tell_change(step: Step) -> Iterator[str]:
    yield f"   because {' and '.join(step.causes)}"
    yield from (f"   gained {reason.code}: {reason.sentence}" for reason in step.gained)
    yield from (f"   lost {reason.code}: {reason.sentence}" for reason in step.lost)
    if not step.gained and not step.lost:
        yield "   the same signs, weighed otherwise"


def _describe_today(explanation: Explanation) -> Iterator[str]:
    today = explanation.today
    if today.verdict is None:
        yield "can say nothing: evidence purged. The verdict stands."
        return
    if not today.changed:
        yield f"say the same (version {today.verdict.ruleset})."
        return
    yield f"would say (version {today.verdict.ruleset}): {_name_verdict(today.verdict)}"
    gained, lost = explanation.today_reasons
    yield from (f"gained {line.lstrip()}" for line in _describe_reasons(gained))
    yield from (f"lost {reason.code}: {reason.sentence}" for reason in lost)
    yield f"'{name_command('rejudge')}' would make it so."
