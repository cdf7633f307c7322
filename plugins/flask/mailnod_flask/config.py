"""Read an app's settings and keys, and say at start what is probably not meant."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
from flask import Flask
from flask.cli import FlaskGroup

from mailnod import ConfigurationError, Keyring, Settings
from mailnod.settings import PREFIX
from mailnod.tracker import Tracker

__all__ = ["read_keyring", "read_settings", "warn"]

log = logging.getLogger("mailnod.flask")


def read_settings(app: Flask) -> Settings:
    """Read the settings from ``app.config``, and from the environment what is absent or None there.

    :raises ConfigurationError: a key in ``app.config`` that begins with ``MAILNOD_`` is unknown, or a value is wrong.
    """
    given = {key[len(PREFIX) :].lower(): value for key, value in app.config.items() if key.startswith(PREFIX)}
    if given.get("database") is None and not os.environ.get(f"{PREFIX}DATABASE"):
        given["database"] = Path(app.instance_path) / "mailnod.db"
    settings = Settings.from_environ(os.environ, **given)
    if settings.journals is None and not isinstance(settings.database, Path):
        return replace(settings, journals=Path(app.instance_path) / "mailnod.journals")
    return settings


def read_keyring(app: Flask, settings: Settings) -> Keyring:
    """Return the keys of ``MAILNOD_SECRET_KEYS``, else keys derived from the app's ``SECRET_KEY`` and its fallbacks.

    :raises ConfigurationError: there is neither.
    """
    if settings.secret_keys is not None:
        return Keyring.parse(settings.secret_keys)
    secret_key = app.config.get("SECRET_KEY")
    if not secret_key:
        raise ConfigurationError(
            "neither MAILNOD_SECRET_KEYS nor SECRET_KEY is set: make a key with 'mailnod keys new' and set "
            "MAILNOD_SECRET_KEYS to what it prints"
        )
    return Keyring.derive(secret_key, app.config.get("SECRET_KEY_FALLBACKS") or ())


def warn(app: Flask, tracker: Tracker) -> None:
    """Log what is allowed and probably not meant; not for a command of the app's, where ``doctor`` says it."""
    context = click.get_current_context(silent=True)
    if context is not None and isinstance(context.command, FlaskGroup):
        # The app is only loaded to look one of its own commands up: ``flask run`` loads it inside its own command.
        return
    for doubt in _find_doubts(app, tracker):
        log.warning("%s: %s", app.name, doubt)


def _find_doubts(app: Flask, tracker: Tracker) -> list[str]:
    doubts = list(tracker.settings.find_doubts())
    if tracker.keyring.derived:
        doubts.append(
            "MAILNOD_SECRET_KEYS is not set, so the keys are derived from SECRET_KEY: changing that without "
            "SECRET_KEY_FALLBACKS breaks the links in mail already sent; 'flask mailnod keys new' makes keys of their "
            "own that keep these"
        )
    stated = _read_raw_routes(app)
    silent = (
        route.name
        for route in tracker.settings.routes.values()
        if (route.track_opens or route.track_clicks) and "consent" not in stated.get(route.name, {})
    )
    doubts.extend(
        f"the route {name!r} tracks and does not state 'consent' in MAILNOD_ROUTES: it is 'required', so only people "
        "whose consent is recorded are tracked; say so, or 'assumed' if you answer for it yourself"
        for name in silent
    )
    return doubts


def _read_raw_routes(app: Flask) -> Mapping[str, Mapping[str, object]]:
    key = f"{PREFIX}ROUTES"
    raw = app.config.get(key)
    if raw is None:
        raw = os.environ.get(key) or {}
    routes: Mapping[str, Mapping[str, object]] = json.loads(raw) if isinstance(raw, str) else raw
    return routes
