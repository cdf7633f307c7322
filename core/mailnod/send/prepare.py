"""Turn a message into the tracked copies that leave, or leave it as it is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from mailnod.errors import ConfigurationError, StoreUnavailableError, describe_error
from mailnod.html.plain import TextPlan
from mailnod.html.plan import Plan
from mailnod.model import Consent, ConsentState, Decision, Delivery, Envelope, KeptBody, Mode, Route
from mailnod.plugins import Plugins
from mailnod.send.compile import Compiler, Target
from mailnod.send.consent import collect_consent
from mailnod.send.fitting import count_links, match_plans, number_links
from mailnod.send.policy import Layers, apply_consent, pick, wish
from mailnod.settings import Settings, refuse_unknown
from mailnod.store.base import Store
from mailnod.tokens import Keyring

__all__ = ["Draft", "Mailing", "Prepared", "Preparer", "leave"]

log = logging.getLogger("mailnod.send")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message as an adapter hands it over."""

    envelope: Envelope
    #: The text of each HTML part.
    parts: tuple[str, ...]
    #: The text of each plain-text part.
    texts: tuple[str, ...] = ()
    #: The value of that header (RFC 2369); links to its targets are left alone.
    list_unsubscribe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message that is ready to be sent."""

    #: Whom this copy is for.
    recipients: tuple[str, ...]
    #: The HTML parts to send, in the order in which they were given.
    parts: tuple[str, ...]
    #: The plain-text parts to send, in the order in which they were given.
    texts: tuple[str, ...]
    decision: Decision
    #: None where nothing is tracked.
    delivery: Delivery | None = None
    #: One for each HTML part; empty where nothing is tracked.
    plans: tuple[Plan, ...] = ()
    #: What the plans were filled with; None where nothing is tracked.
    token: str | None = None

    @property
    def changed(self) -> bool:
        """Whether any part differs from what was given."""
        return self.delivery is not None


class Mailing(NamedTuple):
    """One message of many that are prepared together."""

    draft: Draft
    #: Overrides, lowest precedence first.
    layers: Layers
    #: Whether each recipient who may be tracked gets a copy.
    split: bool


def leave(draft: Draft, *, route: str, reasons: Sequence[str]) -> Prepared:
    """Return the message as it came, with the reasons why."""
    decision = Decision(opens=Mode.NONE, clicks=Mode.NONE, route=route, reasons=tuple(reasons))
    return _keep(draft, decision)


class Preparer:
    """The sending stage: decide, rewrite, and write the delivery down before the mail leaves.

    :param store: asked for nothing where the message is not to be tracked.
    """

    def __init__(self, *, settings: Settings, keyring: Keyring, plugins: Plugins, store: Store) -> None:
        self._settings = settings
        self._keyring = keyring
        self._plugins = plugins
        self._store = store
        self._compiler = Compiler(keyring=keyring, plugins=plugins)
        self._keeping_fails = False

    def prepare(self, draft: Draft, *, layers: Layers) -> Prepared:
        """Return the message as it should leave, one body for all its recipients.

        :param layers: overrides, lowest precedence first.
        :raises TrackError: something failed; send the original.
        """
        batch = _Batch(self._store)
        prepared = self._prepare(draft, layers, batch)
        self._write([prepared], batch)
        return prepared

    def prepare_each(self, draft: Draft, *, layers: Layers) -> list[Prepared]:
        """Return a copy for each recipient who may be tracked, and one for all the others together.

        :raises TrackError: something failed; send the original.
        """
        batch = _Batch(self._store)
        copies = self._prepare_each(draft, layers, batch)
        self._write(copies, batch)
        return copies

    def prepare_all(self, mailings: Sequence[Mailing]) -> list[list[Prepared] | Exception]:
        """Return the copies of many messages, whose deliveries are written in one transaction.

        :returns: for each message its copies, or what failed; then send the original.
        :raises StoreUnavailableError: the deliveries could not be written; send every original.
        """
        batch = _Batch(self._store)
        outcomes: list[list[Prepared] | Exception] = []
        for draft, layers, split in mailings:
            try:
                if split:
                    outcomes.append(self._prepare_each(draft, layers, batch))
                else:
                    outcomes.append([self._prepare(draft, layers, batch)])
            except Exception as error:
                outcomes.append(error)
        try:
            self._write([copy for copies in outcomes if isinstance(copies, list) for copy in copies], batch)
        except StoreUnavailableError:
            raise
        except Exception:
            # The store refuses one of them, for which the others need not go untracked.
            return [self._write_alone(outcome, batch) for outcome in outcomes]
        return outcomes

    def plan(self, html: str, *, route: Route, list_unsubscribe: str | None = None) -> Plan:
        """Return the plan by which a body is rewritten for those who consent to both axes.

        Plugins that look at an envelope have no say here.

        :raises RewriteError: the HTML cannot be edited safely.
        :raises ConfigurationError: neither the route nor the settings have a base URL.
        """
        base_url = route.base_url or self._settings.base_url
        if base_url is None:
            raise ConfigurationError("MAILNOD_BASE_URL is not set, and links must lead somewhere")
        hosts = self._settings.excluded_hosts
        target = Target.of(route, base_url=base_url, excluded_hosts=hosts, list_unsubscribe=list_unsubscribe)
        return self._compiler.compile(html, target)

    def _prepare(self, draft: Draft, layers: Layers, batch: _Batch) -> Prepared:
        draft = replace(draft, envelope=_add_context(draft.envelope, layers))
        name = self._choose_route(draft.envelope, layers)
        if name is None:
            return leave(draft, route=self._settings.default_route, reasons=["a plugin failed to name the route"])
        route = self._settings.get_route(name)
        if route is None:
            error = refuse_unknown("route", name, self._settings.routes)
            log.warning("a message is not tracked: %s", error)
            return leave(draft, route=name, reasons=[str(error)])
        wanted = wish(route, layers)
        if not (wanted.opens or wanted.clicks):
            return leave(draft, route=name, reasons=wanted.reasons)
        base_url = route.base_url or self._settings.base_url
        if base_url is None:
            return leave(draft, route=name, reasons=[*wanted.reasons, "MAILNOD_BASE_URL is not set"])
        if not any(draft.parts):
            return leave(draft, route=name, reasons=[*wanted.reasons, "no HTML part"])
        batch.begin()
        decision = apply_consent(wanted, [self._ask(r, route, draft.envelope) for r in draft.envelope.recipients])
        if not decision.tracked:
            return _keep(draft, decision)
        return self._rewrite(draft, decision, route, base_url, test=self._is_test(draft.envelope, layers))

    def _prepare_each(self, draft: Draft, layers: Layers, batch: _Batch) -> list[Prepared]:
        copies: list[Prepared] = []
        for recipient in draft.envelope.recipients:
            own = replace(draft, envelope=replace(draft.envelope, recipients=(recipient,)))
            copies.append(self._prepare(own, layers, batch))
        rest = [copy for copy in copies if not copy.changed]
        shared = [replace(rest[0], recipients=tuple(r for copy in rest for r in copy.recipients))] if rest else []
        return shared + [copy for copy in copies if copy.changed]

    def _write(self, copies: Sequence[Prepared], batch: _Batch) -> None:
        """Write down what is tracked, and only then tell plugins."""
        batch.write([copy.delivery for copy in copies if copy.delivery is not None])
        self._keep_bodies(copies)
        for copy in copies:
            for plan in copy.plans:
                delivery = copy.delivery
                self._plugins.notify(
                    "message_prepared", envelope=delivery and delivery.envelope, plan=plan, decision=copy.decision
                )

    def _keep_bodies(self, copies: Sequence[Prepared]) -> None:
        """Keep the HTML of copies as it came, where their routes say so; mail leaves whether that works or not."""
        bodies: list[KeptBody] = []
        for copy in copies:
            route = self._settings.get_route(copy.decision.route)
            if copy.delivery is not None and route is not None and route.store_bodies_days:
                erase_at = copy.delivery.envelope.sent_at + timedelta(days=route.store_bodies_days)
                bodies.append(KeptBody(copy.delivery.id, tuple(plan.source for plan in copy.plans), erase_at))
        if not bodies:
            return
        try:
            self._store.keep_bodies(bodies)
        except Exception as error:
            # One line for an outage, and not one for each of its thousand messages.
            if not self._keeping_fails:
                log.error("bodies are not kept: %s", describe_error(error))
            self._keeping_fails = True
        else:
            self._keeping_fails = False

    def _write_alone(self, outcome: list[Prepared] | Exception, batch: _Batch) -> list[Prepared] | Exception:
        if isinstance(outcome, list):
            try:
                self._write(outcome, batch)
            except Exception as error:
                return error
        return outcome

    def _choose_route(self, envelope: Envelope, layers: Layers) -> str | None:
        """Return the name of the message's route; None where a plugin that should say it failed."""
        chosen = pick(layers, "route")
        if chosen is None:
            for _, answer in self._plugins.call("get_route", envelope=envelope):
                if answer is not None:
                    return answer if isinstance(answer, str) else None
        return str(chosen or self._settings.default_route)

    def _ask(self, recipient: str, route: Route, envelope: Envelope) -> Consent:
        consent = collect_consent(self._plugins, recipient, purpose=route.purpose, envelope=envelope)
        if not self._settings.is_test_recipient(recipient) or ConsentState.DENIED in (consent.opens, consent.clicks):
            return consent
        granted = ConsentState.GRANTED
        return Consent(opens=granted, clicks=granted, source="MAILNOD_TEST_RECIPIENTS")

    def _is_test(self, envelope: Envelope, layers: Layers) -> bool:
        return bool(pick(layers, "test")) or all(map(self._settings.is_test_recipient, envelope.recipients))

    def _compile(self, draft: Draft, target: Target, *, texts: bool) -> tuple[tuple[Plan, ...], tuple[TextPlan, ...]]:
        plans = tuple(self._compiler.compile(part, target, envelope=draft.envelope) for part in draft.parts)
        if not (texts and target.clicks):
            return plans, ()
        first = max(len(plan.links) for plan in plans)
        compile_text = self._compiler.compile_text
        return plans, tuple(
            compile_text(text, target, envelope=draft.envelope, first_index=first) for text in draft.texts
        )

    def _rewrite(self, draft: Draft, decision: Decision, route: Route, base_url: str, *, test: bool) -> Prepared:
        target = Target.of(
            route,
            base_url=base_url,
            excluded_hosts=self._settings.excluded_hosts,
            opens=decision.opens is not Mode.NONE,
            clicks=decision.clicks is not Mode.NONE,
            list_unsubscribe=draft.list_unsubscribe,
        )
        plans, text_plans = self._compile(draft, target, texts=route.text_clicks)
        destinations = number_links(plans, text_plans) if target.link_style == "short" else None
        if target.link_style == "short" and destinations is None:
            # Two parts number different links alike, so no number tells where to go.
            plans, text_plans = self._compile(draft, replace(target, link_style="portable"), texts=route.text_clicks)
        decision = match_plans(decision, plans, text_plans)
        if not decision.tracked:
            return _keep(draft, decision)
        last_day = draft.envelope.sent_at + timedelta(days=route.token_max_age_days)
        delivery = Delivery(
            id=secrets.token_bytes(8),
            envelope=draft.envelope,
            decision=decision,
            link_count=count_links(plans) + count_links(text_plans),
            expires_at=last_day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1),
            test=test,
            destinations=destinations or None,
        )
        token = self._keyring.sign(
            delivery.id,
            opens=decision.opens,
            clicks=decision.clicks,
            expires_at=last_day,
        )
        return Prepared(
            recipients=draft.envelope.recipients,
            parts=tuple(plan.fill(token) for plan in plans),
            texts=tuple(plan.fill(token) for plan in text_plans) or draft.texts,
            decision=decision,
            delivery=delivery,
            plans=plans,
            token=token,
        )


class _Batch:
    """Messages whose deliveries are written together; nothing is asked of the store before it must be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._consent_mark: int | None = None

    def begin(self) -> None:
        """Remember, before anybody is asked for consent, who has withdrawn so far."""
        if self._consent_mark is None:
            self._consent_mark = self._store.get_consent_mark()

    def write(self, deliveries: Sequence[Delivery]) -> None:
        """Write deliveries down; whoever has withdrawn since the beginning is found by the store."""
        if deliveries:
            self._store.add_deliveries(deliveries, consent_mark=self._consent_mark)


def _keep(draft: Draft, decision: Decision) -> Prepared:
    return Prepared(recipients=draft.envelope.recipients, parts=draft.parts, texts=draft.texts, decision=decision)


def _add_context(envelope: Envelope, layers: Layers) -> Envelope:
    found = {name: pick(layers, name) for name in ("campaign", "tags", "metadata")}
    return replace(envelope, **{name: value for name, value in found.items() if value is not None})
