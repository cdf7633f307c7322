"""Loading plugins and calling their hooks."""

from __future__ import annotations

import logging
from typing import Any

import pluggy
import pytest

from mailnod.errors import ConfigurationError, HookError
from mailnod.hookspecs import hookimpl
from mailnod.plugins import Plugins


class Raises:
    """A plugin with a defect."""

    @hookimpl
    def get_route(self) -> str:
        raise KeyError("reader@example.com")

    @hookimpl
    def change_url(self, url: str) -> str:
        raise KeyError(url)


class Says:
    """A plugin that names a route and appends to URLs."""

    def __init__(self, word: str | None) -> None:
        self.word = word

    @hookimpl
    def get_route(self) -> str | None:
        return self.word

    @hookimpl
    def change_url(self, url: str) -> str | None:
        return None if self.word is None else f"{url}+{self.word}"


class Flaky:
    """A plugin that raises while it is broken."""

    broken = False

    @hookimpl
    def get_route(self) -> str | None:
        if self.broken:
            raise RuntimeError
        return None


def make(*plugins: object) -> Plugins:
    return Plugins(plugins, load_entry_points=False)


def test_one_plugin_that_raises_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """After a plugin that raises the next ones are still asked, and the failure names plugin and hook."""
    plugins = make(Says("news"), Raises())
    answers = [answer for _, answer in plugins.call("get_route", envelope=None)]
    assert isinstance(answers[0], HookError)
    assert answers[0].hook == "get_route"
    assert answers[1] == "news"
    assert plugins.get_first("get_route", envelope=None) == "news"
    assert "get_route" in caplog.text


def test_log_of_a_failure_quotes_no_data(caplog: pytest.LogCaptureFixture) -> None:
    """An error's message may hold an address, so the log has its type and place only."""
    with caplog.at_level(logging.DEBUG):
        make(Raises()).notify("get_route", envelope=None)
    assert "KeyError" in caplog.text
    assert "reader@example.com" not in caplog.text


def test_last_plugin_is_asked_first() -> None:
    """The plugin that was given last has the first word, as pluggy orders it."""
    assert make(Says("a"), Says("b")).get_first("get_route", envelope=None) == "b"
    assert make(Says("a"), Says(None)).get_first("get_route", envelope=None) == "a"


def test_chain_hands_each_answer_on() -> None:
    """Each plugin of a chain gets the last one's answer; None and failures leave it as it was."""
    plugins = make(Says("a"), Says(None), Raises(), Says("b"))
    assert plugins.chain("change_url", "url", url="u", link=None, envelope=None) == "u+b+a"


def test_misspelt_hook_is_refused() -> None:
    """A hook that does not exist is found at start, not by its silence."""

    class Misspelt:
        @hookimpl
        def get_rout(self) -> str:
            return "x"

    with pytest.raises(ConfigurationError, match="get_rout") as caught:
        make(Misspelt())
    assert str(caught.value) == "unknown hook of the plugin 'Misspelt' 'get_rout': did you mean 'get_route'?"


def test_hook_wrappers_are_refused() -> None:
    """Hooks are called one by one, so an implementation that wraps the others cannot work and is refused."""

    class Wraps:
        @pluggy.HookimplMarker("mailnod")(wrapper=True)
        def get_route(self) -> Any:
            return (yield)

    with pytest.raises(ConfigurationError, match="wraps 'get_route'"):
        make(Wraps())


def test_same_plugin_twice_is_refused() -> None:
    """One plugin object cannot be registered twice."""
    plugin = Says("a")
    with pytest.raises(ConfigurationError):
        make(plugin, plugin)


def test_outage_of_a_plugin_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A plugin that goes on raising is named once, and again when it fails after it had recovered."""
    flaky = Flaky()
    plugins = make(flaky)
    for flaky.broken in (True, True, False, True):
        plugins.notify("get_route", envelope=None)
    assert len(caplog.records) == 2


def test_plugins_can_be_listed() -> None:
    """Iterating yields each plugin with a name that tells which it is, those of one class numbered."""
    plugin = Says("a")
    assert [name for name, _ in make(plugin, Says("b"))] == ["Says", "Says 2"]
    assert make(plugin).has("get_route")
    assert not make(plugin).has("event_created")
