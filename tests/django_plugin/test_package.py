"""The package itself: lazy imports and public names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mailnod_django


def run_python(code: str) -> str:
    """Run Python code in a process of its own and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def test_importing_the_package_imports_no_django() -> None:
    """The package alone says what is missing, and costs nothing."""
    assert run_python("import sys, mailnod_django; print('django' in sys.modules)") == "False"


@pytest.mark.parametrize("name", ["EmailBackend", "TrackedEmail", "opened", "send_mail"])
def test_missing_django_is_named_with_what_installs_it(name: str) -> None:
    """Without Django a name of the package raises ConfigurationError with the command to type."""
    code = (
        "import importlib.abc, sys\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, fullname, path, target=None):\n"
        "        if fullname == 'django':\n"
        "            raise ModuleNotFoundError(name=fullname)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import mailnod, mailnod_django\n"
        "try:\n"
        f"    print('there:', mailnod_django.{name})\n"
        "except mailnod.ConfigurationError as error:\n"
        "    print(error)\n"
    )
    printed = run_python(code)
    assert f"mailnod_django.{name} needs 'django'" in printed
    assert "pip install 'mailnod[django]'" in printed


def test_every_public_name_is_there() -> None:
    """__all__ holds names that exist, and an unknown name is an AttributeError."""
    assert all(getattr(mailnod_django, name) is not None for name in mailnod_django.__all__)
    assert set(mailnod_django.__all__) <= set(dir(mailnod_django))
    with pytest.raises(AttributeError, match="EmailBakend"):
        _ = mailnod_django.EmailBakend
