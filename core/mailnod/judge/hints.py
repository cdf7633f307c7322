"""Corrects what the user agent says of the client by what the request's other facts say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from mailnod.judge.evidence import Client, Request
from mailnod.judge.knowledge import read_table

__all__ = ["Hints"]

#: Apple's mail, and every web view of its systems: no Version, no Safari, nothing after.
_BARE_WEBKIT = re.compile(
    r"Mozilla/5\.0 \((?:Macintosh|iPhone|iPad)[^)]{0,80}\) AppleWebKit/60\d[\d.]+ \(KHTML, like Gecko\)(?: Mobile/\w+)?"
)
#: What the tables call an agent that names no product; None is the desktop's.
_WEB_VIEWS = ("Mobile Safari UI/WKWebView", "Apple Mail", "Mobile Safari", "Safari", None)
_BRAND = re.compile(r'"([^"]{1,60})";v="')
_NO_BRAND = re.compile(r"not.{0,3}a.{0,3}brand|^chromium$|^google chrome$|webview", re.IGNORECASE)
_PACKAGE = re.compile(r"[A-Za-z][\w-]*(?:\.[\w-]+)+")


class Hints:
    """The table of packages that Android's web view names."""

    def __init__(self) -> None:
        packages: dict[str, dict[str, str]] = read_table("clients")["packages"]
        self._packages = {name: (entry["name"], entry["type"]) for name, entry in packages.items()}

    def read_client(self, request: Request) -> Client:
        """Name the client of a request.

        :param request: the hit, with what its user agent says already read.
        :returns: the client; all None where the user agent was not captured.
        """
        agent = request.agent
        if agent is None:
            return Client()
        client = agent.client
        if request.kind == "open" and client.client_name in _WEB_VIEWS and _BARE_WEBKIT.fullmatch(agent.text):
            # In-app browsers say the same, but what loads an image without a page around it is the mail client.
            return replace(client, client_type="email_client", client_name="Apple Mail")
        if not request.headers or client.listed:
            return client
        return self._correct(client, request.headers)

    def _correct(self, client: Client, headers: Mapping[str, str]) -> Client:
        """Take over what UA Client Hints and Android's web view add."""
        package = headers.get("x-requested-with", "")[:200]
        if package in self._packages:
            name, kind = self._packages[package]
            return replace(client, client_name=name, client_type=kind)
        if _PACKAGE.fullmatch(package):
            kind = "browser" if "browser" in package.lower() else "app"
            return replace(client, client_type=kind)
        if client.client_name in ("Chrome", "Chrome Mobile"):
            for brand in _BRAND.findall(headers.get("sec-ch-ua", "")[:1024]):
                if not _NO_BRAND.search(brand):
                    return replace(client, client_name=brand)
        return client
