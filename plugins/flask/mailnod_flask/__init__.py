"""Open and click tracking for Flask-Mail: change the import and set two settings; people who consent are tracked.

Flask and Flask-Mail are imported when a name is first used, because the plugin entry point of this package is loaded in
every process that uses Mailnod, with or without Flask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnod.exports import load_on_use

if TYPE_CHECKING:
    from mailnod import tracking as tracking
    from mailnod_flask.connection import Connection as Connection
    from mailnod_flask.extension import Mail as Mail
    from mailnod_flask.message import Message as Message
    from mailnod_flask.views import blueprint as blueprint

__all__ = ["Connection", "Mail", "Message", "blueprint", "tracking"]

_HOMES = {
    "Connection": "mailnod_flask.connection",
    "Mail": "mailnod_flask.extension",
    "Message": "mailnod_flask.message",
    "blueprint": "mailnod_flask.views",
    "tracking": "mailnod",
}

__getattr__ = load_on_use(__name__, _HOMES, extra="flask", needs=("flask", "flask_mail", "blinker"))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
