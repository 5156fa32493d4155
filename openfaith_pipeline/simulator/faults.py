"""Deliberate faults: random, or exactly where a test scripts them."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import orjson

from openfaith_pipeline.simulator import answers
from openfaith_pipeline.simulator.answers import Answer, Ending
from openfaith_pipeline.simulator.hostility import HOSTILE
from openfaith_pipeline.simulator.options import Data, Faults, RateLimit


@dataclass(frozen=True)
class Script(Data):
    """A scripted response to the next requests of a stream.

    answer: a kind of fault, another name of `SCRIPTED` or `HOSTILE`, or `pass` for the ordinary response.
    mutation: a change to make just before the response, `{"action": "edit", ...}` with that control verb's arguments.
    Filters, None for any: stream, org; path: a shell pattern; include: requests with this include; record: requests
    whose ordinary response shows the record with this id.
    skip: number of matching requests to let through first. times: number of requests to apply it to after that, None
    for all.
    """

    answer: str = "pass"
    stream: str | None = None
    org: str | None = None
    path: str | None = None
    include: str | None = None
    record: str | None = None
    skip: int = 0
    times: int | None = 1
    mutation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.answer not in (*Faults.KINDS, *SCRIPTED, *HOSTILE, "pass"):
            raise ValueError(f"there is no answer {self.answer!r}")


SCRIPTED: Mapping[str, Callable[[], Answer]] = {
    "unauthorized": lambda: answers.unauthorized("BABOON"),
    "revoked": lambda: answers.unauthorized("CAPUCHIN"),
    "trash_panda": lambda: answers.unauthorized("TRASH_PANDA"),
    "forbidden": lambda: answers.forbidden("1", "read this collection"),
    "bad_request": answers.bad_request,
    "not_found": answers.not_found,
    "lost": answers.something_went_wrong,
    "gone": answers.gone,
    "silence": answers.no_rows,
}


@dataclass(frozen=True)
class Asked:
    """A request, as seen by scripts. stream: the stream of its path. make: builds the ordinary response."""

    org: str
    stream: str | None
    path: str
    params: Mapping[str, str]
    make: Callable[[], Answer]

    def shows(self, record: str) -> bool:
        """Whether the ordinary response is or lists the record with this id."""
        answer = self.make()
        data = orjson.loads(answer.body).get("data") if answer.status == 200 else None
        rows = data if isinstance(data, list) else [data]
        return any(isinstance(row, dict) and row.get("id") == record for row in rows)


@dataclass
class _Running:
    script: Script
    seen: int = 0

    def takes(self, asked: "Asked") -> bool:
        """Whether the script applies to this request; counts it."""
        if not self._concerns(asked):
            return False
        self.seen += 1
        return self.seen > self.script.skip

    def _concerns(self, asked: "Asked") -> bool:
        script = self.script
        return (
            script.org in (None, asked.org)
            and script.stream in (None, asked.stream)
            and (script.path is None or fnmatchcase(asked.path, script.path))
            and (script.include is None or script.include in asked.params.get("include", "").split(","))
            and (script.record is None or asked.shows(script.record))
        )

    @property
    def is_over(self) -> bool:
        return self.script.times is not None and self.seen >= self.script.skip + self.script.times


class FaultBox:
    """Chooses the fault of each request. Random numbers are drawn once per request, in order of arrival."""

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

    def scripted(self, asked: Asked) -> Script | None:
        """The script that applies to this request, if any."""
        for running in self._scripts:
            if running.takes(asked):
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
        """The response for this kind of fault; `make` builds the ordinary one if it is needed."""
        if kind == "rate_limited":
            limit = limit or RateLimit()
            return answers.too_many_requests(limit.limit + 1, limit, limit.limit, self._faults.retry_after)
        if kind == "reset":
            return Answer(0, b"", ending=Ending.RESET)
        plain = _PLAIN.get(kind) or SCRIPTED.get(kind)
        if plain:
            return plain()
        answer = make()
        if kind in HOSTILE:
            return HOSTILE[kind](answer) if answer.status == 200 else answer
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
