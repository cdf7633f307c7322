"""Judge an observation by the rules and by plugins, whose signals weigh with the rules' and whose verdict goes last."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

from mailnod.errors import HookError, describe_error
from mailnod.judge.classify import Judge
from mailnod.model import Classification, Observation, ProxyType, Signal, Verdict, Window
from mailnod.plugins import Plugins

__all__ = ["Assessor"]

_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_MOST_SIGNALS = 100


class _AnswerError(ValueError):
    """A plugin answered what is no answer; the message says what it is, of the plugin."""


class Assessor:
    """Brings the judge and the plugins together; the judge itself knows no plugin, and stays a pure function."""

    def __init__(self, *, judge: Judge, plugins: Plugins) -> None:
        self._judge = judge
        self._plugins = plugins

    def classify(self, observation: Observation, window: Window) -> Verdict:
        """Judge one observation."""
        if not (self._plugins.has("find_signals") or self._plugins.has("override_verdict")):
            return self._judge.classify(observation, window)
        return self.explain(observation, window)[0]

    def explain(self, observation: Observation, window: Window) -> tuple[Verdict, tuple[Signal, ...]]:
        """Judge one observation and lay the evidence open.

        :returns: the verdict, and the signals that it rests on as :meth:`mailnod.judge.classify.Judge.explain` has
            them. Where a plugin set the verdict, the first signal is ``override.<plugin>`` and the others show what
            the rules went by.
        """
        extra = tuple(self._find_signals(observation, window))
        verdict, signals = self._judge.explain(observation, window, extra=extra)
        overridden = self._override(observation, verdict)
        if overridden is None:
            return verdict, signals
        name, answer = overridden
        code = _name_override(name)
        weight = 100 if answer.machine else -100
        decided = Signal(code=code, weight=weight, source=f"the plugin {name!r} set the verdict")
        reasons = dict.fromkeys((code, *answer.reason_codes))
        return replace(answer, reason_codes=tuple(reasons), ruleset=verdict.ruleset), (decided, *signals)

    def _find_signals(self, observation: Observation, window: Window) -> Iterator[Signal]:
        for name, answer in self._plugins.call("find_signals", observation=observation, window=window):
            if answer is None or isinstance(answer, HookError):
                continue
            try:
                signals = _read_signals(answer)
            except _AnswerError as error:
                self._plugins.refuse(name, "find_signals", str(error))
                continue
            except Exception as error:
                # A generator raises only now that it is read.
                self._plugins.refuse(name, "find_signals", describe_error(error))
                continue
            for signal in signals:
                said = f": {signal.source}" if signal.source else ""
                yield replace(signal, source=f"plugin {name!r}{said}")

    def _override(self, observation: Observation, verdict: Verdict) -> tuple[str, Verdict] | None:
        """Return the first verdict that a plugin sets and that is one, with the plugin's name."""
        for name, answer in self._plugins.call("override_verdict", observation=observation, verdict=verdict):
            if answer is None or isinstance(answer, HookError):
                continue
            try:
                return name, _check_verdict(answer)
            except _AnswerError as error:
                self._plugins.refuse(name, "override_verdict", str(error))
        return None


def _name_override(plugin: str) -> str:
    return f"override.{re.sub(r'[^A-Za-z0-9_.-]+', '_', plugin)[:50]}"


def _read_signals(answer: object) -> list[Signal]:
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes):
        raise _AnswerError(f"it answered with {_name(answer)}, which is no list of signals")
    signals = list(islice(answer, _MOST_SIGNALS + 1))
    if len(signals) > _MOST_SIGNALS:
        raise _AnswerError(f"it answered with more than {_MOST_SIGNALS} signals")
    for signal in signals:
        if not isinstance(signal, Signal):
            raise _AnswerError(f"it answered with {_name(signal)} among its signals")
        _check(signal, _SIGNAL)
    return signals


def _check_verdict(verdict: object) -> Verdict:
    """Refuse what no store could keep, and what would count a machine among people or the reverse."""
    if not isinstance(verdict, Verdict):
        raise _AnswerError(f"it answered with {_name(verdict)}, which is no verdict")
    _check(verdict, _VERDICT)
    if verdict.machine is not verdict.classification.machine:
        raise _AnswerError(
            f"its verdict says machine={verdict.machine}, and its class {verdict.classification} does not"
        )
    if verdict.machine and verdict.counts_for_metrics:
        raise _AnswerError("its verdict counts a machine among people")
    return verdict


def _check(answer: object, rules: Mapping[str, tuple[Callable[[Any], bool], str]]) -> None:
    for name, (is_good, expected) in rules.items():
        if not is_good(getattr(answer, name)):
            raise _AnswerError(f"the {name} of its {_name(answer).lower()} is not {expected}")


def _name(answer: object) -> str:
    # Its type alone: a value may hold an address, and this is logged.
    return type(answer).__name__


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_optional_text(value: object) -> bool:
    return isinstance(value, str | None)


def _is_between(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and least <= value <= most


_SIGNAL: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "code": (lambda code: _is_text(code) and bool(_CODE.fullmatch(code)), "1 to 64 letters, digits and '_.:-'"),
    "weight": (_is_between(-100, 100), "a whole number from -100 to 100"),
    "source": (_is_text, "a text"),
}
_VERDICT: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "detected": (_is_bool, "True or False"),
    "machine": (_is_bool, "True or False"),
    "counts_for_metrics": (_is_bool, "True or False"),
    "probability": (_is_between(0, 100), "a whole number from 0 to 100"),
    "classification": (lambda value: isinstance(value, Classification), "a Classification"),
    "proxy_type": (lambda value: value is None or value in get_args(ProxyType), "a known one"),
    "reason_codes": (lambda codes: isinstance(codes, tuple) and all(map(_is_text, codes)), "a tuple of texts"),
    "device_type": (_is_optional_text, "a text or None"),
    "client_type": (_is_optional_text, "a text or None"),
    "client_name": (_is_optional_text, "a text or None"),
}
