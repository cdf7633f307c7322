"""A small Flask app that sends a newsletter with Flask-Mail; tracking is one changed import and a few settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from mailnod import Clock, ConsentState
from mailnod.model import ConsentRecord, Metrics
from mailnod.tokens import new_secret
from mailnod.tracker import Tracker
from mailnod_flask import Mail, Message
from mailnod_flask.demo.mailbox import DeliveredMail

__all__ = ["create_app", "make_newsletter"]

HERE = Path(__file__).parent
ARTICLES = {
    "north-pier": "The lamps along the north pier are lit again",
    "wake-ferry": "A ferry that runs on its own wake",
    "soup": "Soup for a north wind",
    "tides": "All tides of the week",
}
#: Everything that an app needs besides MAILNOD_BASE_URL: which mail is tracked, and that its readers are asked.
ROUTES = {"newsletter": {"track_opens": True, "track_clicks": True, "consent": "required"}}


def create_app(
    config: Mapping[str, Any] | None = None, *, clock: Clock | None = None, mailbox: Sequence[DeliveredMail] = ()
) -> Flask:
    """Return the app.

    :param config: Flask's and Flask-Mail's settings and ours; absent ones of ours come from the environment.
    :param clock: another clock than the machine's.
    :param mailbox: delivered mail to show on the first page.
    """
    app = Flask("mailnod_flask.demo.app", template_folder=str(HERE))
    app.config.update(
        # A key written here would let anybody sign links; MAILNOD_SECRET_KEYS makes links that outlive a restart.
        SECRET_KEY=new_secret(),
        MAIL_DEFAULT_SENDER=("Tidewater Weekly", "weekly@example.com"),
        MAILNOD_BASE_URL=os.environ.get("MAILNOD_BASE_URL", "http://127.0.0.1:5000/t"),
        MAILNOD_ROUTES=ROUTES,
    )
    app.config.update(config or {})
    mail = Mail(clock=clock)
    mail.init_app(app)
    _add_views(app, mail, mailbox)
    return app


def make_newsletter(address: str, *, site: str, date: datetime) -> Message:
    """Return the newsletter for one reader.

    :param site: the app's own address, without a trailing slash.
    """
    unsubscribe_url = f"{site}/unsubscribe?reader={address}"
    values = {"site": site, "unsubscribe_url": unsubscribe_url, "date": f"{date:%d %B %Y}", "picture": "header"}
    message = Message(
        "The lamps along the north pier are lit again",
        recipients=[address],
        body=render_template("newsletter.txt", **values),
        html=render_template("newsletter.html", **values),
        extra_headers={
            "List-Unsubscribe": f"<{unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        route="newsletter",
        campaign=f"weekly-{date:%Y-%m-%d}",
    )
    picture = (HERE / "header.png").read_bytes()
    headers = {"Content-ID": "<header>"}
    message.attach("header.png", "image/png", picture, disposition="inline", headers=headers)
    return message


def _add_views(app: Flask, mail: Mail, mailbox: Sequence[DeliveredMail]) -> None:
    @app.get("/")
    def home() -> str:
        return _render_home("Tidewater Weekly", mailbox)

    @app.post("/newsletter")
    def send_newsletter() -> ResponseReturnValue:
        tracker, address = _tracker(), request.form["address"].strip()
        if not re.fullmatch(r"[^\s@<>,;:\"()]+@[^\s@<>,;:\"()]+", address):
            line = f"{address!r} is no address such as reader@example.com, so nothing was sent."
            return render_template("page.html", title="Not sent", lines=[line]), 400
        if "consent" in request.form:
            granted = ConsentState.GRANTED
            tracker.store.record_consent(
                address,
                ConsentRecord(
                    recorded_at=tracker.clock.now(),
                    purpose="statistics",
                    opens=granted,
                    clicks=granted,
                    source="form on the first page",
                ),
            )
        mail.send(make_newsletter(address, site=request.host_url.rstrip("/"), date=tracker.clock.now()))
        return redirect(url_for("home"))

    @app.get("/articles/<slug>")
    def show_article(slug: str) -> str:
        if slug not in ARTICLES:
            abort(404)
        return render_template("page.html", title=ARTICLES[slug], lines=["This is where the link of the mail leads."])

    @app.route("/unsubscribe", methods=["GET", "POST"])
    def unsubscribe() -> str:
        line = "You are off the list." if request.method == "POST" else "The demo keeps no list to leave."
        return render_template("page.html", title="Unsubscribe", lines=[line])

    @app.get("/mails/<int:number>")
    def show_mail(number: int) -> ResponseReturnValue:
        if number >= len(mailbox):
            abort(404)
        # Mail is other people's HTML: it may show pictures and lead on, and do nothing else.
        policy = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'"
        return mailbox[number].html_with_pictures(), {"Content-Security-Policy": policy}


def _render_home(title: str, mailbox: Sequence[DeliveredMail]) -> str:
    tracker = _tracker()
    counted = next(iter(tracker.store.get_metrics()), Metrics(key=""))
    settle_s = round(tracker.settings.settle_s)
    return render_template("page.html", title=title, home=True, metrics=counted, mails=mailbox, settle_s=settle_s)


def _tracker() -> Tracker:
    tracker: Tracker = current_app.extensions["mailnod"]
    return tracker
