"""Activities: done once, tried again, undone; in a real Postgres."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import TransientError
from openfaith_pipeline.inbox.requests import Ask, get_request, submit
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.workflows import execution as engine
from openfaith_pipeline.workflows.activity_log import read_activities
from openfaith_pipeline.workflows.definition import Activity, ActivityFailed, Execution, Payload, Retry, Workflow
from openfaith_pipeline.workflows.execution import ActivityToRetry, Executor, outcome_of

ORG_ID = new_org_id()
RETRY = Retry(attempts=3, first_wait=timedelta(seconds=1))


class LedgerPayload(Payload):
    amount: int


class Bank:
    """A workflow of three activities over a table of its own. troubles: errors to raise in activities."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.troubles: dict[str, list[Exception]] = {}
        self.waits: list[float] = []
        names = ("reserve", "charge", "confirm")
        activities = tuple(Activity(name, self._do(name), self._undo(name), RETRY) for name in names)
        self.workflow = Workflow("LedgerWorkflow", "", LedgerPayload, lambda _: ORG_ID, activities=activities)
        with database.connect() as connection:
            connection.execute("CREATE TABLE ledger (at bigserial, entry text)")
            self.request_id = submit(connection, Ask("LedgerWorkflow", ORG_ID, {"amount": 3}, "api"))[0].request_id

    @property
    def executor(self) -> Executor:
        return Executor(self.database, self.request_id, self.waits.append)

    def ledger(self) -> list[str]:
        with self.database.connect() as connection:
            return [row[0] for row in connection.execute("SELECT entry FROM ledger ORDER BY at")]

    def statuses(self) -> dict[str, str]:
        with self.database.connect() as connection:
            return {name: each.status for name, each in read_activities(connection, self.request_id).items()}

    def _do(self, name: str) -> Any:
        def do(execution: Execution[LedgerPayload]) -> dict[str, Any]:
            execution.connection.execute("INSERT INTO ledger (entry) VALUES (%s)", (name,))
            self._meet(name)
            return {"by": name, "amount": execution.payload.amount, "after": list(execution.results)}

        return do

    def _undo(self, name: str) -> Any:
        def undo(execution: Execution[LedgerPayload]) -> None:
            assert execution.results[name]["by"] == name
            execution.connection.execute("INSERT INTO ledger (entry) VALUES (%s)", (f"not {name}",))
            self._meet(f"not {name}")

        return undo

    def _meet(self, place: str) -> None:
        if self.troubles.get(place):
            raise self.troubles[place].pop(0)


@pytest.fixture
def bank(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    bank = Bank(database)
    monkeypatch.setattr(engine, "get_workflow", lambda _: bank.workflow)
    yield bank


def test_each_activity_runs_once_and_knows_the_earlier_results(bank: Bank) -> None:
    for name in ("reserve", "charge", "reserve", "confirm", "charge"):
        result = bank.executor.run(name)
    assert result == {"by": "charge", "amount": 3, "after": ["reserve"]}
    assert bank.ledger() == ["reserve", "charge", "confirm"]


def test_an_attempt_that_fails_leaves_nothing_and_is_tried_again_later(bank: Bank) -> None:
    bank.troubles["reserve"] = [TransientError("HTTP 502"), ValueError("of someone's code")]
    with pytest.raises(ActivityToRetry, match="HTTP 502") as first:
        bank.executor.run("reserve")
    with pytest.raises(ActivityToRetry, match=r"^ValueError$") as second:
        bank.executor.run("reserve")
    assert [each.value.wait.total_seconds() for each in (first, second)] == [1, 2]
    assert bank.ledger() == []

    bank.executor.run("reserve")
    assert bank.ledger() == ["reserve"]


def test_a_permanent_failure_undoes_the_completed_activities_last_first(bank: Bank) -> None:
    bank.troubles["confirm"] = [ActivityFailed("the account is closed")]
    bank.executor.run("reserve")
    bank.executor.run("charge")
    with pytest.raises(ActivityFailed, match=r"confirm failed: the account is closed$"):
        bank.executor.run("confirm")

    assert bank.ledger() == ["reserve", "charge", "not charge", "not reserve"]
    assert bank.statuses() == {"reserve": "undone", "charge": "undone", "confirm": "failed"}
    with bank.database.connect() as connection:
        assert outcome_of(connection, get_request(connection, bank.request_id)) == (
            "confirm failed: the account is closed",
            {},
        )


def test_too_many_attempts_are_a_failure_for_good(bank: Bank) -> None:
    bank.troubles["reserve"] = [TransientError("HTTP 502")] * 3
    for _ in range(2):
        with pytest.raises(ActivityToRetry):
            bank.executor.run("reserve")
    with pytest.raises(ActivityFailed, match="HTTP 502"):
        bank.executor.run("reserve")


def test_undoing_is_tried_again_and_goes_on_where_it_was_killed(bank: Bank) -> None:
    bank.troubles["charge"] = [ActivityFailed("no")]
    bank.troubles["not reserve"] = [TransientError("HTTP 502")] * 3
    bank.executor.run("reserve")
    with pytest.raises(ActivityFailed, match="repair by hand: reserve"):
        bank.executor.run("charge")
    assert bank.waits == [1, 2]
    assert bank.ledger() == ["reserve"]

    with pytest.raises(ActivityFailed, match=r"charge failed: no$"):
        bank.executor.run("charge")
    assert bank.ledger() == ["reserve", "not reserve"]


def test_several_that_carry_out_one_execution_do_it_once(bank: Bank) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: bank.executor.run("reserve"), range(12)))
    assert bank.ledger() == ["reserve"]
    assert all(result == results[0] for result in results)
