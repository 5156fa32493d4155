"""Requests to a simulator in this process, without a socket."""

import base64
from typing import Any
from urllib.parse import urlencode

import orjson

from openfaith_pipeline.planning_center.abilities import ABILITIES
from openfaith_pipeline.simulator import ChurchSpec, SimulatorOptions, Traps
from openfaith_pipeline.simulator.answers import Answer
from openfaith_pipeline.simulator.api import HttpRequest, PlanningCenter
from openfaith_pipeline.simulator.church import Church
from openfaith_pipeline.simulator.mutations import Editor
from openfaith_pipeline.sources import STREAMS

ORG = "org_simulated"


class Api:
    """One church's view of a simulator. No rate limit unless given."""

    def __init__(
        self,
        *churches: ChurchSpec,
        people: int = 60,
        streams: Any = STREAMS,
        abilities: Any = ABILITIES,
        **options: Any,
    ) -> None:
        specs = churches or (ChurchSpec(ORG, people=people),)
        settings = SimulatorOptions(churches=specs, **{"rate_limit": None, **options})
        self.center = PlanningCenter(settings, "http://planning.center", streams, abilities)
        self.spec = specs[0]

    @property
    def church(self) -> Church:
        return self.center.churches[self.spec.org_id]

    @property
    def editor(self) -> Editor:
        return self.center.editors[self.spec.org_id]

    def send(self, target: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
        sent = {"user-agent": "tests", "authorization": basic(self.spec), "x-pco-api-version": "LATEST"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        return self.center.answer(HttpRequest(method, target, sent, body))

    def get(self, target: str, **headers: str) -> dict[str, Any]:
        answer = self.send(target, **headers)
        assert answer.status == 200, answer.body
        return orjson.loads(answer.body)  # type: ignore[no-any-return]

    def ids(self, target: str) -> list[int]:
        return [int(row["id"]) for row in self.get(target)["data"]]

    def post(self, target: str, **form: str) -> tuple[int, dict[str, Any]]:
        answer = self.send(target, "POST", urlencode(form).encode(), content_type="application/x-www-form-urlencoded")
        return answer.status, orjson.loads(answer.body)

    def everything(self, path: str, query: str = "") -> list[dict[str, Any]]:
        """All rows of a listing, page by page along `links.next`."""
        target: str | None = f"{path}?per_page=7{query}"
        rows: list[dict[str, Any]] = []
        while target:
            page = self.get(target.removeprefix("http://planning.center"))
            rows += page["data"]
            target = page["links"].get("next")
        return rows

    def trap(self, **traps: Any) -> None:
        self.church.traps = Traps(**traps)


def basic(spec: ChurchSpec) -> str:
    return "Basic " + base64.b64encode(":".join(spec.credentials).encode()).decode()


def error_of(answer: Answer) -> Any:
    return orjson.loads(answer.body)["errors"][0]
