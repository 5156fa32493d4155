"""Options of a simulation (churches, limits, latency, faults, traps), as data that can be passed to another process."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, Self

from openfaith_pipeline.planning_center.products import Product


class Credentials(NamedTuple):
    """A made-up personal access token."""

    app_id: str
    secret: str


class Data:
    """A frozen dataclass that can be written to and read from JSON."""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """Build from JSON values; raise ValueError for unknown fields."""
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

    Requests beyond `high_offset` have a separate counter with a lower limit, which no header shows. It is unknown
    whether production's window is fixed or sliding, so both are available.
    """

    limit: int = 100
    period_seconds: float = 20
    high_offset_limit: int = 75
    high_offset: int = 30_000
    is_sliding: bool = False


@dataclass(frozen=True)
class Latency(Data):
    """Response time. Production takes about 40 ms plus 6 ms for each row."""

    base_ms: float = 0
    per_row_ms: float = 0


@dataclass(frozen=True)
class Faults(Data):
    """Probability of each fault for a request, drawn from `seed`; `retry_after`: in seconds, of a spurious 429."""

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
        """All kinds equally often, with a total rate of `rate`."""
        shares = dict.fromkeys(cls.KINDS, rate / len(cls.KINDS))
        return cls(seed=seed, slow_ms=slow_ms, retry_after=retry_after, **shares)


@dataclass(frozen=True)
class Traps(Data):
    """Recorded bugs of production that can be switched on for one church.

    missing_next: streams whose full pages have no `next`, and the page's row count as total_count.
    stuck_total: stream -> maximum of total_count; rows beyond it are not listed.
    silent_products: products that respond 200 with no rows where this user has no permission.
    forbidden_streams: streams that respond 403 to this user.
    absent_paths: streams whose top-level path is a 404, because production does not have it.
    lagging_includes: streams whose newest records are missing from `included` although their parents name them.
    late_linkage: streams whose newest records their parents do not name, although lists show them.
    late_records: stream -> seconds by which new records with odd ids are late: in lists, by id and beside the records
        that they belong to. The others are there at once.
    readable_deleted: streams whose deleted records still answer requests by id; it is unknown which do.
    ignored_filters: streams whose lists ignore `filter` and show everything.
    own_order: streams whose lists, without `order`, have one of their own: by default most ascend by id.
    is_sharing_records: parents of one kind also list the records of another kind: a plan template those of a plan.
    is_still_along: records that lose a reference to a deleted record, or follow a merged one to the survivor, send no
        event and keep their `updated_at`. It is not known to move.
    """

    missing_next: tuple[str, ...] = ()
    stuck_total: Mapping[str, int] = field(default_factory=dict)
    silent_products: tuple[str, ...] = ()
    forbidden_streams: tuple[str, ...] = ()
    absent_paths: tuple[str, ...] = ()
    lagging_includes: tuple[str, ...] = ()
    late_linkage: tuple[str, ...] = ()
    late_records: Mapping[str, int] = field(default_factory=dict)
    readable_deleted: tuple[str, ...] = ()
    ignored_filters: tuple[str, ...] = ()
    own_order: tuple[str, ...] = ()
    is_sharing_records: bool = False
    is_still_along: bool = False


@dataclass(frozen=True)
class Webhooks(Data):
    """Delivery of events. Probabilities are drawn for each delivery from `seed`.

    delay_seconds, jitter_seconds: minimum delay of a delivery and its random addition; with jitter, events arrive out
    of order.
    duplicates: sent twice. lost: never sent. forged: followed by a copy with a wrong signature.
    retry_seconds: waits between attempts; by default Planning Center's own.
    disabled_after: consecutive failed attempts after which a subscription is silently disabled.
    is_cascade_silent: records deleted as a consequence of another deletion send no event.
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
    """One church with `people` members made from `seed`; credentials are derived from org_id unless given.

    granted: products its user may use, all of them by default.
    until: seconds since 1970 up to which its records are made, growing, with seasons and weekly meetings. By default
        they are spread evenly up to a day that is always the same.
    newcomers: people who have joined its first list since.
    """

    org_id: str
    name: str = "Cedar Hollow Chapel"
    people: int = 50
    seed: int = 1
    app_id: str = ""
    secret: str = ""
    granted: tuple[str, ...] = tuple(product.value for product in Product)
    traps: Traps = Traps()
    until: int | None = None
    newcomers: int = 0

    @property
    def credentials(self) -> Credentials:
        digest = hashlib.blake2b(self.org_id.encode(), digest_size=32).hexdigest()
        return Credentials(self.app_id or f"simulated-{digest[:24]}", self.secret or f"made-up-{digest[24:]}")

    @property
    def organization_id(self) -> int:
        """Planning Center's own id of the church."""
        return 100_000 + int.from_bytes(hashlib.blake2b(self.org_id.encode(), digest_size=2).digest())

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        traps = raw.get("traps", {})
        return super().read({**raw, "traps": traps if isinstance(traps, Traps) else Traps.read(traps)})


@dataclass(frozen=True)
class SimulatorOptions(Data):
    """All options of a simulator.

    port: 0 for a free one. public_url: base of all links, if clients use another address.
    client_id, client_secret: the OAuth application. token_seconds: lifetime of an access token.
    new_token_refused_seconds: how long a new access token is refused at first.
    is_old_token_kept: a refresh token stays valid until the access token it produced is used; whether Planning Center
    does so is unknown.
    is_warm: make every record before the first request.
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
    new_token_refused_seconds: float = 0
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
