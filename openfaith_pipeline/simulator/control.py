"""`/_control/...`: the endpoint for tests and the demo. It is not part of Planning Center and needs no credentials."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from openfaith_pipeline.simulator import answers
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.api import HttpRequest, PlanningCenter, change
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.faults import Script
from openfaith_pipeline.simulator.ignoring import ignored
from openfaith_pipeline.simulator.newcomers import let_join
from openfaith_pipeline.simulator.options import Faults, Latency, RateLimit, Traps, Webhooks

PREFIX = "/_control/"
Arguments = dict[str, Any]


class Control:
    """The verbs of the control endpoint. GET takes its arguments from the query, POST from a JSON body."""

    def __init__(self, center: PlanningCenter) -> None:
        self._center = center
        self._verbs: Mapping[tuple[str, str], Callable[[Arguments], Any]] = {
            ("GET", "churches"): self._churches,
            ("GET", "truth"): self._truth,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): lambda _: center.log.clear(),
            ("GET", "stats"): self._stats,
            ("GET", "ignored"): self._ignored,
            ("GET", "deliveries"): self._deliveries,
            ("DELETE", "deliveries"): lambda _: center.switchboard.log.clear(),
            ("POST", "change"): self._change,
            ("POST", "settings"): self._settings,
            ("POST", "church"): self._church,
            ("POST", "script"): lambda arguments: center.faults.add(Script.read(arguments)),
            ("DELETE", "script"): lambda _: center.faults.clear_scripts(),
            ("POST", "clock"): lambda arguments: center.clock.advance(**arguments),
            ("POST", "sign_in"): self._sign_in,
            ("POST", "revoke"): lambda arguments: center.authorizations.revoke_all(self._of(arguments).spec.org_id),
            ("POST", "warm"): lambda _: center.warm(),
        }

    def answer(self, request: HttpRequest) -> Answer:
        path, _, query = request.target.partition("?")
        verb = self._verbs.get((request.method, path.removeprefix(PREFIX)))
        if verb is None:
            return answers.json({"error": f"no such control verb: {request.method} {path}"}, 404)
        try:
            arguments = orjson.loads(request.body) if request.body else dict(parse_qsl(query))
            return answers.json(verb(arguments))
        except (ValueError, TypeError, KeyError, StopIteration) as error:
            return answers.json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _of(self, arguments: Arguments) -> Church:
        """The church named by the argument `org`, which is removed from the arguments."""
        org_id = arguments.pop("org")
        if org_id not in self._center.churches:
            raise ValueError(f"no church of {org_id}")
        return self._center.churches[org_id]

    def _churches(self, _: Arguments) -> list[dict[str, Any]]:
        return [
            {
                "org_id": church.spec.org_id,
                "name": church.spec.name,
                "people": church.spec.people,
                "organization_id": str(church.spec.organization_id),
                **church.spec.credentials._asdict(),
            }
            for church in self._center.churches.values()
        ]

    def _truth(self, arguments: Arguments) -> list[dict[str, Any]]:
        return self._of(arguments).truth(arguments["stream"])

    def _requests(self, arguments: Arguments) -> list[dict[str, Any]]:
        wanted = {"org_id" if name == "org" else name: value for name, value in arguments.items()}
        rows = (entry._asdict() for entry in self._center.log)
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def _deliveries(self, arguments: Arguments) -> list[dict[str, Any]]:
        wanted = {"org_id" if name == "org" else name: value for name, value in arguments.items()}
        rows = (sent._asdict() for sent in self._center.switchboard.log)
        return [row for row in rows if all(row[name] == value for name, value in wanted.items())]

    def _stats(self, _: Arguments) -> dict[str, Any]:
        statuses = Counter(str(entry.status) for entry in self._center.log)
        return {"requests": len(self._center.log), "rate_limited": statuses["429"], "statuses": statuses}

    def _ignored(self, _: Arguments) -> dict[str, str]:
        """By stream and parameter, a logged target with a parameter that has no effect."""
        found: dict[str, str] = {}
        for entry in self._center.log:
            parts = urlsplit(entry.target)
            match = self._center.route(parts.path) if parts.query else None
            if match and entry.org_id:
                params = dict(parse_qsl(parts.query, keep_blank_values=True))
                names = ignored(self._center.churches[entry.org_id], match.route, params)
                found |= {f"{entry.stream}: {name}": entry.target for name in names}
        return found

    def _change(self, arguments: Arguments) -> Any:
        church = self._of(arguments)
        return change(self._center.editors[church.spec.org_id], **arguments)

    def _settings(self, arguments: Arguments) -> None:
        """`rate_limit` (null for none), `latency`, `faults`, `webhooks`: replace those that are given."""
        if "rate_limit" in arguments:
            limit = arguments["rate_limit"]
            self._center.limiter.limit = RateLimit.read(limit) if limit else None
        if "latency" in arguments:
            self._center.latency = Latency.read(arguments["latency"])
        if "faults" in arguments:
            self._center.faults.faults = Faults.read(arguments["faults"])
        if "webhooks" in arguments:
            self._center.switchboard.options = Webhooks.read(arguments["webhooks"])

    def _church(self, arguments: Arguments) -> None:
        """`granted` and `traps` of a church: replace those that are given. `newcomers`: let so many people join."""
        church = self._of(arguments)
        if "granted" in arguments:
            church.granted = frozenset(arguments["granted"])
        if "traps" in arguments:
            church.traps = Traps.read(arguments["traps"])
        if "newcomers" in arguments:
            let_join(self._center.editors[church.spec.org_id], church, arguments["newcomers"])

    def _sign_in(self, arguments: Arguments) -> None:
        self._center.authorizations.signed_in = self._of(arguments).spec.org_id
