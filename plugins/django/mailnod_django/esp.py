"""django-anymail inside: who tracks, we or the provider, and the provider's events in our store.

``MAILNOD["ESP_TRACKING"]`` is ``"ours"`` where Mailnod rewrites and the provider is told to leave mail alone, or
``"esp"`` where the provider rewrites: then routes, overrides and consent decide what it may track, the token of the
delivery goes along in the message's metadata, and django-anymail's ``tracking`` signal brings it back with each event.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.apps import apps
from django.core.mail import EmailMessage

from mailnod import Observation, Prepared, Tracker
from mailnod.errors import TokenError
from mailnod.model import Claims, Hit, Kind, Mode, TokenState
from mailnod.store.ids import new_id

__all__ = ["connect", "is_anymail", "leave_tracking_to_esp", "leave_tracking_to_us", "record_event"]

#: Providers (``esp_name`` of django-anymail 15.2) that can be told per message whether to track. The others raise even
#: for False: what they do is set in their own console.
_SWITCHABLE = frozenset(
    (
        "Mailgun",
        "Mailjet",
        "MailerSend",
        "Mandrill",
        "Postmark",
        "SendGrid",
        "SparkPost",
        "Test",
        "Unisender Go",
    )
)
#: Providers that take no metadata, so that nothing tells which delivery an event belongs to.
_WITHOUT_METADATA = frozenset(("MailerSend", "Postal"))
#: Under this name the token stands in a message's metadata.
_METADATA = "mailnod"
_KINDS: dict[str, Kind] = {"opened": "open", "clicked": "click"}


def is_anymail(backend: object) -> bool:
    """Return whether a backend is one of django-anymail's."""
    return any(cls.__module__.partition(".")[0] == "anymail" for cls in type(backend).__mro__)


def leave_tracking_to_us(backend: Any, message: EmailMessage) -> None:
    """Tell the provider not to track a message: where it cannot be told, take the wish for it off the message."""
    _switch(backend, message, opens=False, clicks=False)


def leave_tracking_to_esp(tracker: Tracker, backend: Any, message: EmailMessage, prepared: Prepared | None) -> None:
    """Tell the provider what it may track, and give it the delivery's token to bring back."""
    delivery = None if prepared is None else prepared.delivery
    if delivery is None or backend.esp_name in _WITHOUT_METADATA:
        leave_tracking_to_us(backend, message)
        return
    decision = delivery.decision
    _switch(
        backend,
        message,
        opens=decision.opens is not Mode.NONE,
        clicks=decision.clicks is not Mode.NONE,
    )
    route = tracker.settings.routes[decision.route]
    token = tracker.keyring.sign(
        delivery.id,
        opens=decision.opens,
        clicks=decision.clicks,
        expires_at=delivery.envelope.sent_at + timedelta(days=route.token_max_age_days),
    )
    given = vars(message).get("metadata")
    vars(message)["metadata"] = {**(given if isinstance(given, dict) else {}), _METADATA: token}


def connect(app: Any) -> None:
    """Listen to django-anymail's ``tracking`` signal, where it is installed.

    :param app: ours; its tracker is asked for with each event, because tests change settings.
    """
    if not apps.is_installed("anymail"):
        return
    from anymail.signals import tracking

    def receive(event: Any, esp_name: str, **_: Any) -> None:
        record_event(app.tracker, event, esp_name)

    tracking.connect(receive, weak=False, dispatch_uid="mailnod_django")


def record_event(tracker: Tracker, event: Any, esp_name: str) -> None:
    """Take a provider's open or click into the store; other events, and those of other mail, are passed over.

    The provider's name stands in the hit's ``via`` header. An event that is sent again is recorded once.

    :param event: an ``AnymailTrackingEvent``.
    :raises StoreError: the store cannot be used; django-anymail then answers 500, and the provider tries again.
    """
    kind = _KINDS.get(event.event_type)
    claims = _read_claims(tracker, event)
    if kind is None or claims is None or claims.state is not TokenState.VALID:
        return
    if (claims.opens if kind == "open" else claims.clicks) is Mode.NONE:
        return
    received_at = (event.timestamp or tracker.clock.now()).astimezone(UTC)
    hit = Hit(
        kind=kind,
        method="GET",
        ip=None,
        user_agent=event.user_agent or None,
        headers={"via": f"django-anymail {esp_name}"},
        received_at=received_at,
        url=event.click_url if kind == "click" else None,
    )
    observation = Observation(id=_make_id(event, esp_name, received_at), hit=hit, delivery_id=claims.delivery_id)
    tracker.store.add_observations([observation], settle_s=tracker.settings.settle_s)


def _switch(backend: Any, message: EmailMessage, *, opens: bool, clicks: bool) -> None:
    for name, value in (("track_opens", opens), ("track_clicks", clicks)):
        vars(message).pop(name, None)
        if backend.esp_name in _SWITCHABLE:
            vars(message)[name] = value


def _read_claims(tracker: Tracker, event: Any) -> Claims | None:
    token = (event.metadata or {}).get(_METADATA)
    try:
        return tracker.keyring.verify(str(token), now=tracker.clock.now()) if token else None
    except TokenError:
        return None


def _make_id(event: Any, esp_name: str, received_at: datetime) -> bytes:
    """Return an id of version 7 that is the same each time the provider sends the event."""
    if not event.event_id:
        return new_id(received_at)
    name = f"{esp_name}\n{event.event_type}\n{event.event_id}".encode()
    digest = int.from_bytes(blake2b(name, digest_size=10).digest(), "big")
    millis = int(received_at.timestamp() * 1000)
    value = millis << 80 | 0x7 << 76 | (digest >> 62 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1
    return value.to_bytes(16, "big")
