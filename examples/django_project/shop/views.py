"""A page that sends a newsletter, shows what was sent, and says who read it."""

from __future__ import annotations

import email
import email.policy
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from mailnod.model import ConsentRecord, ConsentState, EventFilter
from mailnod_django import send_mail
from mailnod_django.apps import get_app


def index(request: HttpRequest) -> HttpResponse:
    """Show the form, the mails that were sent, and the newest events."""
    events = get_app().tracker.store.get_events(EventFilter(limit=20))
    return render(request, "index.html", {"events": events, "sent": [path.name for path in list_sent()]})


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Record whether the person agrees, and send the newsletter; it is tracked only for those who do."""
    address = request.POST["address"]
    state = ConsentState.GRANTED if "agreed" in request.POST else ConsentState.DENIED
    tracker = get_app().tracker
    record = ConsentRecord(
        recorded_at=tracker.clock.now(), purpose="statistics", opens=state, clicks=state, source="the shop's form"
    )
    tracker.store.record_consent(address, record)
    html = render_to_string("newsletter.html")
    send_mail("Spring", "Spring is here.", None, [address], html_message=html, route="news", campaign="spring")
    return HttpResponseRedirect("/")


def show(_: HttpRequest, name: str) -> HttpResponse:
    """Show a mail as a mail program would."""
    path = next((path for path in list_sent() if path.name == name), None)
    if path is None:
        raise Http404(name)
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html",))
    return HttpResponse("" if body is None else body.get_content())


def list_sent() -> list[Path]:
    """Return the files of the mails that were sent, newest first."""
    folder: Path = settings.SENT
    return sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
