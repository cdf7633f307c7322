"""Turn a message's HTML parts into the tracked copy that leaves, or leave them as they are."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from mailnod.errors import HookError
from mailnod.html.plan import Plan, compile_plan
from mailnod.model import Decision, Delivery, Envelope, Link, Mode, Route
from mailnod.plugins import Plugins
from mailnod.send.consent import collect_consent
from mailnod.send.policy import Layers, apply_consent, pick, wish
from mailnod.settings import Settings
from mailnod.store.base import Store
from mailnod.tokens import Keyring

__all__ = ["Prepared", "Preparer", "untracked"]


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
        plans = tuple(self._compile(part, envelope, decision, route, base_url, list_unsubscribe) for part in parts)
        decision = _match_plans(decision, plans)
        if not decision.tracked:
            return Prepared(parts=tuple(parts), decision=decision)
        return self._fill(envelope, decision, route, plans)

    def _choose_route(self, envelope: Envelope, layers: Layers) -> tuple[str, Route | None]:
        chosen = pick(layers, "route")
        name = str(chosen or self._plugins.get_first("get_route", envelope=envelope) or self._settings.default_route)
        return name, self._settings.get_route(name)

    def _compile(
        self,
        html: str,
        envelope: Envelope,
        decision: Decision,
        route: Route,
        base_url: str,
        list_unsubscribe: str | None,
    ) -> Plan:
        def allow_link(link: Link) -> bool:
            answers = self._plugins.call("allow_link", link=link, envelope=envelope)
            return not any(answer is False or isinstance(answer, HookError) for _, answer in list(answers))

        def change_url(url: str, link: Link) -> str:
            return str(self._plugins.chain("change_url", "url", url=url, link=link, envelope=envelope))

        return compile_plan(
            html,
            base_url=base_url,
            tag_link=self._keyring.tag_link,
            track_opens=decision.opens is not Mode.NONE,
            track_clicks=decision.clicks is not Mode.NONE,
            excluded_hosts=(*self._settings.excluded_hosts, *route.excluded_hosts),
            list_unsubscribe=list_unsubscribe,
            allow_link=allow_link if self._plugins.has("allow_link") else None,
            change_url=change_url if self._plugins.has("change_url") else None,
        )

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
