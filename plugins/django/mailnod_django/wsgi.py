"""The collector around a project's WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnod_django.apps import get_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["wrap"]


def wrap(application: WSGIApplication) -> WSGIApplication:
    """Return an application that answers tracking paths before anything of Django runs, and hands on everything else.

    In the project's ``wsgi.py``::

        application = mailnod_django.wsgi.wrap(get_wsgi_application())
    """
    return get_app().tracker.wrap_wsgi(application)
