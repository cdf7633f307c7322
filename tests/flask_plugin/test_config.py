"""Settings, keys and warnings at start."""

from __future__ import annotations

from collections.abc import Callable

import click
import flask
import pytest
from click.testing import CliRunner
from flask.cli import FlaskGroup, run_command

from mailnod import ConfigurationError
from mailnod.tokens import Keyring
from mailnod_flask import Mail

MakeApp = Callable[..., flask.Flask]
Warnings = Callable[[], list[str]]


def test_an_unknown_setting_is_refused_with_the_nearest_known_one(make_app: MakeApp) -> None:
    """A misspelt key in app.config is a ConfigurationError at start."""
    with pytest.raises(ConfigurationError, match="MAILNOD_BASE_URL"):
        Mail(make_app(MAILNOD_BASEURL="https://track.example.com"))


def test_a_wrong_value_is_refused_by_name(make_app: MakeApp) -> None:
    """The error names the setting and shows the value."""
    with pytest.raises(ConfigurationError, match=r"MAILNOD_SETTLE_S.*'soon'"):
        Mail(make_app(MAILNOD_SETTLE_S="soon"))


def test_the_environment_fills_in_what_the_config_leaves_out(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """app.config goes before the environment; None in it counts as absent."""
    monkeypatch.setenv("MAILNOD_SETTLE_S", "3")
    monkeypatch.setenv("MAILNOD_BASE_URL", "https://environment.example/t")
    monkeypatch.setenv("MAILNOD_DATABASE", "/nowhere/mailnod.db")
    app = make_app(MAILNOD_DATABASE=None)
    Mail(app, load_entry_points=False)
    settings = app.extensions["mailnod"].settings
    assert settings.settle_s == 3
    assert settings.base_url == "https://track.example.com/t"
    assert str(settings.database) == "/nowhere/mailnod.db"


def test_keys_of_its_own_need_no_secret_key(make_app: MakeApp, warnings: Warnings) -> None:
    """MAILNOD_SECRET_KEYS is enough, and nothing is warned of."""
    app = make_app()
    Mail(app, load_entry_points=False)
    assert not app.extensions["mailnod"].keyring.derived
    assert warnings() == []


def test_without_keys_they_are_derived_from_the_secret_key_with_a_warning(
    make_app: MakeApp, warnings: Warnings
) -> None:
    """SECRET_KEY signs and SECRET_KEY_FALLBACKS verify; the log says what changing it would break."""
    app = make_app(MAILNOD_SECRET_KEYS=None, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
    Mail(app, load_entry_points=False)
    keyring = app.extensions["mailnod"].keyring
    assert [key.state for key in keyring.keys] == ["signing", "verifying"]
    assert keyring.keys[1].secret == Keyring.derive("old").keys[0].secret
    (warning,) = warnings()
    assert "SECRET_KEY_FALLBACKS" in warning
    assert "mailnod keys new" in warning


def test_warnings_are_for_what_serves(make_app: MakeApp, warnings: Warnings) -> None:
    """A command of the app's prints its answer and no warning; what serves logs it, ``flask run`` included."""

    def create_app() -> flask.Flask:
        app = make_app(MAILNOD_SECRET_KEYS=None, SECRET_KEY="new")
        Mail(app, load_entry_points=False)
        return app

    result = CliRunner().invoke(FlaskGroup(create_app=create_app), ["mailnod", "keys", "list"])
    assert result.exit_code == 0
    assert "derived" in result.output
    assert warnings() == []
    with click.Context(run_command):
        create_app()
    assert len(warnings()) == 1


@pytest.mark.parametrize("routes", [{}, {"default": {"track_opens": True, "consent": "required"}}])
def test_neither_keys_nor_secret_key_is_an_error_at_start(make_app: MakeApp, routes: dict[str, object]) -> None:
    """The error names the command that makes a key, even where no route tracks."""
    with pytest.raises(ConfigurationError, match="mailnod keys new"):
        Mail(make_app(MAILNOD_SECRET_KEYS=None, MAILNOD_ROUTES=routes))


@pytest.mark.parametrize("routes", [{"news": {"track_opens": True}}, '{"news": {"track_opens": true}}'])
def test_a_route_that_tracks_without_stating_consent_is_warned_of(
    make_app: MakeApp, warnings: Warnings, routes: object
) -> None:
    """The warning names the route and both words that may be said, however the routes are written."""
    Mail(make_app(MAILNOD_ROUTES=routes))
    (warning,) = warnings()
    assert "'news'" in warning
    assert "'required'" in warning
    assert "'assumed'" in warning


def test_a_base_url_without_https_is_warned_of(make_app: MakeApp, warnings: Warnings) -> None:
    """What Settings finds doubtful is logged at start."""
    Mail(make_app(MAILNOD_BASE_URL="http://track.example.com/t"))
    (warning,) = warnings()
    assert "not https" in warning
