"""The app: it holds the process's tracker, and refuses a wrong setup when Django starts."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.core.signals import setting_changed

from mailnod import Clock, Tracker
from mailnod_django.conf import Config, read_config, read_keyring
from mailnod_django.signals import SignalPlugin

__all__ = ["MailnodConfig", "get_app"]

_SETTINGS = ("MAILNOD", "SECRET_KEY", "SECRET_KEY_FALLBACKS")


class MailnodConfig(AppConfig):
    """``"mailnod_django"`` in ``INSTALLED_APPS``; it has no models, because Mailnod keeps a store of its own."""

    name = "mailnod_django"
    verbose_name = "Mailnod"
    #: Another clock, for tests.
    clock: Clock | None = None
    #: Whether installed plugins take part; tests may want their own alone.
    load_entry_points = True

    _made: tuple[Config, Tracker] | None = None

    def ready(self) -> None:
        """Read the settings and make the tracker; nothing is opened yet.

        :raises ConfigurationError: a setting is unknown or wrong, or there is no secret.
        """
        from mailnod_django import checks, esp  # noqa: F401  # importing the checks registers them

        setting_changed.connect(self._forget)
        esp.connect(self)
        self._make()

    @property
    def config(self) -> Config:
        """What ``settings.MAILNOD`` says."""
        return self._make()[0]

    @property
    def tracker(self) -> Tracker:
        """The process's tracker."""
        return self._make()[1]

    def _make(self) -> tuple[Config, Tracker]:
        if self._made is None:
            config = read_config()
            tracker = Tracker(
                config.settings,
                keyring=read_keyring(config.settings),
                clock=self.clock,
                plugins=[*config.plugins, SignalPlugin()],
                load_entry_points=self.load_entry_points,
            )
            self._made = config, tracker
        return self._made

    def _forget(self, *, setting: str, **_: Any) -> None:
        # Only tests change settings while a process runs.
        if setting in _SETTINGS and self._made is not None:
            self._made[1].close()
            self._made = None


def get_app() -> MailnodConfig:
    """Return the installed app.

    :raises LookupError: ``"mailnod_django"`` is not in ``INSTALLED_APPS``.
    """
    app = apps.get_app_config("mailnod_django")
    assert isinstance(app, MailnodConfig)  # noqa: S101
    return app
