"""Campaign parameters for the links that Mailnod tracks, and a log of what happens to them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from mailnod import Decision, Envelope, Event, Link, Observation, hookimpl
from mailnod.html.plan import Plan

__all__ = ["UtmPlugin", "plugin"]

log = logging.getLogger("mailnod_utm")

#: Words in a path that mark a link which lets its holder in; nobody else should see that it was followed.
PRIVATE_WORDS = ("login", "reset", "confirm", "invite")


class UtmPlugin:
    """Tags links and chooses routes.

    :param source: the value of ``utm_source``.
    :param medium: the value of ``utm_medium``.
    :param routes: routes by the word that a subject begins with; mail that has a campaign goes to "news".
    """

    def __init__(
        self, *, source: str = "newsletter", medium: str = "email", routes: Mapping[str, str] | None = None
    ) -> None:
        self._source = source
        self._medium = medium
        self._routes = dict(routes or {})

    @hookimpl
    def get_route(self, envelope: Envelope) -> str | None:
        """Choose a route by the campaign, else by the subject."""
        if envelope.campaign:
            return "news"
        return next((route for word, route in self._routes.items() if envelope.subject.startswith(word)), None)

    @hookimpl
    def allow_link(self, link: Link) -> bool | None:
        """Leave links alone that let their holder in."""
        path = urlsplit(link.url).path.lower()
        return False if any(word in path for word in PRIVATE_WORDS) else None

    @hookimpl
    def change_url(self, url: str, envelope: Envelope) -> str | None:
        """Add the parameters behind those that are there; a link that has some already stays as it is."""
        rest, mark, fragment = url.partition("#")
        if "utm_" in urlsplit(rest).query:
            return None
        values = {"utm_source": self._source, "utm_medium": self._medium, "utm_campaign": envelope.campaign or ""}
        tags = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items() if value)
        return f"{rest}{'&' if '?' in rest else '?'}{tags}{mark}{fragment}"

    @hookimpl
    def message_prepared(self, plan: Plan, decision: Decision) -> None:
        """Note how much of a message is tracked, and why."""
        tracked = sum(link.tracked for link in plan.links)
        log.info("prepared: %d of %d links, %s", tracked, len(plan.links), "; ".join(decision.reasons))

    @hookimpl
    def observation_recorded(self, observation: Observation) -> None:
        """Note that a hit came in."""
        log.info("recorded: %s %s", observation.hit.kind, observation.id.hex())

    @hookimpl
    def event_created(self, event: Event) -> None:
        """Note what a hit was judged to be."""
        log.info("created: %s %s %s", event.type, event.id.hex(), event.verdict.classification)

    @hookimpl
    def event_revised(self, event: Event, previous: Event) -> None:
        """Note that a judgement changed."""
        was, now = previous.verdict.classification, event.verdict.classification
        log.info("revised: %s %s %s -> %s", event.type, event.id.hex(), was, now)


#: What the entry point names.
plugin = UtmPlugin()
