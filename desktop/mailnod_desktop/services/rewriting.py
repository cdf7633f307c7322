"""Rewrite mails as the sender would, by its own policy, plans and bytes, and say what becomes of every link."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import blake2b
from time import perf_counter
from types import MappingProxyType
from typing import Final

from mailnod.errors import ConfigurationError, RewriteError
from mailnod.html.plan import Plan
from mailnod.model import Decision, Envelope, Mode, Override, Route
from mailnod.plugins import Plugins
from mailnod.send.compile import Compiler
from mailnod.send.mime import read_message
from mailnod.send.override import read_headers
from mailnod.send.policy import Layers, apply_consent, pick, wish
from mailnod.settings import Settings, refuse_unknown
from mailnod.tokens import Key, Keyring, KeyState, new_secret
from mailnod_desktop.services.as_sent import list_unknown, show_as_recorded, show_as_sent, take_back
from mailnod_desktop.services.consents import AskConsent, find_consents
from mailnod_desktop.services.findings import find_findings
from mailnod_desktop.services.link_rows import list_links, list_text_links
from mailnod_desktop.services.model import Body, Inspection, LinkRow, Parsed, Wishes
from mailnod_desktop.services.plans import Plans, make_plans
from mailnod_desktop.services.restoring import restore
from mailnod_desktop.services.source import Source, drop_own_headers, measure, open_source

__all__ = ["PREVIEW_BASE_URL", "PREVIEW_ROUTE", "Rewriter"]

#: Where the links of a preview lead that has no collector: a name that nobody can own (RFC 2606).
PREVIEW_BASE_URL: Final = "https://track.example/t"
PREVIEW_ROUTE: Final = "preview"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A mail that is about to be rewritten."""

    parsed: Parsed
    wishes: Wishes
    #: With the text that was before an earlier rewriting of ours, where there was one.
    source: Source
    envelope: Envelope
    layers: Layers
    unknown: tuple[str, ...] = ()


class Rewriter:
    """Shows what leaves instead of a mail; it sends and stores nothing, and holds no state but its keys.

    :param settings: of the app whose mail it is. Where they have no route that tracks, one named ``preview`` is added,
        which tracks opens and clicks of those who consent, and is the default.
    :param keyring: signs tokens and links; None makes one that nobody else knows.
    :param plugins: None asks no plugin.
    :param consents: what a store knows of an address and a purpose; asked where the wishes leave a consent open.
    """

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring | None,
        *,
        plugins: Plugins | None = None,
        consents: AskConsent | None = None,
    ) -> None:
        #: Whether the keys were made for this run, so that no collector but ours knows what they sign.
        self.ephemeral_keys = keyring is None
        self.keyring = keyring or Keyring([Key(id=0, state=KeyState.SIGNING, secret=new_secret())])
        self.settings, self.default_route = _add_preview(settings)
        self._plugins = plugins or Plugins(load_entry_points=False)
        self._consents = consents
        self._compiler = Compiler(keyring=self.keyring, plugins=self._plugins)
        self._started_at = datetime.now(UTC)
        self._seed = secrets.token_bytes(16)

    @property
    def routes(self) -> Mapping[str, Route]:
        """Every route that wishes may name."""
        return self.settings.routes

    def inspect(self, parsed: Parsed, wishes: Wishes) -> Inspection:
        """Rewrite a mail, and say what was done and why; what fails leaves it as it came, and is said."""
        started = perf_counter()
        try:
            inspection = self._inspect(parsed, wishes)
        except (RewriteError, ConfigurationError) as error:
            inspection = self._leave(parsed, wishes, str(error))
        except Exception as error:
            # A person who looks at one mail of many must see the others.
            inspection = self._leave(parsed, wishes, f"the rewriting failed ({type(error).__name__}: {error})")
        took_ms = (perf_counter() - started) * 1000
        return replace(inspection, findings=find_findings(inspection), took_ms=took_ms)

    def _inspect(self, parsed: Parsed, wishes: Wishes) -> Inspection:
        if parsed.summary.problem:
            return self._leave(parsed, wishes, parsed.summary.problem)
        if parsed.mail.recorded is not None and not parsed.htmls:
            return show_as_recorded(parsed, wishes, parsed.mail.recorded)
        source = open_source(parsed.mail)
        restored = [restore(html) for html in source.htmls] if parsed.tracked_by else []
        if any(restored):
            if replace(wishes, recipient=None) == Wishes():
                return show_as_sent(parsed, wishes, source, restored, route=self.default_route)
            source = take_back(source, restored)
        subject = _Subject(
            parsed=parsed,
            wishes=wishes,
            source=source,
            envelope=self._make_envelope(parsed),
            layers=_read_layers(parsed, wishes),
            unknown=list_unknown(restored),
        )
        return self._rewrite(subject)

    def _rewrite(self, subject: _Subject) -> Inspection:
        parsed, wishes = subject.parsed, subject.wishes
        route = self._choose_route(subject)
        wanted = wish(route, subject.layers)
        recipients = parsed.summary.recipients or ("",)
        asked = dict.fromkeys((*recipients, wishes.recipient or recipients[0]))
        consents = find_consents(
            asked,
            wishes,
            purpose=route.purpose,
            envelope=subject.envelope,
            settings=self.settings,
            plugins=self._plugins,
            ask=self._consents,
        )
        shown = recipients if wishes.recipient is None else (wishes.recipient,)
        plan_once = cache(partial(self._make_plans, subject, route))
        plans = plan_once(apply_consent(wanted, [consents[recipient] for recipient in shown]))
        own = {one: plan_once(apply_consent(wanted, [consents[one]])).decision for one in parsed.summary.recipients}
        tokens = {one: self._sign(parsed, one, route, decision) for one, decision in own.items() if decision.tracked}
        token = self._sign(parsed, wishes.recipient or "", route, plans.decision) if plans.decision.tracked else None
        return _fill(subject, plans, token=token, tokens=tokens)

    def _choose_route(self, subject: _Subject) -> Route:
        name = pick(subject.layers, "route")
        if name is None:
            answers = (answer for _, answer in self._plugins.call("get_route", envelope=subject.envelope))
            name = next((answer for answer in answers if answer is not None), self.default_route)
        if not isinstance(name, str):
            raise ConfigurationError("a plugin failed to name the route")
        route = self.settings.get_route(name)
        if route is None:
            raise refuse_unknown("route", name, self.routes)
        return route

    def _make_plans(self, subject: _Subject, route: Route, decision: Decision) -> Plans:
        refused: dict[int, frozenset[int]] = {}
        for body, index in subject.wishes.refused:
            refused[body] = refused.get(body, frozenset()) | {index}
        return make_plans(
            subject.source,
            decision,
            compiler=self._compiler,
            route=route,
            base_url=route.base_url or self.settings.base_url,
            excluded_hosts=self.settings.excluded_hosts,
            envelope=subject.envelope,
            refused=refused,
        )

    def _sign(self, parsed: Parsed, recipient: str, route: Route, decision: Decision) -> str:
        """Return the token of one copy; it depends on the mail, on whom the copy is for and on what is tracked."""
        name = f"{parsed.mail.key}\0{recipient}".encode("utf-8", "surrogatepass")
        delivery_id = blake2b(name, key=self._seed, digest_size=8).digest()
        expires_at = self._started_at + timedelta(days=route.token_max_age_days)
        return self.keyring.sign(delivery_id, opens=decision.opens, clicks=decision.clicks, expires_at=expires_at)

    def _make_envelope(self, parsed: Parsed) -> Envelope:
        headers = {name.lower(): value for name, value in reversed(parsed.headers)}
        return Envelope(
            message_id=headers.get("message-id", ""),
            recipients=parsed.summary.recipients,
            subject=parsed.summary.subject,
            sent_at=self._started_at,
        )

    def _leave(self, parsed: Parsed, wishes: Wishes, error: str) -> Inspection:
        """Return the mail as it came, because something failed."""
        bodies = tuple(map(_make_body, parsed.htmls, parsed.htmls))
        decision = Decision(
            opens=Mode.NONE, clicks=Mode.NONE, route=wishes.route or self.default_route, reasons=(error,)
        )
        return Inspection(
            parsed=parsed,
            wishes=wishes,
            decision=decision,
            bodies=bodies,
            links=(),
            findings=(),
            data=parsed.mail.data,
            token=None,
            error=error,
            text=parsed.text,
        )


def _add_preview(settings: Settings) -> tuple[Settings, str]:
    """Return settings with a route that tracks, and the name of the route that mail takes."""
    if any(route.track_opens or route.track_clicks for route in settings.routes.values()):
        return settings, settings.default_route
    base_url = None if settings.base_url else PREVIEW_BASE_URL
    preview = Route(name=PREVIEW_ROUTE, track_opens=True, track_clicks=True, base_url=base_url)
    routes = MappingProxyType({**settings.routes, PREVIEW_ROUTE: preview})
    return replace(settings, routes=routes, default_route=PREVIEW_ROUTE), PREVIEW_ROUTE


def _read_layers(parsed: Parsed, wishes: Wishes) -> Layers:
    """Return what the mail's own headers wish, and what the switches say, which goes before it."""
    header = read_headers(parsed.headers)
    switched = Override(track_opens=wishes.track_opens, track_clicks=wishes.track_clicks, route=wishes.route)
    return ([("header", header)] if header else []) + [("the inspector", switched)]


def _fill(subject: _Subject, plans: Plans, *, token: str | None, tokens: Mapping[str, str]) -> Inspection:
    """Return what leaves: the filled bodies, or all as it came where there is no token."""
    source, parsed = subject.source, subject.parsed
    data, text = source.data, parsed.text
    text_links: tuple[LinkRow, ...] = ()
    if token is None:
        bodies = tuple(map(_make_body, source.htmls, source.htmls))
    else:
        data = source.fill(plans.bodies, token)
        filled = (plan.fill(token) for plan in plans.bodies)
        bodies = tuple(map(_make_body, source.htmls, filled, plans.bodies))
        if plans.texts:
            texts = [plan.fill(token) for plan in plans.texts]
            data, text = read_message(data, kind="text/plain").replace_texts(texts), texts[0]
            text_links = list_text_links(plans.texts, token, first_body=len(bodies))
    return Inspection(
        parsed=parsed,
        wishes=subject.wishes,
        decision=plans.decision,
        bodies=bodies,
        links=list_links(bodies, [plan.links for plan in plans.bodies], plans.decision, token) + text_links,
        findings=(),
        data=drop_own_headers(data) if source.message is not None else data,
        token=token,
        tokens=MappingProxyType(dict(tokens)),
        unknown=subject.unknown,
        text=text,
    )


def _make_body(original: str, rewritten: str, plan: Plan | None = None) -> Body:
    return Body(
        original=original,
        rewritten=rewritten,
        plan=plan,
        original_bytes=measure(original),
        rewritten_bytes=measure(rewritten),
    )
