"""Undoing one of several syncs after random changes by them and a person; rows changed by others are conflicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.journal.things import ORG, PERSON, STREAM, THINGS, Step, align, do, rows, undo
from openfaith_pipeline_tests.integration.replay import replay_differences

Row = Mapping[str, Any] | None
OURS = "the sync"


def _steps(*sync_ids: str, most: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(
        st.builds(
            Step,
            st.sampled_from(sync_ids),
            st.sampled_from(["1", "2"]),
            st.sampled_from(["write", "write", "write", "delete", "remove"]),
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from([None, {"x": [1]}, {"x": [1, 2]}]),
        ),
        max_size=most,
    )


# No other sync writes a stream's rows while this one does: the lease sees to it.
STEPS = st.tuples(_steps("another", PERSON, most=3), _steps(OURS, PERSON, most=4), _steps("later", PERSON, most=3)).map(
    lambda parts: [step for part in parts for step in part]
)


@dataclass(frozen=True)
class Change:
    """A step with its row before and after."""

    step: Step
    before: Row
    after: Row

    @property
    def columns(self) -> set[str]:
        """Those that differ; all of them where the row came or went."""
        if self.before is None or self.after is None:
            return {*(self.before or {}), *(self.after or {})}
        return {name for name, value in self.before.items() if self.after[name] != value}


def _take(connection: Connection[Any], steps: Sequence[Step]) -> list[Change]:
    changes = []
    for step in steps:
        before = rows(connection).get(step.id)
        do(connection, step)
        changes.append(Change(step, before, rows(connection).get(step.id)))
    return changes


def _changed_rows(changes: Sequence[Change]) -> Mapping[str, Sequence[Change]]:
    """The rows that the sync changed, each with all its changes from the sync's first on."""
    ours = [number for number, change in enumerate(changes) if change.step.sync_id == OURS and change.columns]
    first = {changes[number].step.id: number for number in reversed(ours)}
    return {key: [change for change in changes[number:] if change.step.id == key] for key, number in first.items()}


def _image(changes: Sequence[Change]) -> dict[str, Any]:
    """The earlier values of columns that syncs changed. A person's change of another column is not undone."""
    values: dict[str, Any] = {}
    for change in reversed([change for change in changes if change.step.sync_id != PERSON]):
        values |= {name: (change.before or {}).get(name) for name in change.columns}
    return values


def _is_in_conflict(changes: Sequence[Change]) -> bool:
    """Of one row's changes from the sync's first on: whether others' would be lost by taking the sync back."""
    present = changes[-1].after
    others = [change for change in changes if change.step.sync_id == "later" and change.columns]
    if others:
        # Undoing the others' later changes, latest first, must change nothing.
        first_values = _image(others)
        if (present is None) != (others[0].before is None):
            return True
        if present is not None and any(present[name] != value for name, value in first_values.items()):
            return True
    ours = [change for change in changes if change.step.sync_id == OURS and change.columns]
    if (present is None) != (ours[-1].after is None):
        return True
    last_values: dict[str, Any] = {}
    for change in ours:
        last_values |= {name: (change.after or {}).get(name) for name in change.columns}
    return present is not None and any(present[name] != value for name, value in last_values.items())


def _check_journal(connection: Connection[Any], before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    """The journal of the undoing equals its effect, even on rows with an incomplete journal."""
    for key, *images in connection.execute(
        "SELECT row_key ->> 'id', before, after FROM sync.journal WHERE sync_id = 'undoing'"
    ).fetchall():
        for image, row in zip(images, (before.get(key), after.get(key)), strict=True):
            assert (image is None) == (row is None)
            assert all((row or {})[name] == value for name, value in (image or {}).items())


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, overwrite=st.booleans())
@example(
    steps=[Step("another", "1", name="a"), Step(OURS, "1", name="b"), Step("later", "1", name="b", extra={"x": [1]})],
    overwrite=True,
)
@example(steps=[Step(OURS, "1", name="a"), Step(OURS, "1", name="b")], overwrite=False)
@example(
    steps=[Step("another", "1", name="a"), Step(OURS, "1", name="b"), Step(PERSON, "1", name="c")], overwrite=False
)
@example(steps=[Step("another", "1", name="a"), Step(OURS, "1", name="b"), Step(PERSON, "1", name="c")], overwrite=True)
@example(
    steps=[Step("another", "1", extra={"x": [1]}), Step(OURS, "1", extra={"x": [1, 2]}), Step(OURS, "1", "remove")],
    overwrite=False,
)
def test_the_changes_of_a_sync_are_taken_back(database: Database, steps: list[Step], overwrite: bool) -> None:
    with database.connect(autocommit=True) as connection, connection.transaction(force_rollback=True):
        align(connection, STREAM)
        changed = _changed_rows(_take(connection, steps))
        in_conflict = {key for key, changes in changed.items() if _is_in_conflict(changes)}
        expected = rows(connection)
        for key in changed if overwrite else changed.keys() - in_conflict:
            row = expected.pop(key, None)
            if changed[key][0].before is not None:
                expected[key] = {**(row or {}), **_image(changed[key])}
        present = rows(connection)
        conflicts = undo(connection, OURS, overwrite=overwrite)
        assert {conflict.key["id"] for conflict in conflicts} == in_conflict
        assert rows(connection) == expected
        _check_journal(connection, present, expected)
        if all(step.sync_id != PERSON for step in steps):
            assert replay_differences(connection, ORG, [THINGS]) == []
