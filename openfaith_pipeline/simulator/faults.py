"""What goes wrong on purpose: by probability, or once and exactly where a test says."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openfaith_pipeline.simulator import answers
from openfaith_pipeline.simulator.answers import Answer, Ending
from openfaith_pipeline.simulator.options import Data, Faults, RateLimit


@dataclass(frozen=True)
class Script(Data):
    """The next requests of a stream fare as told.

    answer: a kind of fault, another name of `SCRIPTED`, or `pass` for the ordinary answer. stream and org: None for
    any. skip: requests to let by first. times: how many then fare so. mutation: a change to make just before the
    answer, `{"action": "edit", ...}` with the arguments of that control verb.
    """

    answer: str = "pass"
    stream: str | None = None
    org: str | None = None
    skip: int = 0
    times: int = 1
    mutation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.answer not in (*Faults.KINDS, *SCRIPTED, "pass"):
            raise ValueError(f"no answer is called {self.answer}")


SCRIPTED: Mapping[str, Callable[[], Answer]] = {
    "unauthorized": lambda: answers.unauthorized("BABOON"),
    "revoked": lambda: answers.unauthorized("CAPUCHIN"),
    "trash_panda": lambda: answers.unauthorized("TRASH_PANDA"),
    "forbidden": lambda: answers.forbidden("1", "read this collection"),
    "not_found": answers.not_found,
}


@dataclass
class _Running:
    script: Script
    seen: int = 0

    def takes(self, org: str, stream: str | None) -> bool:
        """Whether this request fares by the script; counts it."""
        if self.script.org not in (None, org) or self.script.stream not in (None, stream):
            return False
        self.seen += 1
        return self.seen > self.script.skip

    @property
    def is_over(self) -> bool:
        return self.seen >= self.script.skip + self.script.times


class FaultBox:
    """Decides how each request fares. The dice are thrown once per request, in order of arrival."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._scripts: list[_Running] = []

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._dice = random.Random(faults.seed)  # noqa: S311 - not a secret
        self._shares = [(kind, getattr(faults, kind)) for kind in Faults.KINDS if getattr(faults, kind)]

    def add(self, script: Script) -> None:
        self._scripts.append(_Running(script))

    def clear_scripts(self) -> None:
        self._scripts.clear()

    def scripted(self, org: str, stream: str | None) -> Script | None:
        """The script this request fares by, if any."""
        for running in self._scripts:
            if running.takes(org, stream):
                if running.is_over:
                    self._scripts.remove(running)
                return running.script
        return None

    def drawn(self) -> str:
        """A kind of fault, or `pass`."""
        if not self._shares:
            return "pass"
        draw = self._dice.random()
        for kind, share in self._shares:
            draw -= share
            if draw < 0:
                return kind
        return "pass"

    def spoil(self, kind: str, make: Callable[[], Answer], limit: RateLimit | None) -> Answer:
        """The answer of that kind; `make` gives the true one where it is needed."""
        if kind == "rate_limited":
            limit = limit or RateLimit()
            return answers.too_many_requests(limit.limit + 1, limit, limit.limit, self._faults.retry_after)
        if kind == "reset":
            return Answer(0, b"", ending=Ending.RESET)
        plain = _PLAIN.get(kind) or SCRIPTED.get(kind)
        if plain:
            return plain()
        answer = make()
        if kind == "truncated":
            answer.ending = Ending.TRUNCATED
        if kind == "slow":
            answer.delay_seconds += self._faults.slow_ms / 1000
        return answer


_PLAIN: Mapping[str, Callable[[], Answer]] = {
    "server_error": answers.server_error,
    "bad_gateway": answers.bad_gateway,
    "firewall": answers.firewall,
    "not_json": answers.not_json,
}
