"""The collector as a view, for projects in which the wrapper around the application cannot stand."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from mailnod.collect.collector import Request
from mailnod_django.apps import get_app

__all__ = ["hit"]


class _Cookieless(HttpResponse):
    """A reply on which no session and no message can leave a cookie, and whose path is not logged."""

    #: Django writes the path of every refused request to its log (``django.utils.log.log_response``), and of some of
    #: them to administrators; these paths hold tokens.
    _has_been_logged = True

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set nothing."""


@csrf_exempt
@login_not_required
def hit(request: HttpRequest, kind: str, rest: str) -> HttpResponse:
    """Answer one request for a pixel or a link; methods other than GET and HEAD get 405."""
    reply = get_app().tracker.reply(
        Request(
            method=str(request.method),
            path=f"/{kind}/{quote(rest, safe='/~', errors='replace')}",
            query=request.META.get("QUERY_STRING", ""),
            headers=tuple(request.headers.items()),
            peer=request.META.get("REMOTE_ADDR"),
        )
    )
    return _Cookieless(reply.body, status=reply.status, headers=dict(reply.headers))
