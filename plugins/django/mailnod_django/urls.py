"""The collector as urls, where :func:`mailnod_django.wsgi.wrap` and :func:`mailnod_django.asgi.wrap` cannot stand.

::

    path("t/", include("mailnod_django.urls"))     # the path of MAILNOD["BASE_URL"]

It is the weaker way: the project's middleware runs first, so a maintenance page, a redirect or a dead database then
costs hits and breaks links. People who are not logged in are let through, and no cookie is set.
"""

from __future__ import annotations

from django.urls import re_path

from mailnod_django.views import hit

__all__ = ["app_name", "urlpatterns"]

app_name = "mailnod"
urlpatterns = [re_path(r"^(?P<kind>[oc])/(?P<rest>[^/]+)$", hit, name="hit")]
