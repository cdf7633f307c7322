"""The example project runs as its README says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "examples" / "django_project"

#: What a person does in a browser: send, open, click; the pixel and the link go to the project's own application.
VISIT = """
import os, re, time
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from shop.wsgi import application
from shop.asgi import application as _
from django.apps import apps
from django.test import RequestFactory
from urllib.parse import urlsplit

def ask(method, target, data=None):
    request = getattr(RequestFactory(SERVER_NAME="127.0.0.1"), method)(target, data)
    request.environ["HTTP_COOKIE"] = "csrftoken=" + "a" * 32
    request.environ["HTTP_X_CSRFTOKEN"] = "a" * 32
    started = []
    body = b"".join(application(request.environ, lambda status, headers, _=None: started.append((status, headers))))
    return started[0][0], dict(started[0][1]), body.decode("latin-1")

assert ask("post", "/send", {"address": "ada@example.com", "agreed": "on"})[0].startswith("302")
assert ask("post", "/send", {"address": "bob@example.com"})[0].startswith("302")
page = ask("get", "/")[2]
names = re.findall('href="/sent/([^"]+)"', page)
mails = [ask("get", "/sent/" + name)[2] for name in names]
tracked = [mail for mail in mails if "/t/o/" in mail]
assert (len(mails), len(tracked)) == (2, 1), page
for kind in "oc":
    url = urlsplit(re.search(f'"(http://127.0.0.1:8000/t/{kind}/[^"]*)"', tracked[0])[1].replace("&amp;", "&"))
    status, headers, _ = ask("get", url.path + "?" + url.query)
    print(status.split()[0], headers.get("Location", ""))
tracker = apps.get_app_config("mailnod_django").tracker
# The worker's thread began with the first hit; the limit is a guard against waiting for ever.
for _ in range(300):
    if "message.clicked" in ask("get", "/")[2]:
        break
    time.sleep(0.1)
print("ada@example.com" in ask("get", "/")[2])
tracker.close()
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Give a function that runs Python in the project, with its files elsewhere, and returns what it prints."""
    own = {"MAILNOD_DATABASE": str(tmp_path / "mailnod.db"), "SENT_MAIL": str(tmp_path / "sent")}
    environ = {**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_example_sends_collects_and_shows(run: Callable[..., str]) -> None:
    """A newsletter is tracked for those who agree; its open and click show on the page and on the command line."""
    assert run("-c", VISIT).split("\n")[:3] == ["200 ", "302 https://shop.example/garden?from=spring&page=1", "True"]
    events = json.loads(run("manage.py", "mailnod", "events", "--json"))
    assert sorted(event["type"] for event in events) == ["message.clicked", "message.opened"]


def test_the_example_passes_its_checks_but_for_what_it_says(run: Callable[..., str]) -> None:
    """``manage.py check`` finds nothing that stops the project, and keys that are derived."""
    assert "no issues" in run("manage.py", "check", "--tag", "urls")
    run("manage.py", "check")
