"""Messages with override keywords, and the copy of a message that leaves in its place."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.charset import QP, Charset
from email.utils import parseaddr
from inspect import signature
from time import time
from typing import Any

import flask_mail

from mailnod import OVERRIDE_KEYWORDS, is_own_header, make_override
from mailnod.settings import refuse_unknown

__all__ = [
    "MAX_LINE_OCTETS",
    "Message",
    "address_to",
    "check_headers",
    "copy_message",
    "drop_own_headers",
    "find_header",
    "find_html",
    "find_texts",
    "list_recipients",
    "read_attributes",
    "replace_parts",
]

#: The longest line that a mail server must take, without its CRLF (RFC 5321, section 4.5.3.1.6).
MAX_LINE_OCTETS = 998


class Message(flask_mail.Message):
    """A Flask-Mail message that also says how it is tracked.

    :param args: as ``flask_mail.Message`` takes them.
    :param kwargs: as ``flask_mail.Message`` takes them, and the override keywords: ``track_opens`` and ``track_clicks``
        (True, False, or None to inherit), ``route``, ``campaign``, ``tags``, ``metadata``, ``recipient_mode`` and
        ``test``. They can be set as attributes later, and travel with the message when it is pickled.
    :raises TypeError: a keyword is unknown (the message names the nearest known one) or has the wrong type.
    :raises ValueError: a text holds a control character.
    """

    track_opens: bool | None
    track_clicks: bool | None
    route: str | None
    campaign: str | None
    tags: Iterable[str] | None
    metadata: Mapping[str, str] | None
    recipient_mode: str | None
    test: bool | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        overrides = {name: kwargs.pop(name, None) for name in OVERRIDE_KEYWORDS}
        for name in kwargs:
            if name not in _PARAMETERS:
                raise TypeError(str(refuse_unknown("keyword", name, (*_PARAMETERS, *OVERRIDE_KEYWORDS))))
        make_override(**overrides)
        super().__init__(*args, **kwargs)
        vars(self).update(overrides)


_PARAMETERS = tuple(signature(flask_mail.Message.__init__).parameters)[1:]


def read_attributes(message: flask_mail.Message) -> dict[str, Any]:
    """Return the override keywords that stand on a message as attributes, unchecked and without those that are None."""
    found = ((name, getattr(message, name, None)) for name in OVERRIDE_KEYWORDS)
    return {name: value for name, value in found if value is not None}


def check_headers(message: flask_mail.Message) -> None:
    """Refuse line breaks and NUL in the names and values of our own headers, before anything is done with them.

    :raises flask_mail.BadHeaderError: there is one.
    """
    for name, value in (message.extra_headers or {}).items():
        if is_own_header(str(name)) and any(char in text for text in (str(name), str(value)) for char in "\r\n\0"):
            raise flask_mail.BadHeaderError(f"a line break or NUL in the header {name!r}")


def copy_message(message: flask_mail.Message) -> flask_mail.Message:
    """Return a copy whose lists and dicts are its own, so that nothing done to it reaches the original."""
    fresh = copy.copy(message)
    for name, value in vars(fresh).items():
        if isinstance(value, (list, dict, set)):
            vars(fresh)[name] = copy.copy(value)
    return fresh


def drop_own_headers(message: flask_mail.Message) -> flask_mail.Message:
    """Return a dated copy of the message without our headers.

    It is a copy even where there is none to drop: Flask-Mail writes the date on what it sends, and what an app finds on
    its message afterwards must not depend on who consented.
    """
    fresh = copy_message(message)
    if fresh.date is None:
        fresh.date = time()
    if fresh.extra_headers:
        kept = {name: value for name, value in fresh.extra_headers.items() if not is_own_header(str(name))}
        fresh.extra_headers = kept
    return fresh


def find_header(message: flask_mail.Message, wanted: str) -> str | None:
    """Return the value of an extra header by its name in any case; None where it is not there."""
    headers = (message.extra_headers or {}).items()
    return next((str(value) for name, value in headers if str(name).strip().lower() == wanted.lower()), None)


def list_recipients(message: flask_mail.Message) -> tuple[str, ...]:
    """Return the bare addresses of everyone who gets the message, in the order of To, Cc and Bcc, each once."""
    named = (*message.recipients, *(message.cc or ()), *(message.bcc or ()))
    order = {recipient: position for position, recipient in reversed(list(enumerate(named)))}
    # send_to is what Flask-Mail hands to the server; libraries override it.
    everyone = sorted(message.send_to, key=lambda recipient: order.get(recipient, len(named)))
    return tuple(dict.fromkeys(_bare(recipient) for recipient in everyone))


def find_html(message: flask_mail.Message) -> dict[str, str]:
    """Return the HTML alternatives by subtype; AMP, calendars and the like are left alone."""
    html = {name: text for name, text in message.alts.items() if name.lower() == "html" and isinstance(text, str)}
    # A Markup would escape what is put into it.
    return {name: str(text) for name, text in html.items() if text}


def find_texts(message: flask_mail.Message) -> tuple[str, ...]:
    """Return the text of the body; Flask-Mail takes bytes and lazy texts too, which leave as they are."""
    return (str(message.body),) if isinstance(message.body, str) else ()


def replace_parts(message: flask_mail.Message, alternatives: Mapping[str, str], texts: Sequence[str]) -> None:
    """Put other texts into a copy's body and some of its alternatives.

    Flask-Mail never folds, and a longer link can push a line past what mail servers take; only then are the copy's
    texts sent as quoted-printable.

    :param message: a copy.
    :param alternatives: the new text of each alternative, by its subtype.
    :param texts: the new text of the body; empty where there is none.
    """
    message.alts.update(alternatives)
    for text in texts:
        message.body = text
    charset = Charset(str(message.charset or "utf-8"))
    lines = _encode([*alternatives.values(), *texts], charset)
    if charset.body_encoding is None and any(_is_too_long(line) for line in lines):
        charset.body_encoding = QP
        # Flask-Mail hands the attribute on to email.mime.text.MIMEText and email.header.Header; both take a Charset.
        vars(message)["charset"] = charset


def address_to(message: flask_mail.Message, recipients: Iterable[str]) -> None:
    """Let a copy go to some of its recipients only; its headers stay, and Bcc shows in none of them.

    :param message: a copy.
    """
    # Flask-Mail reads the envelope from a property of the class, so the copy gets a class of its own.
    message.__class__ = type("AddressedMessage", (type(message),), {"send_to": frozenset(recipients)})


def _bare(recipient: str | tuple[str, str]) -> str:
    address = recipient[1] if isinstance(recipient, tuple) else parseaddr(str(recipient))[1]
    # What cannot be read as an address keeps its text: nobody has consented for it, so it turns tracking off.
    return address or str(recipient)


def _encode(texts: Iterable[str], charset: Charset) -> Iterator[bytes]:
    for text in texts:
        yield from text.encode(charset.output_codec or "utf-8", "replace").splitlines()


def _is_too_long(line: bytes) -> bool:
    return len(line) > MAX_LINE_OCTETS
