"""The package itself: lazy imports, the plugin entry point, and the commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import flask
import pytest

import mailnod_flask
from mailnod_flask import Mail, plugin

MakeApp = Callable[..., flask.Flask]


def run_python(code: str) -> str:
    """Run Python code in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_the_plugin_imports_no_flask() -> None:
    """The entry point and the registration of its command leave Flask alone; every Mailnod process loads them."""
    code = (
        "import sys, click; from mailnod_flask import plugin; group = click.Group(); plugin.register_commands(group); "
        "print(sorted(group.commands), 'flask' in sys.modules, 'flask_mail' in sys.modules)"
    )
    assert run_python(code) == "['demo'] False False"


@pytest.mark.parametrize("missing", ["flask", "flask_mail"])
@pytest.mark.parametrize("name", ["Mail", "Message", "blueprint"])
def test_a_missing_framework_is_named_with_what_installs_it(missing: str, name: str) -> None:
    """Without Flask or Flask-Mail a name of the package raises ConfigurationError with the command to type."""
    code = (
        "import importlib.abc, sys\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, fullname, path, target=None):\n"
        f"        if fullname == {missing!r}:\n"
        "            raise ModuleNotFoundError(name=fullname)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import mailnod, mailnod_flask\n"
        "try:\n"
        f"    print('there:', mailnod_flask.{name})\n"
        "except mailnod.ConfigurationError as error:\n"
        "    print(error)\n"
    )
    printed = run_python(code)
    if (missing, name) == ("flask_mail", "blueprint"):
        assert printed.startswith("there:")
    else:
        assert f"mailnod_flask.{name} needs {missing!r}" in printed
        assert "pip install 'mailnod[flask]'" in printed


def test_every_public_name_is_there() -> None:
    """__all__ holds names that exist, and an unknown name is an AttributeError."""
    assert all(getattr(mailnod_flask, name) is not None for name in mailnod_flask.__all__)
    assert set(mailnod_flask.__all__) <= set(dir(mailnod_flask))
    with pytest.raises(AttributeError, match="Mial"):
        _ = mailnod_flask.Mial


def test_the_plugin_adds_the_demo() -> None:
    """``mailnod demo`` comes from the plugin."""
    group = click.Group()
    plugin.register_commands(group)
    assert list(group.commands) == ["demo"]


def test_the_apps_commands_use_the_apps_settings(make_app: MakeApp) -> None:
    """``flask mailnod`` works on the app's own store and keys."""
    app = make_app()
    Mail(app)
    runner = app.test_cli_runner()
    granted = runner.invoke(args=["mailnod", "consent", "grant", "one@example.com"])
    assert granted.exit_code == 0, granted.output
    store = app.extensions["mailnod"].store
    assert store.get_consent("one@example.com", purpose="statistics").opens == "granted"
    for command in ("events", "stats", "keys list", "plugins"):
        shown = runner.invoke(args=["mailnod", *command.split()])
        assert shown.exit_code == 0, shown.output


def test_the_app_needs_no_collector_beside_it(make_app: MakeApp) -> None:
    """``flask mailnod`` does not list ``serve``, which there can only say why it does not fit."""
    app = make_app()
    Mail(app)
    assert "  serve " not in app.test_cli_runner().invoke(args=["mailnod", "--help"]).output
