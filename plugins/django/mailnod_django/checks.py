"""Checks of the set-up, run by ``manage.py check`` and before the server starts.

What is wrong is refused earlier, when Django starts. These checks find what is allowed and probably not meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from mailnod_django.apps import get_app
from mailnod_django.backend import EmailBackend
from mailnod_django.conf import BACKEND, DEFAULT_INNER, find_silent_routes

__all__ = ["check_set_up"]

#: Settings by which queues name the backend that sends for them.
_QUEUES = ("CELERY_EMAIL_BACKEND", "MAILER_EMAIL_BACKEND", "MAILER_EMAIL_MAILER")
#: Backends that the test runner and developers put in place of the one that sends.
_STAND_INS = "django.core.mail.backends."


@checks.register("mailnod")
def check_set_up(**_: Any) -> list[checks.CheckMessage]:
    """Return what is allowed and probably not meant."""
    return [*_check_backend(), *_check_outermost(), *_check_urls(), *_check_consent(), *_check_keys()]


def _check_backend() -> Iterator[checks.CheckMessage]:
    paths = list(_list_backends())
    if any(_is_ours(path) for path in paths) or _stand_in(paths):
        return
    hint = (
        f"Name {BACKEND!r} in a mailer of MAILERS, with the mailer that sends as OPTIONS['mailer']."
        if _has_mailers()
        else f"Set EMAIL_BACKEND to {BACKEND!r}, and MAILNOD['BACKEND'] to {paths[0]!r}."
    )
    yield checks.Warning("No mail is tracked: the e-mail backend is not Mailnod's.", hint=hint, id="mailnod.W001")


def _check_outermost() -> Iterator[checks.CheckMessage]:
    post_office = getattr(settings, "POST_OFFICE", None) or {}
    inside = [name for name in _QUEUES if _is_ours(getattr(settings, name, None))]
    if any(_is_ours(path) for path in (post_office.get("BACKENDS") or {}).values()):
        inside.append("POST_OFFICE['BACKENDS']")
    for name in inside:
        yield checks.Warning(
            f"Mailnod works behind a queue ({name}): queues drop attributes and context, so overrides may be lost.",
            hint="Put Mailnod outermost, and let it hand its copies to the queue's backend.",
            id="mailnod.W002",
        )


def _check_urls() -> Iterator[checks.CheckMessage]:
    for doubt in get_app().tracker.settings.find_doubts():
        yield checks.Warning(
            f"{doubt}.", hint="Set MAILNOD['BASE_URL'] and those of routes to an https URL.", id="mailnod.W003"
        )


def _check_consent() -> Iterator[checks.CheckMessage]:
    for name in find_silent_routes(get_app().tracker.settings):
        yield checks.Warning(
            f"The route {name!r} tracks and does not state 'consent': it is 'required', so only people whose consent "
            "is recorded are tracked.",
            hint="Say 'consent': 'required', or 'assumed' if you answer for it yourself.",
            id="mailnod.W004",
        )


def _check_keys() -> Iterator[checks.CheckMessage]:
    if get_app().tracker.keyring.derived:
        yield checks.Warning(
            "The keys are derived from SECRET_KEY: changing that without SECRET_KEY_FALLBACKS breaks the links in mail "
            "already sent.",
            hint="Set MAILNOD['SECRET_KEYS'] to what 'manage.py mailnod keys new' prints.",
            id="mailnod.W005",
        )

    for doubt in get_app().tracker.keyring.find_doubts():
        yield checks.Warning(f"In MAILNOD['SECRET_KEYS'] {doubt}.", id="mailnod.W006")


def _has_mailers() -> bool:
    return hasattr(settings, "MAILERS")


def _list_backends() -> Iterator[str]:
    if not _has_mailers():
        yield settings.EMAIL_BACKEND
        return
    mailers: Mapping[str, Mapping[str, Any]] = settings.MAILERS
    for mailer in mailers.values():
        yield mailer.get("BACKEND", DEFAULT_INNER)


def _stand_in(paths: list[str]) -> bool:
    stand_ins = (path for path in paths if path.startswith(_STAND_INS) and ".smtp." not in path)
    return len(list(stand_ins)) == len(paths)


def _is_ours(path: object) -> bool:
    if not isinstance(path, str):
        return False
    try:
        backend = import_string(path)
    except ImportError:
        # Django says so when it is used.
        return False
    return isinstance(backend, type) and issubclass(backend, EmailBackend)
