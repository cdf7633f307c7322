"""Make the plans by which the parts of a message are rewritten, each body's once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailnod.html.plain import TextPlan, compile_text
from mailnod.html.plan import Plan, compile_plan
from mailnod.model import Envelope, Link, LinkStyle, Route
from mailnod.plugins import Plugins
from mailnod.tokens import Keyring

__all__ = ["Compiler", "Target"]

#: How many plans a process keeps, and of bodies of what length at most: some 20 MB in the worst case.
CACHED_PLANS = 16
MAX_CACHED_CHARS = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a body is compiled for: all that its plan depends on besides its text."""

    base_url: str
    opens: bool
    clicks: bool
    #: Those of the route and those of the settings.
    excluded_hosts: tuple[str, ...]
    #: The value of that header (RFC 2369); links to its targets are left alone.
    list_unsubscribe: str | None
    link_style: LinkStyle
    #: Whether a hidden link is added.
    honeypot: bool

    @classmethod
    def of(
        cls,
        route: Route,
        *,
        base_url: str,
        excluded_hosts: Sequence[str],
        opens: bool = True,
        clicks: bool = True,
        list_unsubscribe: str | None = None,
    ) -> Target:
        """Return what a route's mail is compiled for.

        :param excluded_hosts: those of the settings, besides the route's own.
        """
        hosts = (*excluded_hosts, *route.excluded_hosts)
        return cls(
            base_url=base_url,
            opens=opens,
            clicks=clicks,
            excluded_hosts=hosts,
            list_unsubscribe=list_unsubscribe,
            link_style=route.link_style,
            honeypot=route.honeypot,
        )


class Compiler:
    """Compiles bodies, and keeps the plans of those that come again."""

    def __init__(self, *, keyring: Keyring, plugins: Plugins) -> None:
        self._keyring = keyring
        self._plugins = plugins
        # A campaign sends one body many times.
        self._compile_again: Callable[[str, Target], Plan] = lru_cache(maxsize=CACHED_PLANS)(self._compile)

    def compile(
        self,
        html: str,
        target: Target,
        *,
        envelope: Envelope | None = None,
        allow_link: Callable[[Link], bool] | None = None,
    ) -> Plan:
        """Return the plan of an HTML body.

        :param envelope: what plugins may decide by; None asks none of them.
        :param allow_link: whether a link that the rules let through is tracked; asked before plugins.
        :raises RewriteError: the HTML cannot be edited safely.
        """
        allows, changes = (envelope is not None and self._plugins.has(hook) for hook in ("allow_link", "change_url"))
        if allow_link is not None or allows or changes:
            # What a plugin answers may depend on the envelope, so this plan serves its message alone.
            asked = self._ask_about(envelope) if envelope is not None and allows else None
            return self._compile(
                html,
                target,
                allow_link=_join(allow_link, asked),
                change_url=self._change_for(envelope) if envelope is not None and changes else None,
            )
        return self._compile_again(html, target) if len(html) <= MAX_CACHED_CHARS else self._compile(html, target)

    def compile_text(self, text: str, target: Target, *, envelope: Envelope, first_index: int) -> TextPlan:
        """Return the plan of a plain text, whose links are numbered from an index on."""
        return compile_text(
            text,
            base_url=target.base_url,
            tag_link=self._keyring.tag_link,
            first_index=first_index,
            link_style=target.link_style,
            excluded_hosts=target.excluded_hosts,
            list_unsubscribe=target.list_unsubscribe,
            allow_link=self._ask_about(envelope) if self._plugins.has("allow_link") else None,
            change_url=self._change_for(envelope) if self._plugins.has("change_url") else None,
        )

    def _compile(
        self,
        html: str,
        target: Target,
        *,
        allow_link: Callable[[Link], bool] | None = None,
        change_url: Callable[[str, Link], str] | None = None,
    ) -> Plan:
        return compile_plan(
            html,
            base_url=target.base_url,
            tag_link=self._keyring.tag_link,
            track_opens=target.opens,
            track_clicks=target.clicks,
            link_style=target.link_style,
            honeypot=target.honeypot,
            excluded_hosts=target.excluded_hosts,
            list_unsubscribe=target.list_unsubscribe,
            allow_link=allow_link,
            change_url=change_url,
        )

    def _ask_about(self, envelope: Envelope) -> Callable[[Link], bool]:
        def allow_link(link: Link) -> bool:
            answers = list(self._plugins.call("allow_link", link=link, envelope=envelope))
            # A plugin that raised, or answered what is no answer, may have meant no.
            return all(answer is None or answer is True for _, answer in answers)

        return allow_link

    def _change_for(self, envelope: Envelope) -> Callable[[str, Link], str]:
        def change_url(url: str, link: Link) -> str:
            return str(self._plugins.chain("change_url", "url", url=url, link=link, envelope=envelope))

        return change_url


def _join(first: Callable[[Link], bool] | None, second: Callable[[Link], bool] | None) -> Callable[[Link], bool] | None:
    """Return what asks both, the second only where the first allows."""
    if first is None or second is None:
        return first or second
    return lambda link: first(link) and second(link)
