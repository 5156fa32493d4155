"""What a simulation is made of: churches, limits, latency, faults and traps, as data that crosses a process border."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, Self

from openfaith_pipeline.catalog.stream import Product


class Credentials(NamedTuple):
    """A made-up personal access token."""

    app_id: str
    secret: str


class Data:
    """A frozen dataclass that can be written as JSON and read back."""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Build from JSON values; raise ValueError naming what is unknown."""
        known = {each.name for each in fields(cls)}  # type: ignore[arg-type]
        unknown = set(raw) - known
        if unknown:
            raise ValueError(f"{cls.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()})

    def written(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class RateLimit(Data):
    """Requests allowed to one authenticated user; refused ones count too.

    Requests beyond `high_offset` have a counter and a lower limit of their own, which no header shows.
    Whether production's window is fixed or sliding is not known, so both can be had.
    """

    limit: int = 100
    period_seconds: float = 20
    high_offset_limit: int = 75
    high_offset: int = 30_000
    is_sliding: bool = False


@dataclass(frozen=True)
class Latency(Data):
    """How long an answer takes. Production needs about 40 ms and 6 ms for each row."""

    base_ms: float = 0
    per_row_ms: float = 0


@dataclass(frozen=True)
class Faults(Data):
    """Probability of each fault for a request, drawn from `seed`; `retry_after` is what an untrue 429 asks for."""

    seed: int = 0
    rate_limited: float = 0
    server_error: float = 0
    bad_gateway: float = 0
    firewall: float = 0
    reset: float = 0
    truncated: float = 0
    not_json: float = 0
    slow: float = 0
    slow_ms: float = 2000
    retry_after: int = 1

    KINDS = ("rate_limited", "server_error", "bad_gateway", "firewall", "reset", "truncated", "not_json", "slow")

    @classmethod
    def evenly(cls, rate: float, *, seed: int = 0, slow_ms: float = 200, retry_after: int = 1) -> Self:
        """Every kind equally often, together at `rate` of all requests."""
        shares = dict.fromkeys(cls.KINDS, rate / len(cls.KINDS))
        return cls(seed=seed, slow_ms=slow_ms, retry_after=retry_after, **shares)


@dataclass(frozen=True)
class Traps(Data):
    """Recorded misbehaviour of production, each to be switched on for one church.

    missing_next: streams whose full pages carry no `next`, and the page's row count as total_count.
    stuck_total: stream -> total_count that never grows past it; rows beyond are not listed.
    silent_products: products that answer 200 with no rows where this user may not read.
    forbidden_streams: streams this user gets a 403 for.
    absent_paths: streams whose path at top level is a 404, because production has none after all.
    lagging_includes: streams whose newest records are not among those included, though their parents name them.
    late_records: stream -> seconds after which every other new record is listed, those of odd ids; the rest is at once.
    is_sharing_records: parents of one kind list what those of another list: a plan template what a plan does.
    """

    missing_next: tuple[str, ...] = ()
    stuck_total: Mapping[str, int] = field(default_factory=dict)
    silent_products: tuple[str, ...] = ()
    forbidden_streams: tuple[str, ...] = ()
    absent_paths: tuple[str, ...] = ()
    lagging_includes: tuple[str, ...] = ()
    late_records: Mapping[str, int] = field(default_factory=dict)
    is_sharing_records: bool = False


@dataclass(frozen=True)
class Webhooks(Data):
    """How events are delivered. Probabilities are drawn for each delivery from `seed`.

    delay_seconds, jitter_seconds: from a change to its delivery, at least and at most more: with jitter the order is
    lost. duplicates: sent twice. lost: not sent at all. forged: followed by one with a signature of somebody else's.
    retry_seconds: waits between attempts; Planning Center's own by default.
    disabled_after: failed attempts in a row after which a subscription is switched off without a word.
    is_cascade_silent: what goes along with a deleted record has no event of its own.
    """

    seed: int = 0
    delay_seconds: float = 0
    jitter_seconds: float = 0
    duplicates: float = 0
    lost: float = 0
    forged: float = 0
    # evanlemmons/planning-center-knowledge, developer-platform.md
    retry_seconds: tuple[float, ...] = (30, *(60 * 2**n for n in range(11)), *(86_400,) * 4)
    disabled_after: int | None = None
    is_cascade_silent: bool = True


@dataclass(frozen=True)
class ChurchSpec(Data):
    """One church: `people` members made from `seed`, reached with its own credentials (made up from org_id if unset).

    granted: products its user may use, all of them by default.
    """

    org_id: str
    name: str = "Cedar Hollow Chapel"
    people: int = 50
    seed: int = 1
    app_id: str = ""
    secret: str = ""
    granted: tuple[str, ...] = tuple(product.value for product in Product)
    traps: Traps = Traps()

    @property
    def credentials(self) -> Credentials:
        digest = hashlib.blake2b(self.org_id.encode(), digest_size=32).hexdigest()
        return Credentials(self.app_id or f"simulated-{digest[:24]}", self.secret or f"made-up-{digest[24:]}")

    @property
    def organization_id(self) -> int:
        """Planning Center's own number for the church."""
        return 100_000 + int.from_bytes(hashlib.blake2b(self.org_id.encode(), digest_size=2).digest())

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        traps = raw.get("traps", {})
        return super().read({**raw, "traps": traps if isinstance(traps, Traps) else Traps.read(traps)})


@dataclass(frozen=True)
class SimulatorOptions(Data):
    """Everything a simulator starts with.

    port: 0 takes a free one. public_url: what links carry, when clients reach it under another address.
    client_id, client_secret: the OAuth application. token_seconds: how long an access token is good.
    is_old_token_kept: a refresh token works until the access token it gave is used; whether Planning Center does so is
    not known. is_warm: make every record before the first request.
    """

    churches: tuple[ChurchSpec, ...]
    rate_limit: RateLimit | None = RateLimit()
    latency: Latency = Latency()
    faults: Faults = Faults()
    webhooks: Webhooks = Webhooks()
    port: int = 0
    public_url: str | None = None
    client_id: str = "simulated-oauth-app"
    client_secret: str = "made-up-oauth-secret"  # noqa: S105 - it opens nothing
    token_seconds: int = 7200
    is_old_token_kept: bool = False
    is_warm: bool = False

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        return super().read(
            {
                **raw,
                "churches": tuple(ChurchSpec.read(church) for church in raw["churches"]),
                "rate_limit": RateLimit.read(raw["rate_limit"]) if raw.get("rate_limit") else None,
                "latency": Latency.read(raw.get("latency", {})),
                "faults": Faults.read(raw.get("faults", {})),
                "webhooks": Webhooks.read(raw.get("webhooks", {})),
            }
        )
