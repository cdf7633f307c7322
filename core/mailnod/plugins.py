"""Load plugins and call their hooks so that one plugin's failure stays its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pluggy

from mailnod import hookspecs
from mailnod.errors import ConfigurationError, HookError, describe_error
from mailnod.settings import refuse_unknown

__all__ = ["Plugins"]

log = logging.getLogger("mailnod.plugins")

GROUP = "mailnod"


class Plugins:
    """The plugins of one tracker.

    pluggy stops at the first implementation that raises and leaves the later ones uncalled; calls through this class go
    on, and name the plugin that failed.

    :param plugins: objects or modules with hook implementations. The last one is asked first, entry points last.
    :param load_entry_points: whether installed packages that declare the entry point group ``mailnod`` take part.
    :raises ConfigurationError: a plugin cannot be loaded, or implements a hook that does not exist.
    """

    def __init__(self, plugins: Sequence[object] = (), *, load_entry_points: bool = True) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._failing: set[tuple[str, str]] = set()
        self._refused: set[tuple[str, str]] = set()
        if load_entry_points:
            self._load_entry_points()
        for plugin in plugins:
            self._register(plugin, self._name(plugin))
        self._check()

    def __iter__(self) -> Iterator[tuple[str, object]]:
        return iter(self._manager.list_name_plugin())

    def call(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Call every implementation of a hook and yield each plugin's name with its answer.

        An implementation that raises yields a :class:`~mailnod.errors.HookError` instead, and is logged.
        """
        for implementation in self._implementations(hook):
            yield implementation.plugin_name, self._ask(implementation, hook, arguments)

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call every implementation of a hook; failures are logged and go no further."""
        for _ in self.call(hook, **arguments):
            pass

    def get_first(self, hook: str, **arguments: Any) -> Any:
        """Return the first answer that is neither None nor a failure; None where there is no such answer."""
        answers = (answer for _, answer in self.call(hook, **arguments))
        return next((a for a in answers if a is not None and not isinstance(a, HookError)), None)

    def chain(self, hook: str, argument: str, **arguments: Any) -> Any:
        """Call every implementation of a hook, each with the answer of the one before it, and return the last answer.

        An implementation that answers None, or raises, leaves the value as it was.

        :param argument: which argument is handed on.
        """
        value = arguments[argument]
        for implementation in self._implementations(hook):
            answer = self._ask(implementation, hook, {**arguments, argument: value})
            if answer is not None and not isinstance(answer, HookError):
                value = answer
        return value

    def refuse(self, plugin: str, hook: str, why: str) -> None:
        """Log that a plugin's answer is left out because it is none; once for each plugin and hook.

        :param why: in words, of the plugin: "it answered 3, which is no verdict".
        """
        if (plugin, hook) not in self._refused:
            log.error("plugin %r is not heard in hook %r: %s", plugin, hook, why)
        self._refused.add((plugin, hook))

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(self._implementations(hook))

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()[::-1]

    def _ask(self, implementation: pluggy.HookImpl, hook: str, arguments: dict[str, Any]) -> Any:
        name = implementation.plugin_name
        try:
            answer = implementation.function(*(arguments[key] for key in implementation.argnames))
        except Exception as error:
            # One line for an outage, and not one for each of its thousand calls.
            if (name, hook) not in self._failing:
                log.error("plugin %r raised in hook %r: %s", name, hook, describe_error(error))
            self._failing.add((name, hook))
            failure = HookError(f"plugin {name!r} raised {type(error).__name__}", plugin=name, hook=hook)
            failure.__cause__ = error
            return failure
        self._failing.discard((name, hook))
        return answer

    def _check(self) -> None:
        # register() takes a misspelt hook without a word; only check_pending() finds it.
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise self._refuse_hook(error) from error
        for name, plugin in self:
            for caller in self._manager.get_hookcallers(plugin) or ():
                if any(i.plugin is plugin and (i.wrapper or i.hookwrapper) for i in caller.get_hookimpls()):
                    raise ConfigurationError(f"the plugin {name!r} wraps {caller.name!r}; hooks cannot be wrapped")

    def _refuse_hook(self, error: pluggy.PluginValidationError) -> ConfigurationError:
        """Say which plugin has which wrong hook; pluggy's own message names an object by its address in memory."""
        plugin = error.plugin
        wrong = [name for name in dir(plugin) if self._is_wrong_hook(plugin, name)]
        known = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "mailnod_spec")]
        name = self._manager.get_name(plugin)
        return refuse_unknown(f"hook of the plugin {name!r}", wrong[0] if wrong else str(error), known)

    def _is_wrong_hook(self, plugin: object, name: str) -> bool:
        caller = getattr(self._manager.hook, name, None)
        return (
            self._manager.parse_hookimpl_opts(plugin, name) is not None and caller is not None and not caller.has_spec()
        )

    def _load_entry_points(self) -> None:
        # Reading the metadata of packages costs as much as the rest of the import, and tests do without.
        from importlib.metadata import entry_points

        for entry in _sorted(entry_points(group=GROUP)):
            try:
                plugin = entry.load()
            except (ImportError, ConfigurationError) as error:
                # Our own adapters stand among the entry points of every installation, with or without their extra.
                if entry.dist is not None and entry.dist.name == "mailnod":
                    log.debug("entry point %r is not loaded: %s", entry.name, error)
                    continue
                raise ConfigurationError(f"the plugin {entry.name!r} cannot be loaded: {error}") from error
            self._register(plugin, entry.name)

    def _name(self, plugin: object) -> str:
        """Return a name that tells a person which plugin it is: pluggy's own for an object is its address."""
        name = getattr(plugin, "__name__", None) or type(plugin).__name__
        taken = sum(1 for known, _ in self if known.partition(" ")[0] == name)
        return f"{name} {taken + 1}" if taken else name

    def _register(self, plugin: object, name: str) -> None:
        try:
            self._manager.register(plugin, name)
        except (ValueError, pluggy.PluginValidationError) as error:
            raise ConfigurationError(f"the plugin {name!r} cannot be registered: {error}") from error


def _sorted(found: Iterable[Any]) -> list[Any]:
    return sorted(found, key=lambda entry: str(entry.name))
