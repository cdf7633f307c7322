"""The collector around a project's ASGI application."""

from __future__ import annotations

from typing import Any

from mailnod.collect.asgi import wrap_app
from mailnod_django.apps import get_app

__all__ = ["wrap"]


def wrap(application: Any) -> Any:
    """Return an application that answers tracking paths before anything of Django runs, and hands on everything else.

    In the project's ``asgi.py``::

        application = mailnod_django.asgi.wrap(get_asgi_application())
    """
    tracker = get_app().tracker
    return wrap_app(application, tracker, tracker.settings.get_base_urls())
