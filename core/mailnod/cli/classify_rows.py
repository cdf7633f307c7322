"""What a line for ``mailnod classify --jsonl`` may hold, and what is said of one that cannot be read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

__all__ = ["read_address", "read_row", "read_scenario"]

_HIT = frozenset({"kind", "method", "ua", "ip", "headers"})
_ROW = _HIT | {"id", "seconds_after_send"}
_OBSERVATION = _HIT | {"t", "link", "recipient", "message"}
_SCENARIO = frozenset({"name", "sent_at", "links", "honeypot_links", "observations"})
#: What other programs call our keys.
_OTHER_NAMES = {
    "user_agent": "ua",
    "useragent": "ua",
    "user-agent": "ua",
    "agent": "ua",
    "ip_address": "ip",
    "remote_addr": "ip",
    "address": "ip",
    "type": "kind",
    "event": "kind",
    "url": "link",
    "after": "seconds_after_send",
    "time": "t",
}
#: What describes a line without being part of the request; a row may keep it.
_REMARKS = frozenset({"expect", "source", "group", "note", "description"})


def read_row(row: Mapping[str, Any]) -> set[str]:
    """Check one request.

    :returns: keys that are not known and resemble none that is.
    :raises ValueError: a key is misspelt, or a value cannot be read; the message says which.
    """
    strange = _check_keys(row, _ROW)
    _check_hit(row)
    _check_number(row, "seconds_after_send")
    return strange


def read_scenario(row: Mapping[str, Any]) -> set[str]:
    """Check one sequence of observations; see :func:`read_row`."""
    strange = _check_keys(row, _SCENARIO)
    missing = sorted({"sent_at", "links", "observations"} - set(row))
    if missing:
        raise ValueError(f"a scenario needs {', '.join(map(repr, missing))}")
    try:
        datetime.fromisoformat(row["sent_at"])
    except (ValueError, TypeError):
        raise ValueError(f"'sent_at' is {row['sent_at']!r}, which is no ISO 8601 time") from None
    for name in ("links", "honeypot_links"):
        links = row.get(name, [])
        if not isinstance(links, list) or not all(isinstance(link, str) for link in links):
            raise ValueError(f"{name!r} must be a list of texts")
    if not isinstance(row["observations"], list):
        raise ValueError("'observations' must be a list of objects")
    for number, observation in enumerate(row["observations"]):
        try:
            strange |= _read_observation(observation)
        except ValueError as error:
            raise ValueError(f"observation {number}: {error}") from None
    return strange


def read_address(text: str) -> str:
    """Return an IP address as it was given.

    :raises ValueError: it is none.
    """
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None
    return text


def _read_observation(observation: object) -> set[str]:
    if not isinstance(observation, dict):
        raise ValueError(f"is {observation!r} and no object")
    if "t" not in observation:
        raise ValueError("needs 't', the seconds after 'sent_at'")
    _check_number(observation, "t")
    _check_hit(observation)
    if not isinstance(observation.get("link"), str | None):
        raise ValueError(f"'link' is {observation['link']!r}, which is no text")
    return _check_keys(observation, _OBSERVATION)


def _check_hit(row: Mapping[str, Any]) -> None:
    if row.get("kind", "open") not in ("open", "click"):
        raise ValueError(f"'kind' is {row['kind']!r}, neither 'open' nor 'click'")
    headers = row.get("headers")
    if not isinstance(headers, dict | None):
        raise ValueError(f"'headers' is {headers!r}, which is no object")
    for name in ("ua", "method", "ip"):
        if not isinstance(row.get(name), str | None):
            raise ValueError(f"{name!r} is {row[name]!r}, which is no text")


def _check_number(row: Mapping[str, Any], name: str) -> None:
    value = row.get(name, 0)
    if value is None and name != "t":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name!r} is {value!r}, which is no number of seconds")


def _check_keys(row: Mapping[str, Any], known: frozenset[str]) -> set[str]:
    strange = set(row) - known - _REMARKS
    for name in sorted(strange):
        meant = _OTHER_NAMES.get(name.lower())
        near = [meant] if meant in known else difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.75)
        if near:
            raise ValueError(f"the key {name!r} is not known: did you mean {near[0]!r}?")
    return strange
