"""Load the public names of a package when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from mailnod.errors import ConfigurationError

__all__ = ["load_on_use"]


def load_on_use(
    package: str, homes: Mapping[str, str], *, extra: str, needs: tuple[str, ...]
) -> Callable[[str], object]:
    """Return the ``__getattr__`` of an adapter's package (PEP 562).

    :param package: its name.
    :param homes: the module of each public name.
    :param extra: what installs the packages that it needs: "flask" for ``mailnod[flask]``.
    :param needs: the top-level packages of that extra.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            home = import_module(homes[name])
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] not in needs:
                raise
            raise ConfigurationError(
                f"{package}.{name} needs {error.name!r}, which is not installed: pip install 'mailnod[{extra}]'"
            ) from error
        return getattr(home, name)

    return load
