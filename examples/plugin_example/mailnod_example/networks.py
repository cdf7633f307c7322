"""What an app knows of networks: its own uptime monitor is a machine, and a partner's gateway scans each mail."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from mailnod import Classification, ConfigurationError, Hit, Observation, Signal, Verdict, hookimpl

__all__ = ["KnownNetworks", "plugin"]

Network = IPv4Network | IPv6Network


class KnownNetworks:
    """Adds evidence against a monitor, and calls what comes from a gateway a scanner whatever it looks like.

    :param monitors: networks such as ``192.0.2.0/24`` from which only programs ask.
    :param gateways: networks of which somebody has told us that they follow links to check them.
    :raises ConfigurationError: an entry is no network.
    """

    def __init__(self, *, monitors: Iterable[str] = (), gateways: Iterable[str] = ()) -> None:
        self._monitors = [_read_network(entry) for entry in monitors]
        self._gateways = [_read_network(entry) for entry in gateways]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> KnownNetworks:
        """Read the networks from ``EXAMPLE_MONITORS`` and ``EXAMPLE_GATEWAYS``, separated by commas or spaces."""
        monitors, gateways = (
            environ.get(name, "").replace(",", " ").split() for name in ("EXAMPLE_MONITORS", "EXAMPLE_GATEWAYS")
        )
        return cls(monitors=monitors, gateways=gateways)

    @hookimpl
    def find_signals(self, observation: Observation) -> list[Signal]:
        """Weigh in where the monitor asks; other evidence still counts."""
        if not _is_in(observation.hit, self._monitors):
            return []
        return [Signal(code="example.monitor", weight=90, source="the list of our own monitors")]

    @hookimpl
    def override_verdict(self, observation: Observation, verdict: Verdict) -> Verdict | None:
        """Decide alone where the gateway asks; it sends what a browser sends, so no rule finds it."""
        if not _is_in(observation.hit, self._gateways):
            return None
        return replace(
            verdict,
            detected=True,
            machine=True,
            counts_for_metrics=False,
            classification=Classification.SECURITY_SCANNER,
            probability=99,
        )


def _is_in(hit: Hit, networks: list[Network]) -> bool:
    return hit.ip is not None and any(ip_address(hit.ip) in network for network in networks)


def _read_network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        raise ConfigurationError(f"{entry!r} is no network such as '192.0.2.0/24': {error}") from None


#: What the entry point names.
plugin = KnownNetworks.from_environ(os.environ)
