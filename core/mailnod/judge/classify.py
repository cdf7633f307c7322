"""The judge: tells for each observation whether a person or a machine acted.

The rules and their tables load on first use, so that sending mail and taking hits never wait for them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mailnod.model import Observation, Signal, Verdict, Window

if TYPE_CHECKING:
    from mailnod.judge.verdicts import Rules

__all__ = ["RULESET", "Judge"]

#: Version of the rules; it changes whenever a verdict may.
RULESET = "2026.11"


class Judge:
    """Judges observations; one judge may be shared between threads.

    :param networks: the file that ``mailnod networks update`` writes; read on first use, and again when it changed.
        None, or a path where nothing is, means the blocks that are installed with the rules.
    """

    def __init__(self, *, networks: Path | None = None) -> None:
        self._networks = networks
        self._lock = threading.Lock()
        self._rules: Rules | None = None

    def classify(self, observation: Observation, window: Window) -> Verdict:
        """Judge one observation.

        :param observation: the recorded hit; whatever it holds may be forged.
        :param window: what else is known when it is judged.
        :returns: the verdict. The same arguments give the same verdict.
        """
        return self.explain(observation, window)[0]

    def explain(
        self, observation: Observation, window: Window, *, extra: Sequence[Signal] = ()
    ) -> tuple[Verdict, tuple[Signal, ...]]:
        """Judge one observation and lay the evidence open.

        :param observation: the recorded hit; whatever it holds may be forged.
        :param window: what else is known when it is judged.
        :param extra: signals from elsewhere, which are weighed as those of the rules are.
        :returns: the verdict, and the signals that it rests on, strongest first. Where a machine or a proxy was
            recognised outright, the first signal decided and the others are kept for diagnosis.
        """
        return self._load().explain(observation, window, extra)

    def name_network(self, ip: str) -> str | None:
        """Return the class of the network that an address lies in, such as "cloud"; None where no list holds it."""
        return self._load().name_network(ip)

    def _load(self) -> Rules:
        rules = self._rules
        if rules is None:
            with self._lock:
                rules = self._rules
                if rules is None:
                    from mailnod.judge.verdicts import Rules

                    rules = self._rules = Rules(ruleset=RULESET, networks=self._networks)
        return rules
