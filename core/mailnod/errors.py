"""Every error that Mailnod raises, drawn as one tree.

::

    TrackError                      raised at run time; adapters catch it, send the original, log once
    ├── TokenError                  forged, cut, over-long, or signed by a revoked or unknown key
    ├── RewriteError                HTML that cannot be edited safely; ``offset`` says where
    ├── NetworksError               a list of networks, or the file made of them, that cannot be used
    ├── HookError                   a plugin raised; ``plugin`` and ``hook`` say which
    └── StoreError
        ├── StoreUnavailableError   the environment's fault: disk full, locked, read-only, unreadable
        │   └── StoreLateError      a disk has not answered in time; what it was asked is done when it does
        └── StoreBugError           ours: a broken statement or a broken schema
    ConfigurationError              a wrong setup
    QueryError                      a query that cannot be read; ``start`` and ``end`` say where

``ConfigurationError`` is not a ``TrackError``: code that fails open must never swallow a wrong setup.
"""

from __future__ import annotations

import traceback

__all__ = [
    "ConfigurationError",
    "HookError",
    "NetworksError",
    "QueryError",
    "RewriteError",
    "StoreBugError",
    "StoreError",
    "StoreLateError",
    "StoreUnavailableError",
    "TokenError",
    "TrackError",
    "describe_error",
]


class TrackError(Exception):
    """Tracking failed at run time; the mail or the redirect must go on without it."""


class TokenError(TrackError):
    """The token is forged, damaged, or signed by a key that is revoked or not known here.

    A genuine token that is too old, or whose key is retired, is no error: its claims say so and its redirect works.
    """


class RewriteError(TrackError):
    """The HTML cannot be edited with the promise that every other byte stays.

    :param offset: position in the source, in characters, or None where no single place is at fault.
    """

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        #: Where, in characters from the start of the source; None where no single place is at fault.
        self.offset = offset


class NetworksError(TrackError):
    """A list of networks, or the file into which they are packed, cannot be used; the message says why."""


class HookError(TrackError):
    """A plugin raised in a hook.

    :param plugin: the name under which the plugin is registered.
    :param hook: the name of the hook.
    """

    def __init__(self, message: str, *, plugin: str, hook: str) -> None:
        super().__init__(message)
        #: The name under which the plugin is registered.
        self.plugin = plugin
        #: The name of the hook that raised.
        self.hook = hook


class StoreError(TrackError):
    """The store did not do what it was asked."""


class StoreUnavailableError(StoreError):
    """The store cannot be used now: disk full, locked, read-only, missing or unreadable."""


class StoreLateError(StoreUnavailableError):
    """The disk has not answered in time; what it was asked is done when it does, if the process lives."""


class StoreBugError(StoreError):
    """A statement or the schema is wrong; this is a defect of Mailnod."""


class ConfigurationError(Exception):
    """A setting or an argument is wrong; the message names it and says what to do."""


class QueryError(Exception):
    """A query cannot be read.

    :param start: where the part begins that is not understood, in characters.
    :param end: where it ends.
    :param hint: what to write instead; "" where there is nothing to say.
    """

    def __init__(self, message: str, *, start: int, end: int, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        #: Where the part begins and ends that is not understood, in characters from the start of the query.
        self.start = start
        self.end = end
        #: What to write instead; "" where there is nothing to say.
        self.hint = hint


def describe_error(error: BaseException) -> str:
    """Return an error in words that are fit for a log.

    The message of a :class:`TrackError` is our own. That of any other error is left out, because it may quote an
    address; its type and place stand in its stead.
    """
    if isinstance(error, TrackError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
