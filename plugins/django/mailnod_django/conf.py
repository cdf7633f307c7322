"""Read ``settings.MAILNOD`` and the keys, and find what is probably not meant."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from mailnod import ConfigurationError, Keyring, Settings
from mailnod.settings import PREFIX, SETTINGS, refuse_unknown

__all__ = ["BACKEND", "DEFAULT_INNER", "Config", "find_silent_routes", "read_config", "read_keyring"]

#: How settings name our backend.
BACKEND = "mailnod_django.EmailBackend"
#: The backend that sends where ``settings.MAILNOD`` names none.
DEFAULT_INNER = "django.core.mail.backends.smtp.EmailBackend"

_OWN_KEYS = ("BACKEND", "ESP_TRACKING", "PLUGINS")
_KNOWN_KEYS = (*_OWN_KEYS, *(name.upper() for name in SETTINGS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What ``settings.MAILNOD`` says."""

    settings: Settings
    #: Dotted path of the backend that sends; ``MAILERS`` names a mailer instead.
    backend: str = DEFAULT_INNER
    #: Who tracks where the backend is one of django-anymail's: we, or the provider behind it.
    esp_tracking: Literal["ours", "esp"] = "ours"
    #: Objects with Mailnod hooks.
    plugins: tuple[object, ...] = ()


def read_config() -> Config:
    """Read ``settings.MAILNOD``, and from the environment what is absent or None there.

    Keys are those of Mailnod's settings in upper case without prefix, ``BACKEND``, ``ESP_TRACKING`` and ``PLUGINS``:
    objects with hooks, or dotted paths of such objects and modules.

    :raises ConfigurationError: a key is unknown, or a value is wrong.
    """
    given = dict(_read_raw())
    for name in given:
        if name not in _KNOWN_KEYS:
            raise _refuse(str(name))
    own = {name: given.pop(name, None) for name in _OWN_KEYS}
    values = {name.lower(): value for name, value in given.items()}
    if values.get("database") is None and not os.environ.get(f"{PREFIX}DATABASE"):
        values["database"] = Path(getattr(django_settings, "BASE_DIR", ".")) / "mailnod.db"
    settings = Settings.from_environ(os.environ, **values)
    if settings.journals is None and not isinstance(settings.database, Path):
        settings = replace(settings, journals=Path(getattr(django_settings, "BASE_DIR", ".")) / "mailnod.journals")
    esp_tracking: Any = own["ESP_TRACKING"] or "ours"
    if esp_tracking not in ("ours", "esp"):
        raise ConfigurationError(f"settings.MAILNOD['ESP_TRACKING'] is {esp_tracking!r}; expected 'ours' or 'esp'")
    backend = own["BACKEND"] or DEFAULT_INNER
    if not isinstance(backend, str):
        raise ConfigurationError(f"settings.MAILNOD['BACKEND'] is {backend!r}; expected the dotted path of a backend")
    if backend.startswith("mailnod_django."):
        raise ConfigurationError(
            f"settings.MAILNOD['BACKEND'] is {backend!r}, which is Mailnod itself; name the backend that sends"
        )
    return Config(
        settings=settings,
        backend=backend,
        esp_tracking=esp_tracking,
        plugins=tuple(_load(plugin) for plugin in own["PLUGINS"] or ()),
    )


def read_keyring(settings: Settings) -> Keyring:
    """Return the keys of ``SECRET_KEYS``, else keys derived from Django's ``SECRET_KEY`` and its fallbacks.

    :raises ConfigurationError: there is neither.
    """
    if settings.secret_keys is not None:
        return Keyring.parse(settings.secret_keys)
    # Django itself refuses an empty SECRET_KEY, with an error of its own.
    return Keyring.derive(django_settings.SECRET_KEY, django_settings.SECRET_KEY_FALLBACKS)


def find_silent_routes(settings: Settings) -> list[str]:
    """Return the names of routes that track and do not say on what consent."""
    raw = _read_raw().get("ROUTES")
    if raw is None:
        raw = os.environ.get(f"{PREFIX}ROUTES") or {}
    stated: Mapping[str, Mapping[str, object]] = json.loads(raw) if isinstance(raw, str) else raw
    tracking = (route.name for route in settings.routes.values() if route.track_opens or route.track_clicks)
    return [name for name in tracking if "consent" not in stated.get(name, {})]


def _read_raw() -> Mapping[str, Any]:
    raw = getattr(django_settings, "MAILNOD", None)
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise ConfigurationError(f"settings.MAILNOD is {raw!r}; expected a mapping such as {{'BASE_URL': ...}}")
    return raw


def _refuse(name: str) -> ConfigurationError:
    what = "key of settings.MAILNOD"
    if name.upper() in _KNOWN_KEYS:
        return ConfigurationError(f"unknown {what} {name!r}: did you mean {name.upper()!r}?")
    return refuse_unknown(what, name, _KNOWN_KEYS)


def _load(plugin: object) -> object:
    if not isinstance(plugin, str):
        return plugin
    try:
        # A module, or a name in one.
        if find_spec(plugin) is not None:
            return import_module(plugin)
    except ModuleNotFoundError:
        pass
    try:
        return import_string(plugin)
    except ImportError as error:
        raise ConfigurationError(f"settings.MAILNOD['PLUGINS']: {plugin!r} cannot be imported: {error}") from error
