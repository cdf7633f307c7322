"""Turn a message's HTML parts into the tracked copy that leaves, or leave them as they are."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from mailnod.errors import ConfigurationError, HookError
from mailnod.html.plan import Plan, compile_plan
from mailnod.model import Decision, Delivery, Envelope, Link, Mode, Route
from mailnod.plugins import Plugins
from mailnod.send.consent import collect_consent
from mailnod.send.policy import Layers, apply_consent, pick, wish
from mailnod.settings import Settings
from mailnod.store.base import Store
from mailnod.tokens import Keyring

__all__ = ["Prepared", "Preparer", "untracked"]

#: How many plans a process keeps, and of bodies of what length at most: some 20 MB in the worst case.
CACHED_PLANS = 16
MAX_CACHED_CHARS = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message that is ready to be sent."""

    #: The HTML parts to send, in the order in which they were given.
    parts: tuple[str, ...]
    decision: Decision
    #: None where nothing is tracked.
    delivery: Delivery | None = None
    #: One for each part; empty where nothing is tracked.
    plans: tuple[Plan, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether any part differs from what was given."""
        return any(plan.changed for plan in self.plans)


def untracked(parts: Sequence[str], *, route: str, reasons: Sequence[str]) -> Prepared:
    """Return the message as it came, with the reasons why."""
    decision = Decision(opens=Mode.NONE, clicks=Mode.NONE, route=route, reasons=tuple(reasons))
    return Prepared(parts=tuple(parts), decision=decision)


class Preparer:
    """The sending stage: decide, rewrite, and write the delivery down before the mail leaves.

    :param store: asked for nothing where the message is not to be tracked.
    """

    def __init__(self, *, settings: Settings, keyring: Keyring, plugins: Plugins, store: Store) -> None:
        self._settings = settings
        self._keyring = keyring
        self._plugins = plugins
        self._store = store
        # A campaign sends one body many times; its plan is made once.
        self._compile_again: Callable[..., Plan] = lru_cache(maxsize=CACHED_PLANS)(self._compile)

    def prepare(
        self, envelope: Envelope, parts: Sequence[str], *, layers: Layers, list_unsubscribe: str | None = None
    ) -> Prepared:
        """Return the message as it should leave.

        :param parts: the text of each HTML part.
        :param layers: overrides, lowest precedence first.
        :param list_unsubscribe: the value of that header (RFC 2369); links to its targets are left alone.
        :raises TrackError: something failed; send the original.
        """
        envelope = _add_context(envelope, layers)
        name, route = self._choose_route(envelope, layers)
        if route is None:
            return untracked(parts, route=name, reasons=[f"route {name!r} is unknown"])
        wanted = wish(route, layers)
        if not (wanted.opens or wanted.clicks):
            return untracked(parts, route=name, reasons=wanted.reasons)
        base_url = route.base_url or self._settings.base_url
        if base_url is None:
            return untracked(parts, route=name, reasons=[*wanted.reasons, "MAILNOD_BASE_URL is not set"])
        if not any(parts):
            return untracked(parts, route=name, reasons=[*wanted.reasons, "no HTML part"])
        consents = [
            collect_consent(self._plugins, recipient, purpose=route.purpose, envelope=envelope)
            for recipient in envelope.recipients
        ]
        decision = apply_consent(wanted, consents)
        if not decision.tracked:
            return Prepared(parts=tuple(parts), decision=decision)
        plans = tuple(self._plan_for(part, envelope, decision, route, base_url, list_unsubscribe) for part in parts)
        decision = _match_plans(decision, plans)
        if not decision.tracked:
            return Prepared(parts=tuple(parts), decision=decision)
        return self._fill(envelope, decision, route, plans)

    def _choose_route(self, envelope: Envelope, layers: Layers) -> tuple[str, Route | None]:
        chosen = pick(layers, "route")
        name = str(chosen or self._plugins.get_first("get_route", envelope=envelope) or self._settings.default_route)
        return name, self._settings.get_route(name)

    def plan(self, html: str, *, route: Route, list_unsubscribe: str | None = None) -> Plan:
        """Return the plan by which a body is rewritten for those who consent to both axes.

        Plugins that look at an envelope have no say here.

        :raises RewriteError: the HTML cannot be edited safely.
        :raises ConfigurationError: neither the route nor the settings have a base URL.
        """
        base_url = route.base_url or self._settings.base_url
        if base_url is None:
            raise ConfigurationError("MAILNOD_BASE_URL is not set, and links must lead somewhere")
        return self._compile_again(html, base_url, True, True, self._exclude(route), list_unsubscribe)

    def _plan_for(
        self,
        html: str,
        envelope: Envelope,
        decision: Decision,
        route: Route,
        base_url: str,
        list_unsubscribe: str | None,
    ) -> Plan:
        def allow_link(link: Link) -> bool:
            answers = list(self._plugins.call("allow_link", link=link, envelope=envelope))
            return not any(answer is False or isinstance(answer, HookError) for _, answer in answers)

        def change_url(url: str, link: Link) -> str:
            return str(self._plugins.chain("change_url", "url", url=url, link=link, envelope=envelope))

        axes = (decision.opens is not Mode.NONE, decision.clicks is not Mode.NONE)
        arguments = (html, base_url, *axes, self._exclude(route), list_unsubscribe)
        allows, changes = self._plugins.has("allow_link"), self._plugins.has("change_url")
        if allows or changes:
            # What a plugin answers may depend on the envelope, so its plan serves this message alone.
            return self._compile(*arguments, allow_link if allows else None, change_url if changes else None)
        return (self._compile_again if len(html) <= MAX_CACHED_CHARS else self._compile)(*arguments)

    def _compile(
        self,
        html: str,
        base_url: str,
        track_opens: bool,
        track_clicks: bool,
        excluded_hosts: tuple[str, ...],
        list_unsubscribe: str | None,
        allow_link: Callable[[Link], bool] | None = None,
        change_url: Callable[[str, Link], str] | None = None,
    ) -> Plan:
        return compile_plan(
            html,
            base_url=base_url,
            tag_link=self._keyring.tag_link,
            track_opens=track_opens,
            track_clicks=track_clicks,
            excluded_hosts=excluded_hosts,
            list_unsubscribe=list_unsubscribe,
            allow_link=allow_link,
            change_url=change_url,
        )

    def _exclude(self, route: Route) -> tuple[str, ...]:
        return (*self._settings.excluded_hosts, *route.excluded_hosts)

    def _fill(self, envelope: Envelope, decision: Decision, route: Route, plans: tuple[Plan, ...]) -> Prepared:
        delivery = Delivery(
            id=secrets.token_bytes(8),
            envelope=envelope,
            decision=decision,
            link_count=max(sum(link.tracked for link in plan.links) for plan in plans),
        )
        token = self._keyring.sign(
            delivery.id,
            opens=decision.opens,
            clicks=decision.clicks,
            expires_at=envelope.sent_at + timedelta(days=route.token_max_age_days),
        )
        parts = tuple(plan.fill(token) for plan in plans)
        self._store.add_delivery(delivery)
        for plan in plans:
            self._plugins.notify("message_prepared", envelope=envelope, plan=plan, decision=decision)
        return Prepared(parts=parts, decision=decision, delivery=delivery, plans=plans)


def _add_context(envelope: Envelope, layers: Layers) -> Envelope:
    found = {name: pick(layers, name) for name in ("campaign", "tags", "metadata")}
    return replace(envelope, **{name: value for name, value in found.items() if value is not None})


def _match_plans(decision: Decision, plans: Sequence[Plan]) -> Decision:
    """Return the decision without the axes for which the HTML has no place; a rate must not count them."""
    if decision.opens is not Mode.NONE and all(plan.pixel == "none" for plan in plans):
        reasons = (*decision.reasons, "the HTML has no place for a pixel: opens off")
        decision = replace(decision, opens=Mode.NONE, reasons=reasons)
    if decision.clicks is not Mode.NONE and not any(link.tracked for plan in plans for link in plan.links):
        reasons = (*decision.reasons, "the HTML has no link to track: clicks off")
        decision = replace(decision, clicks=Mode.NONE, reasons=reasons)
    return decision
