"""Messages with override keywords, and the copy of a message that leaves in its place."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from email.utils import formatdate, parseaddr
from functools import partial
from inspect import signature
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, make_msgid, message
from django.core.mail.utils import DNS_NAME

from mailnod import OVERRIDE_KEYWORDS, Override, is_own_header, make_override
from mailnod.settings import refuse_unknown

__all__ = [
    "BadHeaderError",
    "TrackedEmail",
    "address_to",
    "check_headers",
    "copy_message",
    "drop_wishes",
    "find_header",
    "find_html",
    "find_message_id",
    "find_texts",
    "get_call_keyword",
    "has_html_body",
    "is_for_staff",
    "list_recipients",
    "pin_headers",
    "read_attributes",
    "replace_parts",
    "return_attributes",
]

#: What Django raises for a line break in a header; from Django 6.0 on that is ValueError itself.
BadHeaderError: type[ValueError] = getattr(message, "BadHeaderError", ValueError)

#: The message whose ``send`` runs in this context, and what that call wishes.
_call: ContextVar[tuple[EmailMessage, Override] | None] = ContextVar("mailnod_django_call", default=None)

#: Attributes of the copy that are ours; what a backend makes of them never reaches the caller's message.
_KEPT_BACK = {"alternatives", "body", "connection", "_connection", "extra_headers", *OVERRIDE_KEYWORDS}


class TrackedEmail(EmailMultiAlternatives):
    """Django's ``EmailMultiAlternatives`` that also says how it is tracked.

    :param args: as ``EmailMultiAlternatives`` takes them.
    :param kwargs: as ``EmailMultiAlternatives`` takes them, and the override keywords: ``track_opens`` and
        ``track_clicks`` (True, False, or None to inherit), ``route``, ``campaign``, ``tags``, ``metadata``,
        ``recipient_mode`` and ``test``. They can be set as attributes later, on every other message too, and travel
        with the message when it is pickled.
    :raises TypeError: a keyword is unknown (the message names the nearest known one) or has the wrong type.
    :raises ValueError: a text holds a control character.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        overrides = {name: kwargs.pop(name) for name in OVERRIDE_KEYWORDS if name in kwargs}
        for name in kwargs:
            if name not in _PARAMETERS:
                raise TypeError(str(refuse_unknown("keyword", name, (*_PARAMETERS, *OVERRIDE_KEYWORDS))))
        make_override(**overrides)
        super().__init__(*args, **kwargs)
        # An attribute that is None means something else to django-anymail than one that is not there.
        vars(self).update({name: value for name, value in overrides.items() if value is not None})

    def send(self, fail_silently: bool = False, **overrides: Any) -> int:
        """Send the message.

        :param overrides: override keywords for this call; they go before everything but a denied consent. Django 6.1
            takes ``using`` here too, the name of a mailer.
        :raises TypeError: an override keyword is unknown or has the wrong type.
        """
        using = {"using": overrides.pop("using")} if "using" in overrides else {}
        token = _call.set((self, make_override(**overrides)))
        try:
            return super().send(fail_silently, **using)
        finally:
            _call.reset(token)


_PARAMETERS = tuple(signature(EmailMultiAlternatives.__init__).parameters)[1:]


def get_call_keyword(message: EmailMessage) -> Override | None:
    """Return what the running call of a message's own ``send`` wishes; None outside of it."""
    call = _call.get()
    return call[1] if call is not None and call[0] is message else None


def read_attributes(message: EmailMessage) -> dict[str, Any]:
    """Return the override keywords that stand on a message as attributes, unchecked and without those that are unset.

    Messages of django-anymail mark unset attributes by a class of that name, and may hold numbers in their metadata.
    """
    found = ((name, getattr(message, name, None)) for name in OVERRIDE_KEYWORDS)
    attributes = {name: value for name, value in found if value is not None and not _is_unset(value)}
    metadata = attributes.get("metadata")
    if isinstance(metadata, Mapping):
        attributes["metadata"] = {key: _to_text(value) for key, value in metadata.items()}
    return attributes


def check_headers(message: EmailMessage) -> None:
    """Refuse line breaks and NUL in the names and values of our own headers, before anything is done with them.

    :raises BadHeaderError: there is one.
    """
    for name, value in _list_headers(message):
        if is_own_header(name) and any(char in text for text in (name, value) for char in "\r\n\0"):
            raise BadHeaderError(f"a line break or NUL in the header {name!r}")


def copy_message(message: EmailMessage) -> EmailMessage:
    """Return a copy whose lists and dicts are its own, without our headers and without a way back to our backend.

    Backends that put messages aside pickle or copy them whole, and a connection in them cannot be pickled.
    """
    fresh = copy.copy(message)
    for name, value in vars(fresh).items():
        if isinstance(value, (list, dict, set)):
            vars(fresh)[name] = copy.copy(value)
    for name in ("connection", "_connection"):
        if name in vars(fresh):
            vars(fresh)[name] = None
    kept = {name: value for name, value in (message.extra_headers or {}).items() if not is_own_header(str(name))}
    fresh.extra_headers = kept
    return fresh


def drop_wishes(message: EmailMessage) -> None:
    """Take the wish to be tracked off a copy, on which it is decided; a provider behind a queue would read it again.

    :param message: a copy.
    """
    for name in ("track_opens", "track_clicks"):
        if vars(message).get(name):
            del vars(message)[name]


def find_message_id(message: EmailMessage) -> str:
    """Return a message's Message-ID, or a new one where it has none."""
    return find_header(message, "Message-ID") or make_msgid(domain=str(DNS_NAME))


def pin_headers(message: EmailMessage, message_id: str, *, date: bool) -> None:
    """Write down what Django would make anew each time a message is serialised: the Message-ID and, if asked, the date.

    :param message: a copy.
    """
    pinned = {"Date": formatdate(localtime=settings.EMAIL_USE_LOCALTIME)} if date else {}
    pinned["Message-ID"] = message_id
    missing = {name: value for name, value in pinned.items() if find_header(message, name) is None}
    # In front, where Django itself would put them.
    message.extra_headers = {**missing, **message.extra_headers}


def address_to(message: EmailMessage, recipients: Iterable[str]) -> None:
    """Let a copy go to some of its recipients only; its headers stay, and Bcc shows in none of them.

    :param message: a copy.
    """
    # Queues may pickle it, which rules out a function of our own on the copy.
    vars(message)["recipients"] = partial(list, tuple(recipients))


def find_header(message: EmailMessage, wanted: str) -> str | None:
    """Return the value of an extra header by its name in any case; None where it is not there."""
    headers = _list_headers(message)
    return next((value for name, value in headers if name.strip().lower() == wanted.lower()), None)


def list_recipients(message: EmailMessage) -> tuple[str, ...]:
    """Return the bare addresses of To, Cc and Bcc, in order, each once."""
    return tuple(dict.fromkeys(_bare(str(recipient)) for recipient in message.recipients()))


def is_for_staff(message: EmailMessage) -> bool:
    """Return whether a message is one of Django's own to ``ADMINS`` or ``MANAGERS``: an error report, for example."""
    people = (*settings.ADMINS, *settings.MANAGERS)
    addresses = {_bare(str(person if isinstance(person, str) else person[-1])) for person in people}
    return message.from_email == settings.SERVER_EMAIL and addresses.issuperset(list_recipients(message))


def find_html(message: EmailMessage) -> list[str]:
    """Return the text of each HTML part: the body where its type is HTML, and HTML alternatives.

    Attached HTML, AMP and calendars are left alone.

    :raises UnicodeDecodeError: a part holds bytes that are not text in the message's charset.
    """
    return [_decode(message, content) for content in _walk_html(message)]


def find_texts(message: EmailMessage) -> list[str]:
    """Return the text of the body where it is plain text; bytes and attached texts are left alone."""
    plain = str(message.content_subtype).lower() == "plain" and bool(message.body)
    return [str(message.body)] if plain and not isinstance(message.body, bytes) else []


def replace_parts(message: EmailMessage, parts: Iterable[str], texts: Iterable[str]) -> None:
    """Set the text of each HTML part and of the plain body; bytes stay bytes, alternatives their type.

    :param message: a copy.
    :param parts: in the order of :func:`find_html`.
    :param texts: in the order of :func:`find_texts`.
    """
    html = iter(parts)
    if has_html_body(message):
        message.body = _like(message, message.body, next(html))
    for text in texts:
        message.body = text
    if isinstance(message, EmailMultiAlternatives):
        message.alternatives = [
            _replace(alternative, _like(message, alternative[0], next(html))) if _is_html(alternative) else alternative
            for alternative in message.alternatives
        ]


def return_attributes(message: EmailMessage, copied: EmailMessage, before: Mapping[str, Any]) -> None:
    """Set on the caller's message what the backend has set on the copy, such as ``anymail_status``.

    :param before: the copy's attributes before it was handed over.
    """
    for name, value in vars(copied).items():
        if name not in _KEPT_BACK and (name not in before or before[name] is not value):
            vars(message)[name] = value


def _list_headers(message: EmailMessage) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in (message.extra_headers or {}).items()]


def _bare(recipient: str) -> str:
    # What cannot be read as an address keeps its text: nobody has consented for it, so it turns tracking off.
    return parseaddr(recipient)[1] or recipient


def has_html_body(message: EmailMessage) -> bool:
    """Return whether the body itself is HTML, and no alternative to it."""
    return str(message.content_subtype).lower() == "html" and bool(message.body)


def _is_html(alternative: Any) -> bool:
    return str(alternative[1]).strip().lower() == "text/html" and bool(alternative[0])


def _walk_html(message: EmailMessage) -> Iterator[Any]:
    if has_html_body(message):
        yield message.body
    yield from (alternative[0] for alternative in getattr(message, "alternatives", None) or () if _is_html(alternative))


def _charset(message: EmailMessage) -> str:
    return str(message.encoding or settings.DEFAULT_CHARSET)


def _decode(message: EmailMessage, content: Any) -> str:
    return content.decode(_charset(message)) if isinstance(content, bytes) else str(content)


def _like(message: EmailMessage, old: Any, text: str) -> Any:
    return text.encode(_charset(message)) if isinstance(old, bytes) else text


def _replace(alternative: Any, content: Any) -> Any:
    if hasattr(alternative, "_replace"):
        return alternative._replace(content=content)
    return content, alternative[1]


def _is_unset(value: Any) -> bool:
    return isinstance(value, type) and value.__name__ == "UNSET"


def _to_text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
