"""The plans by which one mail is rewritten, as the sender makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from mailnod.errors import ConfigurationError
from mailnod.html.plain import TextPlan
from mailnod.html.plan import Plan
from mailnod.model import Decision, Envelope, Link, Mode, Route
from mailnod.send.compile import Compiler, Target
from mailnod.send.fitting import match_plans, number_links
from mailnod.send.mime import read_message
from mailnod_desktop.services.link_rows import REFUSED
from mailnod_desktop.services.source import Source

__all__ = ["Plans", "make_plans"]

#: What a mail is compiled for of which nothing is tracked: no edit is made, and each link gets its reason.
_NOWHERE: Final = "https://track.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """The plans of one mail."""

    #: What is tracked, after it was seen what the mail has room for.
    decision: Decision
    bodies: tuple[Plan, ...]
    #: Of the plain texts, where the route says so.
    texts: tuple[TextPlan, ...]


def make_plans(
    source: Source,
    decision: Decision,
    *,
    compiler: Compiler,
    route: Route,
    base_url: str | None,
    excluded_hosts: tuple[str, ...],
    envelope: Envelope,
    refused: Mapping[int, frozenset[int]],
) -> Plans:
    """Return the plans by which a decision is carried out; where it tracks nothing they change nothing.

    :param base_url: where neither route nor settings have one, None.
    :param refused: indexes of links that a person switched off, by the number of the body.
    :raises RewriteError: the HTML cannot be edited safely.
    :raises ConfigurationError: something is to be tracked, and there is no base URL.
    """
    if base_url is None and decision.tracked:
        raise ConfigurationError("MAILNOD_BASE_URL is not set, and links must lead somewhere")
    target = Target.of(
        route,
        base_url=base_url or _NOWHERE,
        excluded_hosts=excluded_hosts,
        opens=decision.opens is not Mode.NONE,
        clicks=decision.clicks is not Mode.NONE,
        list_unsubscribe=source.list_unsubscribe,
    )
    work = _Work(source=source, compiler=compiler, envelope=envelope, refused=refused)
    bodies, texts = work.compile(target, texts=route.text_clicks)
    if target.link_style == "short" and number_links(bodies, texts) is None:
        # Two parts number different links alike, so no number tells where to go.
        bodies, texts = work.compile(replace(target, link_style="portable"), texts=route.text_clicks)
    if decision.tracked and not any(source.htmls):
        off = Mode.NONE
        decision = replace(decision, opens=off, clicks=off, reasons=(*decision.reasons, "no HTML part"))
    elif decision.tracked:
        decision = match_plans(decision, bodies, texts)
    return Plans(decision=decision, bodies=bodies, texts=texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What the plans of one mail are compiled from."""

    source: Source
    compiler: Compiler
    envelope: Envelope
    refused: Mapping[int, frozenset[int]]

    def compile(self, target: Target, *, texts: bool) -> tuple[tuple[Plan, ...], tuple[TextPlan, ...]]:
        """Return the plans of HTML and plain text."""
        bodies = tuple(self._compile_body(number, html, target) for number, html in enumerate(self.source.htmls))
        message = self.source.message
        if not (texts and target.clicks) or message is None:
            return bodies, ()
        first = max((len(plan.links) for plan in bodies), default=0)
        return bodies, tuple(
            self.compiler.compile_text(part.html.text, target, envelope=self.envelope, first_index=first)
            for part in read_message(message.data, kind="text/plain").parts
        )

    def _compile_body(self, number: int, html: str, target: Target) -> Plan:
        refused = self.refused.get(number, frozenset())
        if not refused:
            return self.compiler.compile(html, target, envelope=self.envelope)
        asked: set[int] = set()

        def allow_link(link: Link) -> bool:
            asked.add(link.index)
            return link.index not in refused

        plan = self.compiler.compile(html, target, envelope=self.envelope, allow_link=allow_link)
        switched_off = asked & refused
        links = (link._replace(reason=REFUSED) if link.index in switched_off else link for link in plan.links)
        return replace(plan, links=tuple(links))
