"""The table of settings."""

from __future__ import annotations

from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from mailnod.errors import ConfigurationError
from mailnod.settings import SETTINGS, Settings

BASE = "https://app.example/t"


def test_table_and_class_hold_the_same_settings() -> None:
    """Every field has a line in the table with the same default, and every line a field."""
    assert {f.name: f.default for f in fields(Settings)}.keys() == SETTINGS.keys()
    plain = Settings()
    for name, setting in SETTINGS.items():
        assert getattr(plain, name) == setting.default


def test_defaults_track_nothing() -> None:
    """Without any setting there is one route, and it tracks nothing and requires consent."""
    settings = Settings.from_mapping({})
    route = settings.get_route("default")
    assert route is not None
    assert not route.track_opens
    assert not route.track_clicks
    assert route.consent == "required"


def test_other_keys_of_an_app_are_left_alone() -> None:
    """Only keys with our prefix are read."""
    assert Settings.from_mapping({"MAIL_SERVER": "x", "DEBUG": True}) == Settings.from_mapping({})


def test_unknown_setting_is_refused_with_the_nearest_name() -> None:
    """A misspelt setting names itself and the one that was meant."""
    with pytest.raises(ConfigurationError, match="'MAILNOD_BASE_ULR'.*'MAILNOD_BASE_URL'"):
        Settings.from_mapping({"MAILNOD_BASE_ULR": BASE})


def test_unknown_environment_variables_are_left_alone() -> None:
    """The environment may hold variables of other programs that begin as ours do."""
    assert Settings.from_environ({"MAILNOD_SOMETHING": "x", "MAILNOD_BASE_URL": BASE}).base_url == BASE


def test_argument_goes_before_the_environment() -> None:
    """What is given directly beats an environment variable, and None does not count as given."""
    settings = Settings.from_environ({"MAILNOD_DATABASE": "env.db"}, database="given.db", base_url=None)
    assert settings.database == Path("given.db")


def test_every_setting_reads_its_text_form() -> None:
    """Environment variables are texts; each setting can be written as one."""
    settings = Settings.from_environ(
        {
            "MAILNOD_SECRET_KEYS": "0:signing:x",
            "MAILNOD_BASE_URL": BASE + "/",
            "MAILNOD_DATABASE": "a/b.db",
            "MAILNOD_ROUTES": '{"news": {"track_opens": true, "consent": "assumed", "excluded_hosts": ".x.example"}}',
            "MAILNOD_DEFAULT_ROUTE": "news",
            "MAILNOD_EXCLUDED_HOSTS": "Bank.example, .pay.example",
            "MAILNOD_SETTLE_S": "0",
            "MAILNOD_TRUSTED_PROXIES": "10.0.0.0/8 ::1/128",
            "MAILNOD_WORKER": "none",
        }
    )
    assert settings.base_url == BASE
    assert settings.routes["news"].track_opens
    assert settings.routes["news"].excluded_hosts == (".x.example",)
    assert settings.excluded_hosts == ("bank.example", ".pay.example")
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert settings.journal_folder == Path("a/b.db.journals")


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"MAILNOD_BASE_URL": "app.example"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "javascript:alert(1)"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://app.example/t?x=1"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": 'https://app.example/"><script>'}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://app.example/a=b"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://app.example/a:b"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://app.example/%c3%a9"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://app.example:99999/t"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://1.2.3.4.5/t"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_BASE_URL": "https://user@app.example/t"}, "MAILNOD_BASE_URL"),
        ({"MAILNOD_TEST_RECIPIENTS": "qa.example.com"}, "MAILNOD_TEST_RECIPIENTS"),
        ({"MAILNOD_SETTLE_S": -1}, "MAILNOD_SETTLE_S"),
        ({"MAILNOD_SETTLE_S": "soon"}, "MAILNOD_SETTLE_S"),
        ({"MAILNOD_SETTLE_S": float("nan")}, "MAILNOD_SETTLE_S"),
        ({"MAILNOD_TRUSTED_PROXIES": ["10.0.0.1/8"]}, "MAILNOD_TRUSTED_PROXIES"),
        ({"MAILNOD_EXCLUDED_HOSTS": ["https://x.example/"]}, "MAILNOD_EXCLUDED_HOSTS"),
        ({"MAILNOD_WORKER": "process"}, "MAILNOD_WORKER"),
        ({"MAILNOD_ROUTES": "{not json"}, "MAILNOD_ROUTES"),
        ({"MAILNOD_ROUTES": ["news"]}, "MAILNOD_ROUTES"),
        ({"MAILNOD_ROUTES": {"a b": {}}}, "'a b'"),
        ({"MAILNOD_ROUTES": {"news": {"track_open": True}}}, "'track_opens'"),
        ({"MAILNOD_ROUTES": {"news": {"track_opens": "maybe"}}}, "track_opens='maybe'"),
        ({"MAILNOD_ROUTES": {"news": {"consent": "implied"}}}, "'implied'"),
        ({"MAILNOD_ROUTES": {"news": {"token_max_age_days": -1}}}, "token_max_age_days"),
        ({"MAILNOD_ROUTES": {"news": {"track_opens": True}}}, "MAILNOD_BASE_URL is not set"),
        ({"MAILNOD_DEFAULT_ROUTE": "nwes", "MAILNOD_ROUTES": {"news": {}}}, "'news'"),
    ],
)
def test_wrong_value_is_refused_by_name(config: dict[str, Any], named: str) -> None:
    """A value that cannot be read is refused at start; the message names what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_mapping(config)
    assert named in str(caught.value)


def test_secret_is_not_repeated_in_an_error() -> None:
    """The message about a wrong secret does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_mapping({"MAILNOD_SECRET_KEYS": ["hush"]})
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(Settings.from_mapping({"MAILNOD_SECRET_KEYS": "0:signing:hush"}))


def test_plain_http_beyond_this_machine_is_doubted() -> None:
    """An http base URL is allowed, and named as a doubt unless it is loopback."""
    assert Settings.from_mapping({"MAILNOD_BASE_URL": "http://app.example/t"}).find_doubts()
    assert not Settings.from_mapping({"MAILNOD_BASE_URL": "http://127.0.0.1:5000/t"}).find_doubts()


def test_base_urls_of_routes_are_collected_once() -> None:
    """The collector answers below the base URL of every route."""
    routes = {"a": {"base_url": "https://a.example/x"}, "b": {"base_url": BASE}}
    settings = Settings.from_mapping({"MAILNOD_BASE_URL": BASE, "MAILNOD_ROUTES": routes})
    assert settings.get_base_urls() == (BASE, "https://a.example/x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nonsense", "MAILNOD_TRUSTED_PROXIES: 'nonsense' is no network; expected"),
        ("10.0.0.0/8 nonsense", "holds 'nonsense', which is no network"),
        ("10.0.0.1/8", "'10.0.0.1/8' is an address in a network and not the network '10.0.0.0/8' itself"),
    ],
)
def test_wrong_network_is_named_once(value: str, message: str) -> None:
    """The message says which network is wrong, and how, without saying its value twice."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_mapping({"MAILNOD_TRUSTED_PROXIES": value})
    assert message in str(caught.value)
    assert str(caught.value).count("nonsense") <= value.count("nonsense") + (" " in value)
