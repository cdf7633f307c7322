"""Tells the kind of a device from the words of a user agent."""

from __future__ import annotations

from mailnod.judge.knowledge import PatternSet, read_table

__all__ = ["Devices"]


class Devices:
    """The table of words, searched at once."""

    def __init__(self) -> None:
        entries = read_table("devices")["device"]
        self._kinds: tuple[str, ...] = tuple(entry["kind"] for entry in entries)
        self._systems: tuple[bool, ...] = tuple(entry.get("system", False) for entry in entries)
        self._patterns = PatternSet("(?i)" + "|".join(entry["words"]) for entry in entries)

    def read(self, agent: str) -> str | None:
        """Tell the kind of device.

        :param agent: the user agent, without lone surrogates.
        :returns: "desktop", "mobile", "tablet", "tv", "other" (consoles, watches, speakers, cars), or None.
        """
        found = self._patterns.find(agent)
        if "ndroid" in agent and (found is None or self._systems[found]):
            # Chrome's own rule: phones say Mobile and tablets do not. Apps that are no browsers say neither.
            return "mobile" if "obile" in agent or not agent.startswith("Mozilla") else "tablet"
        return None if found is None else self._kinds[found]
