"""The collector as a blueprint, for apps in which the wrapper around ``app.wsgi_app`` cannot stand.

``Mail.init_app`` already wraps ``app.wsgi_app``, so that nothing of the app runs for a hit. Use the blueprint only
where something replaces ``app.wsgi_app`` afterwards::

    app.register_blueprint(mailnod_flask.blueprint, url_prefix="/t")     # the path of MAILNOD_BASE_URL

It is the weaker way: the app's ``before_request`` functions run first, so a maintenance page, a redirect to a login
page or a dead database then costs hits and breaks links. No cookie is set even so.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from mailnod.collect.collector import Request

__all__ = ["blueprint"]


class _Cookieless(Response):
    """A reply on which the app's session cannot leave a cookie."""

    #: To HEAD it says the length that GET gets.
    automatically_set_content_length = False

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Set nothing."""


#: Answers ``/o/...`` and ``/c/...`` below its ``url_prefix``.
blueprint = Blueprint("mailnod", __name__)


@blueprint.get("/<any(o, c):kind>/<rest>", provide_automatic_options=False)
def hit(kind: str, rest: str) -> Response:
    """Answer one request for a pixel or a link."""
    reply = current_app.extensions["mailnod"].reply(
        Request(
            method=request.method,
            path=f"/{kind}/{rest}",
            query=request.query_string.decode("latin-1"),
            headers=tuple(request.headers.items()),
            peer=request.remote_addr,
        )
    )
    return _Cookieless(reply.body, status=reply.status, headers=list(reply.headers))
