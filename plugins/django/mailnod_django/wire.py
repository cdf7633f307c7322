"""Messages whose HTML comes again: Django makes all but their HTML, which is filled in as bytes."""

from __future__ import annotations

import email.policy
from functools import partial
from typing import Any

import django
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend

from mailnod import Prepared
from mailnod.send.wire import PLACEHOLDER, WirePlan, WirePlans
from mailnod_django.message import copy_message, find_html, has_html_body, replace_parts

__all__ = ["find_stand_in"]

_SEND: Any = vars(SMTPBackend)["_send"]
#: How Django's SMTP backend asks a message for its bytes.
_MESSAGE: dict[str, Any] = {} if django.VERSION < (6, 0) else {"policy": email.policy.SMTP}
_BYTES: dict[str, Any] = {"linesep": "\r\n"} if django.VERSION < (6, 0) else {}

#: What makes a message in one version of Django or another; who overrides one of these is asked for every message.
_MAKERS = (
    "message",
    "_add_attachment",
    "_add_attachments",
    "_add_bodies",
    "_create_alternatives",
    "_create_attachment",
    "_create_attachments",
    "_create_message",
    "_create_mime_attachment",
    "_idna_encode_address_header_domains",
    "_set_list_header_if_not_empty",
)


def find_stand_in(
    plans: WirePlans, backend: Any, message: EmailMessage, prepared: Prepared | None
) -> EmailMessage | None:
    """Return what a backend can send in a message's place, with the same bytes in less time; None where nothing does.

    :param backend: only Django's own way to send by SMTP is known well enough.
    :param message: the tracked copy as it leaves, after everybody has had a say in it.
    :param prepared: what it was filled with; None where the message is not tracked.
    """
    if prepared is None or prepared.token is None or not _is_plain(message):
        return None
    if getattr(type(backend), "_send", None) is not _SEND or len(prepared.plans) != 1:
        return None
    # A receiver of our signal, or the backend itself, may have put another text into it.
    if has_html_body(message) or find_html(message) != list(prepared.parts):
        return None
    (mimetype,) = (kind for _, kind in message.alternatives if kind.strip().lower() == "text/html")  # type: ignore[attr-defined]
    charset = message.encoding or settings.DEFAULT_CHARSET
    if not isinstance(charset, str):
        return None
    wire = plans.find(prepared.plans[0], (mimetype, charset), partial(_encode, mimetype, charset))
    if wire is None:
        return None
    stand_in = copy_message(message)
    vars(stand_in)["message"] = partial(_Filled, message, wire, prepared.token)
    return stand_in


class _Filled:
    """What Django's SMTP backend asks for a message's bytes."""

    def __init__(self, message: EmailMessage, wire: WirePlan, token: str, **keywords: Any) -> None:
        self._message = message
        self._wire = wire
        self._token = token
        self._keywords = keywords

    def as_bytes(self, **keywords: Any) -> bytes:
        frame = copy_message(self._message)
        replace_parts(frame, [PLACEHOLDER], [])
        made = self._wire.complete(frame.message(**self._keywords).as_bytes(**keywords), self._token)
        return made or self._message.message(**self._keywords).as_bytes(**keywords)


def _is_plain(message: EmailMessage) -> bool:
    own, theirs = type(message), EmailMultiAlternatives
    overridden = (getattr(own, name, None) is not getattr(theirs, name, None) for name in _MAKERS)
    texts = all(isinstance(content, str) for content, _ in getattr(message, "alternatives", ()))
    return texts and not any(overridden) and not any(name in vars(message) for name in _MAKERS)


def _encode(mimetype: str, charset: str, html: str) -> bytes:
    """Return an HTML text as one part of a message."""
    message = EmailMultiAlternatives(alternatives=[(html, mimetype)])
    message.encoding = charset
    parts: Any = message.message(**_MESSAGE).get_payload()
    made: bytes = parts[0].as_bytes(**_BYTES)
    return made
