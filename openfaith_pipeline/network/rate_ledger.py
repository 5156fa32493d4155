"""The ledger of one connection's rate limit, stored where several processes can reach it; pure bookkeeping.

Processes (holders) lease slots in small batches, one for each request they are about to send, and report the responses
at their next exchange. A slot becomes free one period after the response, as in `rate_budget.py`, whose reasoning also
applies here; a holder that stays silent is given up, and its requests count as answered then.

Order of priority: webhooks, then incremental syncs, then backfills; equal priorities share the free slots. Holders that
have waited a whole period without a grant come first, for a tenth of the limit, so that none starves.

Times are seconds of one clock with any zero: the store's.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

from openfaith_pipeline.network.rate_budget import DEEP_LIMIT_HOLDS_FOR, MARGIN, RateLimit, RateReport

SILENT_AFTER = 10.0
"""Seconds of silence after which a holder with slots is given up."""

WAITING_FOR = 3.0
"""Seconds for which a holder that received nothing counts as still waiting."""

HELD_BACK_FOR = 0.25
"""Seconds after which a holder tries again when its slots went to others before it."""

ASSURED_SHARE = 0.1
MOST_ENTRIES = 200
"""Responses kept separately; beyond this number, neighbours are merged and count as the later of them."""


class Priority(IntEnum):
    """Priority of requests when the budget is short."""

    WEBHOOK = 1
    INCREMENTAL = 2
    BACKFILL = 3
    VERIFY = 4


@dataclass(frozen=True)
class Answer:
    """A request ended `age` seconds ago. freed_before: of its grant. report: as in RateBudget.release."""

    age: float
    freed_before: int
    report: RateReport | None


@dataclass(frozen=True)
class Claim:
    """A holder's demand in one exchange.

    wanted, wanted_deep: requests waiting to be sent; those beyond the deep offset.
    ahead: number of additional ones it would take if there are plenty.
    returned: slots it leased and does not need.
    """

    holder: str
    priority: Priority
    wanted: int = 0
    wanted_deep: int = 0
    ahead: int = 0
    returned: int = 0
    answers: tuple[Answer, ...] = ()
    pause: float = 0.0


@dataclass(frozen=True)
class Grant:
    """Result of one exchange: slots leased for either kind of request, and seconds after which to ask for the rest.

    freed_before: slots freed until then, to report with the responses. limit: as currently known.
    """

    slots: int
    deep_slots: int
    freed_before: int
    limit: int
    retry_in: float


@dataclass
class RateLedger:
    """leases: holder -> [slots in flight, last seen].

    answered: [time of the response, slots], ascending. waiting: holder -> [priority, wanted, deep among them, seen at].
    in_vain_since: priority -> since when holders of it have waited without any grant.
    refused_deep: [limit of deep requests that a refusal named, when]; it counts before `deep_limit`, for a while.
    """

    limit: int
    deep_limit: int
    period: float
    taken: int = 0
    freed: int = 0
    reported_at: float | None = None
    paused_until: float = 0.0
    leases: dict[str, list[float]] = field(default_factory=dict)
    answered: list[list[float]] = field(default_factory=list)
    waiting: dict[str, list[float]] = field(default_factory=dict)
    in_vain_since: dict[str, float] = field(default_factory=dict)
    refused_deep: list[float] | None = None

    @classmethod
    def new(cls, usual: RateLimit) -> Self:
        """A ledger whose first request goes alone."""
        return cls(usual.requests, usual.deep_requests, usual.period)

    @classmethod
    def read(cls, stored: dict[str, Any] | None, usual: RateLimit) -> Self:
        """The stored ledger; a new one if there is none or it cannot be parsed."""
        try:
            ledger = cls(**stored) if stored else cls.new(usual)
            ledger.deep_limit = usual.deep_requests
            ledger.written()
            ledger._free(-math.inf)
        except (TypeError, ValueError, AttributeError):
            return cls.new(usual)
        return ledger

    def written(self) -> dict[str, Any]:
        return dict(vars(self))

    def used_at(self, now: float) -> int:
        """Requests that count against the limit at that moment: sent, or leased to be sent."""
        self._follow_clock(now)
        self._free(now)
        return max(0, self._used)

    def exchange(self, claim: Claim, now: float) -> Grant:
        """Settle the holder's responses, and lease it slots."""
        self._follow_clock(now)
        self._settle(claim, now)
        self._free(now)
        if self.refused_deep and now > self.refused_deep[1] + DEEP_LIMIT_HOLDS_FOR:
            self.refused_deep = None
        self.waiting.pop(claim.holder, None)
        self.waiting = {holder: each for holder, each in self.waiting.items() if now - each[3] <= WAITING_FOR}
        grant = self._grant(claim, now)
        self._note(claim, grant, now)
        return grant

    def _follow_clock(self, now: float) -> None:
        """Move all times back if the clock was set back: else slots stay taken until it is as late as it was.

        No time but that of a pause is ever later than the exchange that noted it.
        """
        back = max([now, *self._times()]) - now
        if back <= 0:
            return
        self.answered = [[at - back, slots] for at, slots in self.answered]
        self.leases = {holder: [slots, heard_at - back] for holder, (slots, heard_at) in self.leases.items()}
        self.waiting = {holder: [*each[:3], each[3] - back] for holder, each in self.waiting.items()}
        self.in_vain_since = {key: since - back for key, since in self.in_vain_since.items()}
        self.reported_at = None if self.reported_at is None else self.reported_at - back
        self.paused_until -= back
        if self.refused_deep:
            self.refused_deep[1] -= back

    def _times(self) -> Iterator[float]:
        yield from (at for at, _ in self.answered)
        yield from (heard_at for _, heard_at in self.leases.values())
        yield from (each[3] for each in self.waiting.values())
        yield from self.in_vain_since.values()
        if self.reported_at is not None:
            yield self.reported_at
        if self.refused_deep:
            yield self.refused_deep[1]

    def _settle(self, claim: Claim, now: float) -> None:
        lease = self.leases.pop(claim.holder, [0, now])
        # A holder that was given up has had its slots counted as answered; there is nothing more to settle.
        settled = claim.answers[: int(lease[0])]
        for answer in settled:
            self.answered.append([now - answer.age, 1])
        for answer in claim.answers:
            if answer.report is not None:
                self._learn(answer, answer.report, now)
        returned = min(claim.returned, int(lease[0]) - len(settled))
        self.taken -= returned
        left = int(lease[0]) - len(settled) - returned
        if left:
            self.leases[claim.holder] = [left, now]
        if claim.pause:
            self.paused_until = max(self.paused_until, now + claim.pause)

    def _learn(self, answer: Answer, report: RateReport, now: float) -> None:
        self.reported_at = max(self.reported_at or -math.inf, now - answer.age)
        self.limit = report.limit or self.limit
        self.period = report.period or self.period
        if report.exceeded_limit:
            # Either the limit of deep offsets, which no header gives, or one that has just been lowered.
            is_deep = report.limit is not None and report.exceeded_limit < report.limit
            if is_deep:
                self.refused_deep = [report.exceeded_limit, now - answer.age]
            else:
                self.limit = report.exceeded_limit
        others = (report.count or 0) - (self.taken - answer.freed_before)
        if others > 0:
            self.answered.append([now - answer.age, others])
            self.taken += others

    def _free(self, now: float) -> None:
        for holder, (slots, heard_at) in list(self.leases.items()):
            if now - heard_at > SILENT_AFTER:
                self.answered.append([now, slots])
                del self.leases[holder]
        free = [each for each in self.answered if self._frees_at(each) <= now]
        self.freed += sum(int(slots) for _, slots in free)
        self.answered = sorted(each for each in self.answered if self._frees_at(each) > now)
        while len(self.answered) > MOST_ENTRIES:
            pairs = zip(self.answered[::2], self.answered[1::2], strict=False)
            odd = self.answered[-1:] if len(self.answered) % 2 else []
            self.answered = [[later[0], earlier[1] + later[1]] for earlier, later in pairs] + odd

    def _frees_at(self, answered: list[float]) -> float:
        return answered[0] + self.period + MARGIN

    def _grant(self, claim: Claim, now: float) -> Grant:
        room, wanted = self._room(claim, now), claim.wanted + claim.wanted_deep
        granted = min(wanted, self._share(claim.priority, wanted, room, now))
        if not self.waiting and self._is_known(now) and room - granted >= self.limit // 2:
            granted += min(claim.ahead, room - granted - self.limit // 2)
        deep = min(claim.wanted_deep, granted, self._deep_room)
        # Others are also held to the lower limit of deep requests in flight, as they may arrive first, and of deep
        # requests that wait, which would otherwise never be sent.
        held_to = min(granted, self._deep_room) if claim.wanted_deep else granted
        others = max(0, held_to - deep)
        may_follow = 0 < deep == claim.wanted_deep and others + deep < granted
        is_held_back = may_follow or bool(room and wanted and not granted)
        return Grant(others, deep, self.freed, self.limit, self._retry_in(now, is_held_back=is_held_back))

    def _room(self, claim: Claim, now: float) -> int:
        """Slots that may be taken now, by any holder."""
        if now < self.paused_until:
            return 0
        is_deep_waiting = any(each[2] and each[0] <= claim.priority for each in self.waiting.values())
        room = self._deep_room if is_deep_waiting else max(0, self.limit - self._used)
        if not self._is_known(now):
            # One request goes ahead alone, and its response releases the rest.
            room = min(room, 0 if self.leases else 1)
        return room

    def _share(self, priority: int, wanted: int, room: int, now: float) -> int:
        """Slots left for this priority once others have their share."""
        assured = above = equal = 0
        for other, theirs, _, _ in self.waiting.values():
            ahead_of_all = min(int(theirs), self._assured) if self._is_starving(int(other), now) else 0
            assured += ahead_of_all
            above += int(theirs) - ahead_of_all if other < priority else 0
            equal += int(theirs) - ahead_of_all if other == priority else 0
        left = max(0, room - assured - above)
        if equal and wanted:
            left = math.ceil(left * wanted / (wanted + equal))
        return max(left, min(room, self._assured)) if self._is_starving(priority, now) else left

    @property
    def _deep_room(self) -> int:
        deep_limit = int(self.refused_deep[0]) if self.refused_deep else self.deep_limit
        return max(0, min(self.limit, deep_limit) - self._used)

    @property
    def _used(self) -> int:
        return self.taken - self.freed

    @property
    def _assured(self) -> int:
        return max(1, int(self.limit * ASSURED_SHARE))

    def _is_known(self, now: float) -> bool:
        return self.reported_at is not None and now <= self.reported_at + 2 * self.period

    def _is_starving(self, priority: int, now: float) -> bool:
        return now - self.in_vain_since.get(str(int(priority)), now) > self.period

    def _note(self, claim: Claim, grant: Grant, now: float) -> None:
        granted = grant.slots + grant.deep_slots
        if granted:
            self.taken += granted
            lease = self.leases.setdefault(claim.holder, [0, now])
            lease[0] += granted
        wanted = claim.wanted + claim.wanted_deep - granted
        if wanted > 0:
            self.waiting[claim.holder] = [int(claim.priority), wanted, claim.wanted_deep - grant.deep_slots, now]
        waiting = {str(int(each[0])) for each in self.waiting.values()}
        self.in_vain_since = {key: since for key, since in self.in_vain_since.items() if key in waiting}
        if granted:
            self.in_vain_since.pop(str(int(claim.priority)), None)
        elif wanted > 0:
            self.in_vain_since.setdefault(str(int(claim.priority)), now)

    def _retry_in(self, now: float, *, is_held_back: bool) -> float:
        """When a slot may be free, but never later than the holder's next exchange is due."""
        if is_held_back:
            return HELD_BACK_FOR
        if now < self.paused_until:
            return min(self.paused_until - now, WAITING_FOR / 2)
        frees_at = self._frees_at(self.answered[0]) if self.answered else now + 1.0
        return min(max(frees_at - now, 0.02), WAITING_FOR / 2)
