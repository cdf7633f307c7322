"""What the plans of a message have room for, links and a pixel, and the decision without the rest; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailnod.html.plain import TextPlan
from mailnod.html.plan import Plan
from mailnod.model import Decision, Mode

__all__ = ["count_links", "match_plans", "number_links"]


def count_links(plans: Sequence[Plan] | Sequence[TextPlan]) -> int:
    """Return how many links are tracked; alternatives of one message show the same ones, so the most counts."""
    return max((sum(link.tracked for link in plan.links) for plan in plans), default=0)


def number_links(plans: Sequence[Plan], text_plans: Sequence[TextPlan]) -> dict[int, str] | None:
    """Return where each number leads; None where it leads to different places in different parts."""
    destinations: dict[int, str] = {}
    for links in (*(plan.links for plan in plans), *(plan.links for plan in text_plans)):
        for link in links:
            if link.tracked and destinations.setdefault(link.index, link.url) != link.url:
                return None
    return destinations


def match_plans(decision: Decision, plans: Sequence[Plan], text_plans: Sequence[TextPlan]) -> Decision:
    """Return the decision without the axes for which the message has no place; a rate must not count them."""
    if decision.opens is not Mode.NONE and all(plan.pixel == "none" for plan in plans):
        reasons = (*decision.reasons, "the HTML has no place for a pixel: opens off")
        decision = replace(decision, opens=Mode.NONE, reasons=reasons)
    if decision.clicks is not Mode.NONE and not (count_links(plans) or count_links(text_plans)):
        reasons = (*decision.reasons, "there is no link to track: clicks off")
        decision = replace(decision, clicks=Mode.NONE, reasons=reasons)
    return decision
