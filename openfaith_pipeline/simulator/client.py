"""Client for steering a running simulator from another process."""

import http.client
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from openfaith_pipeline.simulator.control import PREFIX
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.mutations import Relations
from openfaith_pipeline.simulator.options import Credentials, Faults, Latency, RateLimit, Traps, Webhooks

_UNSET: Any = object()


class SimulatorClient:
    """Python client of the control endpoint. A refusal raises ValueError with the simulator's message.

    url: the API address for the client under test.
    """

    def __init__(self, url: str, *, seconds: float = 300) -> None:
        self.url = url
        self._seconds = seconds

    def churches(self) -> list[dict[str, Any]]:
        """org_id, name, people, organization_id, app_id and secret of each church."""
        return self._call("GET", "churches")  # type: ignore[no-any-return]

    def credentials(self, org: str) -> Credentials:
        """The personal access token of a church."""
        for church in self.churches():
            if church["org_id"] == org:
                return Credentials(church["app_id"], church["secret"])
        raise ValueError(f"no church of {org}")

    def truth(self, org: str, stream: str) -> list[dict[str, Any]]:
        """Every record of a stream, ascending by id: `{type, id, attributes, relationships}`.

        Relationships are all declared ones, including those that no list shows; attributes that must not be stored are
        in `withheld`. A broken record is `{id, raw}`.
        """
        return self._call("GET", "truth", query={"org": org, "stream": stream})  # type: ignore[no-any-return]

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """The log: at, method, target, status, org_id, stream, rows; `org` and `stream` select."""
        return self._call("GET", "requests", query=wanted)  # type: ignore[no-any-return]

    def ignored(self) -> dict[str, str]:
        """Parameters in the log that Planning Center would ignore (`stream: order=name`), each with a target."""
        return self._call("GET", "ignored")  # type: ignore[no-any-return]

    def forget_requests(self) -> None:
        self._call("DELETE", "requests")

    def stats(self) -> dict[str, Any]:
        """requests, rate_limited (429s), and statuses with their counts."""
        return self._call("GET", "stats")  # type: ignore[no-any-return]

    def edit(
        self,
        org: str,
        stream: str,
        ids: Sequence[int] | str | None = None,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Relations | None = None,
        is_quiet: bool = False,
    ) -> list[int]:
        """Change records, like `Editor.edit`; `ids="all"` changes every one. Returns their ids."""
        changes = {"attributes": attributes, "relations": relations}
        return self._change(  # type: ignore[no-any-return]
            org, "edit", stream=stream, ids=ids, count=count, is_quiet=is_quiet, **changes
        )

    def add(
        self,
        org: str,
        stream: str,
        *,
        count: int = 1,
        attributes: Mapping[str, Any] | None = None,
        relations: Relations | None = None,
    ) -> list[int]:
        """Add records; returns their ids."""
        arguments = {"stream": stream, "count": count, "attributes": attributes, "relations": relations}
        return self._change(org, "add", **arguments)  # type: ignore[no-any-return]

    def drop(self, org: str, stream: str, attributes: Sequence[str]) -> list[int]:
        """Remove attributes from every record of a stream, like an API that drops them; `updated_at` stays."""
        return self._change(org, "drop", stream=stream, attributes=list(attributes))  # type: ignore[no-any-return]

    def delete(self, org: str, stream: str, ids: Sequence[int]) -> list[int]:
        """Delete records together with the records they own."""
        return self._change(org, "delete", stream=stream, ids=list(ids))  # type: ignore[no-any-return]

    def announce(self, org: str, stream: str, ids: Sequence[int], event: str = "updated") -> list[int]:
        """Send an event without any change; `event` is the last part of its name: `updated`, `step_ready`."""
        return self._change(org, "announce", stream=stream, ids=list(ids), event=event)  # type: ignore[no-any-return]

    def merge(self, org: str, stream: str, keep: int | None = None, remove: int | None = None) -> dict[str, int]:
        """Merge one record into another; returns the ids `merger`, `keep` and `remove`."""
        return self._change(org, "merge", stream=stream, keep=keep, remove=remove)  # type: ignore[no-any-return]

    def inject(self, org: str, stream: str, raw: Any, id: int | None = None) -> int:
        """List any JSON value as a record, in place of record `id` or as a new one; returns its id."""
        return self._change(org, "inject", stream=stream, raw=raw, id=id)  # type: ignore[no-any-return]

    def script(self, script: Script) -> None:
        """Apply a script to coming requests."""
        self._call("POST", "script", script.written())

    def clear_scripts(self) -> None:
        self._call("DELETE", "script")

    def set_rate_limit(self, limit: RateLimit | None) -> None:
        """Change the limit and reset all counts; None removes it."""
        self._call("POST", "settings", {"rate_limit": limit.written() if limit else None})

    def set_latency(self, latency: Latency) -> None:
        self._call("POST", "settings", {"latency": latency.written()})

    def set_faults(self, faults: Faults) -> None:
        """Replace the faults and restart their random numbers from the seed."""
        self._call("POST", "settings", {"faults": faults.written()})

    def set_webhooks(self, webhooks: Webhooks) -> None:
        """Replace the delivery settings of events from now on."""
        self._call("POST", "settings", {"webhooks": webhooks.written()})

    def deliveries(self, **wanted: str) -> list[dict[str, Any]]:
        """The log of webhook attempts: at, org_id, subscription, name, event_id, attempt, kind, status, seconds."""
        return self._call("GET", "deliveries", query=wanted)  # type: ignore[no-any-return]

    def forget_deliveries(self) -> None:
        self._call("DELETE", "deliveries")

    def grant(self, org: str, products: Sequence[str]) -> None:
        """Grant the church's user access to exactly these products."""
        self._call("POST", "church", {"org": org, "granted": list(products)})

    def set_traps(self, org: str, traps: Traps) -> None:
        """Replace a church's traps."""
        self._call("POST", "church", {"org": org, "traps": traps.written()})

    def let_join(self, org: str, newcomers: int) -> None:
        """Let so many people join the church's first list."""
        self._call("POST", "church", {"org": org, "newcomers": newcomers})

    def advance_clock(self, seconds: float) -> None:
        """Move the simulator's clock forward: tokens expire, rate windows pass, later changes are newer."""
        self._call("POST", "clock", {"seconds": seconds})

    def sign_in(self, org: str) -> None:
        """Choose the church whose user approves at /oauth/authorize from now on."""
        self._call("POST", "sign_in", {"org": org})

    def revoke(self, org: str) -> None:
        """End every OAuth grant of a church."""
        self._call("POST", "revoke", {"org": org})

    def warm(self) -> None:
        """Create every record now instead of on first use."""
        self._call("POST", "warm", {})

    def _change(self, org: str, action: str, **arguments: Any) -> Any:
        return self._call("POST", "change", {"org": org, "action": action, **arguments})

    def _call(
        self, method: str, verb: str, body: Mapping[str, Any] = _UNSET, query: Mapping[str, str] | None = None
    ) -> Any:
        target = PREFIX + verb + (f"?{urlencode(query)}" if query else "")
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self._seconds)
        try:
            connection.request(method, target, b"" if body is _UNSET else orjson.dumps(body))
            response = connection.getresponse()
            answer = orjson.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer["error"])
        return answer
