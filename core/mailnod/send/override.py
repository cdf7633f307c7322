"""Read what one message wishes: from keywords, from headers, and from the context it is sent in."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast, get_args

from mailnod.model import Override, RecipientMode
from mailnod.settings import refuse_unknown

__all__ = [
    "OVERRIDE_KEYWORDS",
    "current_override",
    "is_own_header",
    "make_override",
    "read_headers",
    "read_layers",
    "tracking",
]

log = logging.getLogger("mailnod.send")

#: The keywords that messages, sends and :func:`tracking` take.
OVERRIDE_KEYWORDS: tuple[str, ...] = (
    "track_opens",
    "track_clicks",
    "route",
    "campaign",
    "tags",
    "metadata",
    "recipient_mode",
    "test",
)

_OWN_PREFIX = "x-mailnod-"
_OWN_OPENS = "x-mailnod-track-opens"
_OWN_CLICKS = "x-mailnod-track-clicks"
_OWN_ROUTE = "x-mailnod-route"

#: Headers of other senders; they can only turn tracking off. Names as Lettermint, Postmark, Mailgun and
#: jdavidbakr/mail-tracker document them. Each maps to the axes (opens, clicks) that it turns off.
_FOREIGN: Mapping[str, tuple[bool, bool]] = {
    "x-lm-override-track-opens": (True, False),
    "x-lm-override-track-clicks": (False, True),
    "x-pm-trackopens": (True, False),
    "x-pm-tracklinks": (False, True),
    "x-mailgun-track": (True, True),
    "x-mailgun-track-opens": (True, False),
    "x-mailgun-track-clicks": (False, True),
}
_ALWAYS_OFF = "x-no-track"

_YES = frozenset(("true", "yes", "on", "1"))
_NO = frozenset(("false", "no", "off", "0"))
#: Values by which another sender's header asks for tracking; it then changes nothing.
_FOREIGN_YES = _YES | {"htmlandtext", "htmlonly", "textonly"}
_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")
_ROUTE_NAME = re.compile(r"[\w.-]{1,64}")
_MAX_TEXT_CHARS = 200

_context: ContextVar[Override | None] = ContextVar("mailnod_override", default=None)


def is_own_header(name: str) -> bool:
    """Return whether a header is one of ours, which never goes onto the wire."""
    return name.strip().lower().startswith(_OWN_PREFIX)


def read_headers(headers: Iterable[tuple[str, str]]) -> Override | None:
    """Return what a message's headers wish; None where they say nothing.

    A value that cannot be read means off, and so does a header of ours that does not exist: it was meant to say
    something, and the log names it. Where a header stands twice, off wins.

    :param headers: names and values, in any case and order.
    """
    opens: set[bool] = set()
    clicks: set[bool] = set()
    route: str | None = None
    for raw_name, raw_value in headers:
        name, value = raw_name.strip().lower(), str(raw_value).strip()
        word = value.lower()
        if name in (_OWN_OPENS, _OWN_CLICKS):
            (opens if name == _OWN_OPENS else clicks).add(word in _YES)
            readable = word in _YES or word in _NO
        elif name == _OWN_ROUTE and _ROUTE_NAME.fullmatch(value):
            route, readable = value, True
        elif name.startswith(_OWN_PREFIX) or name == _ALWAYS_OFF:
            opens.add(False)
            clicks.add(False)
            readable = name == _ALWAYS_OFF
        else:
            readable = True
            if name in _FOREIGN and word not in _FOREIGN_YES:
                opens_off, clicks_off = _FOREIGN[name]
                opens.update([False] if opens_off else [])
                clicks.update([False] if clicks_off else [])
        if not readable:
            # The name alone: a value may hold anything, an address too.
            log.warning("the header %r cannot be read, so it means off", name[:_MAX_TEXT_CHARS])
    if not opens and not clicks and route is None:
        return None
    return Override(
        track_opens=all(opens) if opens else None,
        track_clicks=all(clicks) if clicks else None,
        route=route,
    )


def read_layers(headers: Iterable[tuple[str, str]], attributes: Mapping[str, Any]) -> list[tuple[str, Override]]:
    """Return what a message itself wishes, by its headers and by its attributes, lowest precedence first.

    Attributes that cannot be read mean off, because they were meant to say something.

    :param attributes: override keywords that stand on the message, unchecked, without those that are unset.
    """
    layers: list[tuple[str, Override]] = []
    header = read_headers(headers)
    if header is not None:
        layers.append(("header", header))
    if attributes:
        try:
            wished = make_override(**attributes)
        except (TypeError, ValueError) as error:
            log.warning("a message's attributes cannot be read, so they mean off: %s", type(error).__name__)
            wished = Override(track_opens=False, track_clicks=False)
        layers.append(("message attribute", wished))
    return layers


def make_override(**keywords: Any) -> Override:
    """Check override keywords and return them as one value; a keyword that is None inherits.

    :raises TypeError: a keyword is unknown (the message names the nearest known one) or has the wrong type.
    :raises ValueError: a text holds a control character or is longer than 200 characters, or a mode is unknown.
    """
    for name in keywords:
        if name not in OVERRIDE_KEYWORDS:
            raise TypeError(str(refuse_unknown("keyword", name, OVERRIDE_KEYWORDS)))
    return Override(
        **{name: None if value is None else _READERS[name](name, value) for name, value in keywords.items()}
    )


@contextmanager
def tracking(**keywords: Any) -> Iterator[None]:
    """Override tracking for every message that is sent inside the ``with`` block, third-party code's included.

    Blocks nest; the inner one wins, and inherits from the outer one what it leaves out. A thread that was started
    inside the block does not see it: put the override on the message before handing it to a queue.

    :param keywords: see :data:`OVERRIDE_KEYWORDS`.
    """
    inner, outer = make_override(**keywords), _context.get()
    merged = inner if outer is None else merge(outer, inner)
    token = _context.set(merged)
    try:
        yield
    finally:
        _context.reset(token)


def current_override() -> Override | None:
    """Return what the surrounding :func:`tracking` blocks wish; None outside of any."""
    return _context.get()


def merge(lower: Override, upper: Override) -> Override:
    """Return the upper override, with what it leaves out taken from the lower one."""
    values = {name: getattr(upper, name) for name in OVERRIDE_KEYWORDS}
    return Override(**{name: getattr(lower, name) if value is None else value for name, value in values.items()})


def _read_flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True, False or None, not {value!r}")
    return value


def _read_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} takes texts, not {value!r}")
    if _UNSAFE.search(value):
        raise ValueError(f"{name} holds a control character: {value!r}")
    if len(value) > _MAX_TEXT_CHARS:
        raise ValueError(f"{name} holds a text of {len(value)} characters; {_MAX_TEXT_CHARS} are allowed")
    return value


def _read_tags(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is a list of texts, not {value!r}")
    return tuple(_read_text(name, tag) for tag in value)


def _read_metadata(name: str, value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a mapping of texts to texts, not {value!r}")
    return {_read_text(name, key): _read_text(name, text) for key, text in value.items()}


def _read_recipient_mode(name: str, value: Any) -> RecipientMode:
    if value not in get_args(RecipientMode):
        raise ValueError(f"{name} is 'shared' or 'split', not {value!r}")
    return cast("RecipientMode", value)


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "track_opens": _read_flag,
    "track_clicks": _read_flag,
    "route": _read_text,
    "campaign": _read_text,
    "tags": _read_tags,
    "metadata": _read_metadata,
    "recipient_mode": _read_recipient_mode,
    "test": _read_flag,
}
