"""Open and click tracking for Flask-Mail: change the import and set two settings; people who consent are tracked.

Flask and Flask-Mail are imported when a name is first used, because the plugin entry point of this package is loaded in
every process that uses Mailnod, with or without Flask.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mailnod import ConfigurationError

if TYPE_CHECKING:
    from mailnod import tracking as tracking
    from mailnod_flask.extension import Connection as Connection
    from mailnod_flask.extension import Mail as Mail
    from mailnod_flask.message import Message as Message
    from mailnod_flask.views import blueprint as blueprint

__all__ = ["Connection", "Mail", "Message", "blueprint", "tracking"]

_HOMES = {
    "Connection": "mailnod_flask.extension",
    "Mail": "mailnod_flask.extension",
    "Message": "mailnod_flask.message",
    "blueprint": "mailnod_flask.views",
    "tracking": "mailnod",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        home = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "flask_mail", "blinker"):
            raise
        raise ConfigurationError(
            f"mailnod_flask.{name} needs {error.name!r}, which is not installed: pip install 'mailnod[flask]'"
        ) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
