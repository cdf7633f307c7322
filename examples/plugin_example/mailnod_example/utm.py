"""Campaign parameters for the links that Mailnod tracks, links that it leaves alone, and a log of what happens."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from urllib.parse import quote, urlsplit

from mailnod import ConfigurationError, Decision, Envelope, Event, Link, Observation, hookimpl
from mailnod.html.plan import Plan

__all__ = ["UtmPlugin", "plugin"]

log = logging.getLogger("mailnod_example")

#: Paths of links that let their holder in; nobody else should see that one was followed.
DENIED = ("/login", "/reset", "/confirm", "/invite")


class UtmPlugin:
    """Tags links, leaves those on the deny-list alone, and chooses routes.

    :param source: the value of ``utm_source``.
    :param medium: the value of ``utm_medium``.
    :param denied: links that are not tracked: ``bank.example``, ``.bank.example`` with every host below it, or a part
        of the path, beginning with a slash.
    :param routes: routes by the word that a subject begins with; mail that has a campaign goes to "news".
    :raises ConfigurationError: an entry of the deny-list is neither a host nor a path.
    """

    def __init__(
        self,
        *,
        source: str = "newsletter",
        medium: str = "email",
        denied: Iterable[str] = DENIED,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self._source = source
        self._medium = medium
        entries = [_read_entry(entry) for entry in denied]
        self._denied_paths = tuple(entry for entry in entries if entry.startswith("/"))
        self._denied_hosts = tuple(entry for entry in entries if not entry.startswith("/"))
        self._routes = dict(routes or {})

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> UtmPlugin:
        """Read the plugin's settings from environment variables, which begin with ``EXAMPLE_``."""
        denied = environ.get("EXAMPLE_DENIED_LINKS")
        return cls(
            source=environ.get("EXAMPLE_UTM_SOURCE", "newsletter"),
            medium=environ.get("EXAMPLE_UTM_MEDIUM", "email"),
            denied=DENIED if denied is None else filter(None, map(str.strip, denied.split(","))),
        )

    @hookimpl
    def get_route(self, envelope: Envelope) -> str | None:
        """Choose a route by the campaign, else by the subject."""
        if envelope.campaign:
            return "news"
        return next((route for word, route in self._routes.items() if envelope.subject.startswith(word)), None)

    @hookimpl
    def allow_link(self, link: Link) -> bool | None:
        """Leave links alone that are on the deny-list; say nothing of others."""
        parts = urlsplit(link.url.lower())
        host, path = (parts.hostname or "").rstrip("."), parts.path
        if any(word in path for word in self._denied_paths):
            return False
        return False if any(_is_host(host, denied) for denied in self._denied_hosts) else None

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


def _is_host(host: str, denied: str) -> bool:
    return f".{host}".endswith(denied) if denied.startswith(".") else host == denied


def _read_entry(entry: str) -> str:
    if "://" in entry or any(letter.isspace() for letter in entry) or (not entry.startswith("/") and "/" in entry):
        raise ConfigurationError(
            f"{entry!r} in EXAMPLE_DENIED_LINKS is neither a host nor a path; write 'bank.example' or '/login'"
        )
    return entry.lower()


#: What the entry point names.
plugin = UtmPlugin.from_environ(os.environ)
