"""The settings of Mailnod: one table with name, default, reader and meaning; the documentation is made from it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from mailnod.errors import ConfigurationError
from mailnod.html.urls import parse_base
from mailnod.model import Route

__all__ = ["PREFIX", "SETTINGS", "DatabaseUrl", "Setting", "Settings", "refuse_unknown"]

#: What every setting's name begins with in an app's configuration and in the environment.
PREFIX = "MAILNOD_"

#: Nobody needs an address longer than this to tell a person from a machine.
MAX_RETENTION_DAYS = 28

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One line of the table."""

    #: As :class:`Settings` calls it; upper case with :data:`PREFIX` in configuration and environment.
    name: str
    #: Turns a configured value into its type; raises ValueError with what is wrong with it.
    read: Callable[[Any], Any]
    default: Any
    #: What values look like, for the documentation.
    form: str
    doc: str


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """Where a database server is; it shows itself without user, password and parameters, which may be secret."""

    #: As it was given.
    url: str = field(repr=False)

    @property
    def scheme(self) -> str:
        """What stands before the colon, in lower case."""
        return self.url.partition(":")[0].lower()

    def __str__(self) -> str:
        """Return scheme, hosts and database."""
        rest = re.split(r"[?#]", self.url.partition("://")[2], maxsplit=1)[0]
        return f"{self.scheme}://{rest.rpartition('@')[2]}"

    def __repr__(self) -> str:
        """Return the same, with the type around it."""
        return f"DatabaseUrl({str(self)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, read and checked."""

    secret_keys: str | None = field(default=None, repr=False)
    base_url: str | None = None
    database: Path | DatabaseUrl = Path("mailnod.db")
    journals: Path | None = None
    routes: Mapping[str, Route] = field(default_factory=lambda: MappingProxyType({}))
    default_route: str = "default"
    excluded_hosts: tuple[str, ...] = ()
    settle_s: float = 10.0
    trusted_proxies: tuple[Network, ...] = ()
    test_recipients: tuple[str, ...] = ()
    retention_days: int = MAX_RETENTION_DAYS
    worker: Literal["thread", "none"] = "thread"
    spool: Path | None = None
    networks: Path | None = None
    token_cap: int = 1000
    source_cap: int = 10_000

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Settings:
        """Read settings from a mapping such as a Flask app's configuration.

        :param config: keys with the prefix ``MAILNOD_`` are read, all others are left alone.
        :raises ConfigurationError: a key is unknown, or a value cannot be read; the message names it.
        """
        given = {key[len(PREFIX) :].lower(): value for key, value in config.items() if key.startswith(PREFIX)}
        for name in given:
            if name not in SETTINGS:
                raise refuse_unknown("setting", PREFIX + name.upper(), [PREFIX + known.upper() for known in SETTINGS])
        return cls(**{name: _read(SETTINGS[name], value) for name, value in given.items()})._checked()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], **given: Any) -> Settings:
        """Read settings from environment variables; unknown ones are left alone, because they may be another program's.

        :param given: values that go before the environment; None does not count.
        :raises ConfigurationError: a value cannot be read; the message names it.
        """
        config: dict[str, Any] = {
            key: environ[key] for name in SETTINGS if (key := PREFIX + name.upper()) in environ and environ[key] != ""
        }
        config.update({PREFIX + name.upper(): value for name, value in given.items() if value is not None})
        return cls.from_mapping(config)

    @property
    def journal_folder(self) -> Path:
        """Where each process keeps its journal: as configured, or beside a database that is a file."""
        if self.journals is not None:
            return self.journals
        if isinstance(self.database, Path):
            return self.database.with_name(self.database.name + ".journals")
        return Path("mailnod.journals")

    @property
    def local_path(self) -> Path:
        """What this host keeps beside: the database where that is a file, else the folder of journals."""
        return self.database if isinstance(self.database, Path) else self.journal_folder

    @property
    def networks_file(self) -> Path:
        """Where published lists of networks are kept: as configured, or beside the database."""
        return self.networks or self.local_path.with_name(self.local_path.name + ".networks")

    def get_route(self, name: str) -> Route | None:
        """Return a route by its name; None where there is none."""
        return self.routes.get(name)

    def is_test_recipient(self, address: str) -> bool:
        """Return whether mail to an address is a test of the sender's own."""
        address = address.strip().lower()
        return any(entry in (address, address[address.rfind("@") :]) for entry in self.test_recipients)

    def get_base_urls(self) -> tuple[str, ...]:
        """Return every base URL that sent mail may point to, each once, the common one first."""
        urls = [self.base_url, *(route.base_url for route in self.routes.values())]
        return tuple(dict.fromkeys(url for url in urls if url))

    def find_doubts(self) -> list[str]:
        """Return what is allowed and probably not meant, in words."""
        doubts = []
        for url in self.get_base_urls():
            parts = urlsplit(url)
            if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
                doubts.append(f"{url!r} is not https: anyone on the way can read and change what is fetched from it")
        return doubts

    def _checked(self) -> Settings:
        routes = dict(self.routes)
        if self.default_route not in routes:
            if self.default_route != "default":
                raise refuse_unknown("route in MAILNOD_DEFAULT_ROUTE", self.default_route, routes)
            routes["default"] = Route(name="default")
        for route in routes.values():
            if (route.track_opens or route.track_clicks) and not (route.base_url or self.base_url):
                raise ConfigurationError(
                    f"MAILNOD_BASE_URL is not set, and the route {route.name!r} tracks: set it to the address at which "
                    "recipients reach the collector, such as 'https://app.example/t'"
                )
        return replace(self, routes=MappingProxyType(routes))


def refuse_unknown(what: str, name: str, known: Iterable[str]) -> ConfigurationError:
    """Return the error for a name that is not known, with the nearest one that is.

    :param what: what kind of name it is, for the message: "setting", "keyword".
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(map(repr, known)) or 'none'}"
    return ConfigurationError(f"unknown {what} {name!r}: {hint}")


def _read(setting: Setting, value: Any) -> Any:
    try:
        return setting.read(value)
    except (ValueError, TypeError) as error:
        shown = "its value" if setting.name == "secret_keys" else repr(value)
        raise ConfigurationError(f"{PREFIX}{setting.name.upper()}: {shown} {error}; expected {setting.form}") from None


def _read_text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not a text")
    return value.strip()


def _read_database(value: Any) -> Path | DatabaseUrl:
    if isinstance(value, DatabaseUrl):
        return value
    text = _read_text(str(value))
    return DatabaseUrl(text) if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) else Path(text)


def _read_base_url(value: Any) -> str:
    text = _read_text(value).rstrip("/")
    # Only characters that no server, proxy or mail program writes in another way than they came.
    match = re.fullmatch(
        r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[\w.~-]+)*", text, re.ASCII | re.IGNORECASE
    )
    if match is None:
        raise ValueError("is not an http(s) URL of a host and a path of letters, digits, '-', '.', '_' and '~'")
    if urlsplit(text).port == 0:
        raise ValueError("has the port 0")
    try:
        parse_base(text)
    except ConfigurationError:
        raise ValueError("is not a URL that a browser opens") from None
    return text


def _read_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError("is neither true nor false")


def _read_seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError("is not a number") from None
    if not 0 <= seconds <= 86_400:
        raise ValueError("is not between 0 and 86400")
    return seconds


def _read_cap(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value), re.ASCII):
        raise ValueError("is not a whole number of up to nine digits")
    return int(value)


def _read_retention(value: Any) -> int:
    days = int(value)
    if not 0 <= days <= MAX_RETENTION_DAYS:
        raise ValueError(f"is not between 0 and {MAX_RETENTION_DAYS}")
    return days


def _read_list(value: Any) -> list[str]:
    items = re.split(r"[,\s]+", value.strip()) if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in items):
        raise ValueError("is not a list of texts")
    return [item for item in items if item]


def _read_hosts(value: Any) -> tuple[str, ...]:
    hosts = [item.lower() for item in _read_list(value)]
    for host in hosts:
        if not re.fullmatch(r"\.?[\w-]+(\.[\w-]+)*|\[[0-9a-f:.]+\]", host):
            raise ValueError(f"holds {host!r}, which is not a host name")
    return tuple(hosts)


def _read_recipients(value: Any) -> tuple[str, ...]:
    recipients = tuple(item.lower() for item in _read_list(value))
    for recipient in recipients:
        if not re.fullmatch(r"[^@\s]*@[\w-]+(\.[\w-]+)*", recipient):
            raise ValueError(f"holds {recipient!r}, which is neither an address nor '@' and a domain")
    return recipients


def _read_networks(value: Any) -> tuple[Network, ...]:
    items = _read_list(value)
    networks = []
    for item in items:
        try:
            networks.append(ip_network(item))
        except ValueError:
            # The value is shown already; one of several must be named.
            subject = "is" if len(items) == 1 else f"holds {item!r}, which is"
            raise ValueError(f"{subject} {_doubt_network(item)}") from None
    return tuple(networks)


def _doubt_network(item: str) -> str:
    try:
        return f"an address in a network and not the network {str(ip_network(item, strict=False))!r} itself"
    except ValueError:
        return "no network"


def _read_worker(value: Any) -> str:
    if value not in ("thread", "none"):
        raise ValueError("is not known")
    return str(value)


def _read_routes(value: Any) -> Mapping[str, Route]:
    routes = json.loads(value) if isinstance(value, str) else value
    if not isinstance(routes, Mapping):
        raise ValueError("is not a mapping of names to routes")
    return MappingProxyType({name: _read_route(name, options) for name, options in routes.items()})


_ROUTE_READERS: dict[str, Callable[[Any], Any]] = {
    "track_opens": _read_bool,
    "track_clicks": _read_bool,
    "consent": str,
    "purpose": _read_text,
    "base_url": _read_base_url,
    "excluded_hosts": _read_hosts,
    "token_max_age_days": int,
    "text_clicks": _read_bool,
    "link_style": str,
    "honeypot": _read_bool,
    "retention_days": _read_retention,
    "store_bodies_days": _read_retention,
}


def _read_route(name: Any, options: Any) -> Route:
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,64}", name):
        raise ValueError(f"names a route {name!r}, which is not 1 to 64 letters, digits, '_', '-' and '.'")
    if not isinstance(options, Mapping):
        raise ValueError(f"gives the route {name!r} no mapping of options")
    values: dict[str, Any] = {}
    for key, value in options.items():
        if key not in _ROUTE_READERS:
            raise refuse_unknown(f"option of the route {name!r} in MAILNOD_ROUTES", str(key), _ROUTE_READERS)
        try:
            values[key] = _ROUTE_READERS[key](value)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"MAILNOD_ROUTES: {key}={value!r} of the route {name!r} {error}") from None
    route = Route(name=name, **values)
    if route.consent not in ("required", "assumed"):
        raise ValueError(f"says consent={route.consent!r} on {name!r}, which is neither 'required' nor 'assumed'")
    if route.link_style not in ("portable", "short"):
        raise ValueError(f"says link_style={route.link_style!r} on {name!r}, which is neither 'portable' nor 'short'")
    if not 0 <= route.token_max_age_days <= 3650:
        raise ValueError(f"says token_max_age_days={route.token_max_age_days} on {name!r}, not between 0 and 3650")
    return route


_TABLE = (
    Setting(
        name="secret_keys",
        read=_read_text,
        default=None,
        form="'id:state:secret' entries, or one secret",
        doc="Keys that sign tokens and links; print one with ``mailnod keys new``. States: signing, verifying, "
        "retired, revoked. Without it, Flask and Django derive a key from the app's ``SECRET_KEY``.",
    ),
    Setting(
        name="base_url",
        read=_read_base_url,
        default=None,
        form="a URL such as 'https://app.example/t'",
        doc="Where recipients reach the collector. Give it a path of its own: everything below ``<path>/o/`` and "
        "``<path>/c/`` belongs to Mailnod. Needed as soon as a route tracks.",
    ),
    Setting(
        name="database",
        read=_read_database,
        default=Path("mailnod.db"),
        form="a path, or a URL such as 'postgresql://user:secret@host/mail'",
        doc="The store: the path of an SQLite file, or the URL of a PostgreSQL database that several servers share. "
        "The default is ``mailnod.db`` in a Flask app's instance folder, or in Django's ``BASE_DIR``. See the page on "
        "scaling.",
    ),
    Setting(
        name="journals",
        read=lambda value: Path(_read_text(str(value))),
        default=None,
        form="a folder on a disk of this host",
        doc="Where each process writes hits down before it answers, each host in a folder of its own. Without it, "
        "``<database>.journals`` beside an SQLite file, and ``mailnod.journals`` where the store is on a server.",
    ),
    Setting(
        name="routes",
        read=_read_routes,
        default={},
        form="a mapping of names to options, or the same as JSON",
        doc="Kinds of mail by name. Options of a route: track_opens, track_clicks (both off), consent ('required', or "
        "'assumed' where you answer for it yourself), purpose, base_url, excluded_hosts, token_max_age_days, "
        "text_clicks (links in plain text too, where clicks are tracked; off), link_style ('portable', or 'short': see "
        "the page on overrides for what that trades away), honeypot (a hidden link to tell scanners by; off), "
        "retention_days (as the setting), store_bodies_days (for how many days, 28 at most, the HTML of tracked mail "
        "is kept as it was before it was edited; 0).",
    ),
    Setting(
        name="default_route",
        read=_read_text,
        default="default",
        form="the name of a route",
        doc="The route of mail that names none.",
    ),
    Setting(
        name="excluded_hosts",
        read=_read_hosts,
        default=(),
        form="host names; '.example.com' also means every host below it",
        doc="Links to these hosts are never tracked, on any route.",
    ),
    Setting(
        name="settle_s",
        read=_read_seconds,
        default=10.0,
        form="seconds from 0 to 86400",
        doc="How long a hit waits before it is judged, because a scanner often shows itself only by its next requests.",
    ),
    Setting(
        name="trusted_proxies",
        read=_read_networks,
        default=(),
        form="networks such as '10.0.0.0/8'",
        doc="Addresses whose ``X-Forwarded-For`` is believed; the client is the rightmost address not among them.",
    ),
    Setting(
        name="test_recipients",
        read=_read_recipients,
        default=(),
        form="addresses; '@qa.example.com' means everyone there",
        doc="Your own mailboxes. Mail to them alone is tracked without asking for consent (a denial still counts), and "
        "its opens and clicks are shown as tests and never enter the statistics.",
    ),
    Setting(
        name="spool",
        read=lambda value: Path(_read_text(str(value))),
        default=None,
        form="a folder",
        doc="Where hits are kept that the journal does not take, because its disk is full, broken or slow; best on "
        "another disk than the store. Without it, ``/var/tmp`` and ``/tmp`` are tried, first the one on another "
        "file system. In there, each store and user has a folder of its own.",
    ),
    Setting(
        name="token_cap",
        read=_read_cap,
        default=1000,
        form="a whole number; 0 for no cap",
        doc="How many opens of one mail, and how many clicks on each of its links, a process records in a day. Those "
        "beyond are answered as ever and counted: ``mailnod doctor`` and ``mailnod stats`` tell how many there were.",
    ),
    Setting(
        name="source_cap",
        read=_read_cap,
        default=10_000,
        form="a whole number; 0 for no cap",
        doc="How many hits of one address (in IPv6: of one /64) a process records in a minute. Those beyond are "
        "answered as ever and counted.",
    ),
    Setting(
        name="retention_days",
        read=_read_retention,
        default=MAX_RETENTION_DAYS,
        form="days from 0 to 28",
        doc="For how long the IP address, user agent and headers of a hit are kept. Then keyed hashes, the class of "
        "the network, the names of the headers and the verdict stay; 0 keeps nothing longer than it takes to judge.",
    ),
    Setting(
        name="worker",
        read=_read_worker,
        default="thread",
        form="'thread' or 'none'",
        doc="Who drains journals and judges: a thread in the app's processes, or only ``mailnod work`` elsewhere.",
    ),
    Setting(
        name="networks",
        read=lambda value: Path(_read_text(str(value))),
        default=None,
        form="a path",
        doc="The file that ``mailnod networks update`` writes and the judge reads; several apps may share it. "
        "``<database>.networks`` where it is not set.",
    ),
)

#: The table by name.
SETTINGS: Mapping[str, Setting] = MappingProxyType({setting.name: setting for setting in _TABLE})
