"""What is said of an event in words: each sentence once, for the window and for a copy as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailnod.explanation import Explanation, Neighbour, Reason, Step
from mailnod.model import Classification, Delivery, Hit, Traces, Verdict
from mailnod_desktop.services.explaining import Details
from mailnod_desktop.services.wording import count, format_time

__all__ = [
    "MOST_NEIGHBOURS",
    "NOTHING_UNUSUAL",
    "PURGED",
    "find_nearest",
    "list_request",
    "name_class",
    "name_hit",
    "say_change",
    "say_client",
    "say_counted",
    "say_mail_age",
    "say_neighbour",
    "say_offset",
    "say_recipients",
    "say_today",
    "say_traces",
    "to_text",
]

#: As many hits around are listed, the nearest in time; the JSON has all.
MOST_NEIGHBOURS = 12

PURGED = (
    "The address, the user agent and the headers were erased when their time was over. The verdict that was given "
    "before stands, and nothing can be said by the rules of today."
)
NOTHING_UNUSUAL = "Nothing unusual was seen."


def name_class(classification: Classification) -> str:
    """Return a class of verdicts as people read it."""
    return classification.value.replace("_", " ")


def name_hit(hit: Hit) -> str:
    """Return what was done."""
    if hit.kind == "open":
        return "Open"
    return "Click on the hidden link" if hit.honeypot else f"Click on link {(hit.link_index or 0) + 1}"


def say_counted(verdict: Verdict) -> str:
    """Return who acted, and where that counts."""
    if verdict.machine:
        return "A machine: it counts among machines, and not among people."
    if verdict.counts_for_metrics:
        return "A person: it counts among people."
    return "A person, perhaps: it counts nowhere."


def say_client(verdict: Verdict) -> str:
    """Return what the reader used, as far as the request tells."""
    parts = [part.replace("_", " ") for part in (verdict.client_type, verdict.device_type) if part]
    client = ", ".join([*([verdict.client_name] if verdict.client_name else []), *parts])
    through = f"through the proxy {verdict.proxy_type}" if verdict.proxy_type else ""
    return ", ".join(filter(None, (client, through))) or "not known"


def say_mail_age(age_s: float | None) -> str:
    """Return how long after the mail a hit came; "" where that is not known."""
    if age_s is None:
        return ""
    return f"{_say_seconds(abs(age_s))} {'before' if age_s < 0 else 'after'} the mail"


def say_offset(offset_s: float) -> str:
    """Return how far from the judged hit another one is: "+1.5 s", "-4.2 min"."""
    sign = "-" if offset_s < 0 else "+"
    seconds = abs(offset_s)
    return f"{sign}{seconds:.1f} s" if seconds < 60 else f"{sign}{seconds / 60:.1f} min"


def say_neighbour(one: Neighbour) -> str:
    """Return what another hit of the window was, seen from the judged one."""
    hit = one.observation.hit
    name = name_hit(hit) if one.same_mail else f"{'Open' if hit.kind == 'open' else 'Click'} in another mail"
    method = "" if hit.method == "GET" else f" ({hit.method})"
    address = {None: "", True: ", same address", False: f", from {hit.ip}"}[one.same_address]
    return f"{name}{method}{address}, {'same' if one.same_agent else 'another'} user agent"


def find_nearest(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Return the neighbours that are listed, by time."""
    nearest = sorted(neighbours, key=lambda one: abs(one.offset_s))[:MOST_NEIGHBOURS]
    return sorted(nearest, key=lambda one: one.offset_s)


def say_recipients(delivery: Delivery) -> str:
    """Return to whom a mail went."""
    if delivery.recipient:
        return delivery.recipient
    number = len(delivery.envelope.recipients)
    return f"one of {number} who share this mail" if number > 1 else "an erased recipient"


def say_change(step: Step) -> str:
    """Return why a verdict was given anew; "" for the first one."""
    if not step.causes:
        return ""
    same = "" if step.gained or step.lost else ", which weighs the same signs otherwise"
    return f"Because {' and '.join(step.causes)}{same}."


def say_today(explanation: Explanation) -> str:
    """Return in a sentence what the rules of today say."""
    today = explanation.today
    if today.verdict is None:
        return "They can say nothing: its evidence, or that of a hit around it, was erased. The verdict stands."
    if not today.changed:
        return f"They say the same (version {today.verdict.ruleset})."
    return (
        f"They would say something else (version {today.verdict.ruleset}). Nothing is changed by looking; "
        "the command 'mailnod rejudge' would make it so."
    )


def say_traces(traces: Traces) -> str:
    """Return what stayed of erased evidence."""
    network = f"network: {traces.network}" if traces.network else "network: in no list"
    names = ", ".join(traces.header_names) or "none"
    return f"What stayed: {network}; names of headers: {names}."


def list_request(hit: Hit) -> Iterator[tuple[str, str]]:
    """Yield what a request was, each part with its name."""
    yield "Time", format_time(hit.received_at)
    yield "Method", hit.method
    yield "Address", "not kept" if hit.ip is None else hit.ip
    yield "User agent", "not kept" if hit.user_agent is None else hit.user_agent or "none was sent"
    if hit.url is not None:
        yield "Leads to", hit.url


def to_text(details: Details) -> str:
    """Return everything that is known of an event as plain text."""
    explanation = details.explanation
    record = explanation.record
    hit, verdict = record.observation.hit, record.event.verdict
    age = say_mail_age(explanation.age_s)
    lines = [
        f"Event {record.event.id.hex()}: {name_hit(hit)}" + (f", {age}" if age else ""),
        "",
        f"Verdict: {_say_verdict(verdict)}",
        f"  {say_counted(verdict)}",
        f"  Client: {say_client(verdict)}",
        "",
        "Evidence, strongest first: + speaks for a machine, - for a person",
        *(_say_reason(reason) for reason in explanation.reasons),
        *([] if explanation.reasons else [f"  {NOTHING_UNUSUAL}"]),
        "",
        "What came in",
        *(f"  {name}: {value}" for name, value in list_request(hit)),
        *(f"  {name}: {value}" for name, value in sorted((hit.headers or {}).items())),
        *([f"  {PURGED}"] if record.observation.purged else []),
        *([] if details.traces is None else [f"  {say_traces(details.traces)}"]),
        "",
        "The mail",
        *_list_mail(record.delivery),
        "",
        f"Around it: {count(len(explanation.neighbours), 'other hit')} in its window",
        *(f"  {say_offset(one.offset_s)}  {say_neighbour(one)}" for one in explanation.neighbours),
        "",
        "How it came about",
        *(line for step in explanation.history for line in _list_step(step)),
        "",
        "The rules of today",
        f"  {say_today(explanation)}",
        *_list_today(explanation),
    ]
    return "\n".join(lines) + "\n"


def _say_verdict(verdict: Verdict) -> str:
    return f"{name_class(verdict.classification)}, {verdict.probability} % likely a machine"


def _say_reason(reason: Reason) -> str:
    weight = "   ?" if reason.weight is None else f"{reason.weight:+4d}"
    return f"  {weight}  {reason.code}: {reason.sentence}" + (f" [{reason.source}]" if reason.source else "")


def _list_mail(delivery: Delivery | None) -> Iterator[str]:
    if delivery is None:
        yield "  not known to this store"
        return
    yield f"  Subject: {delivery.envelope.subject}"
    yield f"  To: {say_recipients(delivery)}"
    yield f"  Route: {delivery.decision.route}"
    if delivery.envelope.campaign:
        yield f"  Campaign: {delivery.envelope.campaign}"
    yield from (f"  - {reason}" for reason in delivery.decision.reasons)


def _list_step(step: Step) -> Iterator[str]:
    yield f"  {format_time(step.at)}, rules {step.verdict.ruleset}: {_say_verdict(step.verdict)}"
    if step.causes:
        yield f"    {say_change(step)}"
        yield from (f"    gained {reason.code}: {reason.sentence}" for reason in step.gained)
        yield from (f"    lost {reason.code}: {reason.sentence}" for reason in step.lost)


def _list_today(explanation: Explanation) -> Iterator[str]:
    if explanation.today.verdict is None or not explanation.today.changed:
        return
    yield f"  {_say_verdict(explanation.today.verdict)}"
    gained, lost = explanation.today_reasons
    yield from (f"  gained {reason.code}: {reason.sentence}" for reason in gained)
    yield from (f"  lost {reason.code}: {reason.sentence}" for reason in lost)


def _say_seconds(seconds: float) -> str:
    for size, unit_s, name in ((86_400, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes")):
        if seconds >= size:
            return f"{seconds / unit_s:.1f} {name}"
    return f"{seconds:.1f} s"
