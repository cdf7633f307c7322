"""The demo's app, to run by itself: ``flask --app examples/flask_app/app.py run``.

It sends through the mail server that ``MAIL_SERVER`` and ``MAIL_PORT`` name (127.0.0.1:25 where they are not set), and
reads Mailnod's settings from the environment; the store is ``mailnod.db`` in the current folder. On another port than
5000, set ``MAILNOD_BASE_URL`` to that port's address and ``/t``. On its first page, send yourself a newsletter,
open it, click a link, and reload the page.
"""

from __future__ import annotations

import os

from mailnod_flask.demo.app import create_app

app = create_app(
    {
        "MAIL_SERVER": os.environ.get("MAIL_SERVER", "127.0.0.1"),
        "MAIL_PORT": int(os.environ.get("MAIL_PORT", "25")),
        "MAILNOD_DATABASE": os.environ.get("MAILNOD_DATABASE", "mailnod.db"),
    }
)
