"""An edit that is committed while a transform runs is judged as any other, by this transform or the next."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.review.conflict_policies import Policy
from openfaith_pipeline.transform import conflicts, upsert
from openfaith_pipeline_tests.integration.conflicts.things import FUTURE, PAST, Person, choose
from openfaith_pipeline_tests.integration.transform.tables import SCHEMA

READ = f"""
SELECT "firstName", jsonb_path_query_first("customFields", '$[*] ? (@.name == "pco_nickname")') ->> 'value'
FROM {SCHEMA}.openfaith_people"""  # noqa: S608
EDITS = {
    "firstName": """UPDATE openfaith_people SET "firstName" = 'Annie'""",
    "customFields.pco_nickname": """
        UPDATE openfaith_people SET "customFields" = replace("customFields"::text, '"Nan"', '"Annie"')::jsonb""",
}
EDIT_AGAIN = """UPDATE openfaith_people SET "firstName" = 'Anne'"""
EDIT_OTHER = """UPDATE openfaith_people SET "lastName" = 'Leigh'"""
CHANGE = "UPDATE pco_people.people SET first_name = 'Anna', nickname = 'Anna', updated_at = %s"


@pytest.fixture
def ann(database: Database) -> Iterator[Person]:
    with database.connect() as connection:
        ann = Person(connection)
        ann.connection.execute("UPDATE pco_people.people SET nickname = 'Nan'")
        ann.transform()
        yield ann


def execute(ann: Person, statement: str, *parameters: str) -> None:
    ann.connection.execute(statement.encode(), parameters)
    ann.connection.commit()


def fields(ann: Person) -> dict[str, Any]:
    [values] = ann.connection.execute(READ.encode()).fetchall()
    ann.connection.commit()
    return dict(zip(EDITS, values, strict=True))


AFTER_READING, AFTER_JUDGING = (conflicts, "read_edited"), (upsert, "judge")
EditAfter = Callable[[tuple[Any, str], str], list[str]]


@pytest.fixture
def edit_after(database: Database, monkeypatch: pytest.MonkeyPatch) -> EditAfter:
    """Have somebody edit a person once, in another transaction, right after a step; returns the edits made."""

    def edit_after(step: tuple[Any, str], edit: str) -> list[str]:
        original: Callable[..., Any] = getattr(*step)
        made: list[str] = []

        def stepping(workspace: Any, *arguments: Any) -> Any:
            done = original(workspace, *arguments)
            if not made and (not arguments or arguments[0].table == "people"):
                made.append(edit)
                with database.connect(autocommit=True) as other:
                    other.execute(edit.encode())
            return done

        monkeypatch.setattr(*step, stepping)
        return made

    return edit_after


@pytest.mark.parametrize("step", [AFTER_READING, AFTER_JUDGING], ids=lambda step: step[1])
@pytest.mark.parametrize("field", EDITS)
@pytest.mark.parametrize(
    ("policy", "at", "stays"),
    [
        (Policy.SOURCE, FUTURE, "Anna"),
        (Policy.LOCAL, FUTURE, "Annie"),
        (Policy.NEWEST, FUTURE, "Anna"),
        (Policy.NEWEST, PAST, "Annie"),
        (Policy.ASK, FUTURE, "Annie"),
    ],
)
def test_an_edit_before_its_row_is_compared_is_judged(
    ann: Person,
    edit_after: EditAfter,
    policy: Policy,
    at: str,
    stays: str,
    field: str,
    step: tuple[Any, str],
) -> None:
    choose(ann.connection, policy)
    if step == AFTER_JUDGING:
        execute(ann, EDIT_OTHER)
    execute(ann, CHANGE, at)
    made = edit_after(step, EDITS[field])
    ann.transform()
    assert made
    ann.transform()
    assert fields(ann) == {**dict.fromkeys(EDITS, "Anna"), field: stays}
    waiting = [(field, "Annie", "Anna", None)] if policy is Policy.ASK else []
    place = "coalesce({0} ->> 'value', {0} #>> '{{}}')"
    columns = ", ".join(["field", place.format("local"), place.format("source"), "decision"])
    assert ann.conflicts(columns) == waiting
    assert [edit["field"] for edit in ann.edits() if edit["field"] in EDITS] == ([field] if stays == "Annie" else [])
    assert [ann.transform(), ann.transform(is_full=True)] == [0, 0], "written again without a change"


def test_a_newer_edit_of_a_field_that_the_source_has_won_is_kept(ann: Person, edit_after: EditAfter) -> None:
    choose(ann.connection, Policy.NEWEST)
    execute(ann, EDITS["firstName"])
    [(now,)] = ann.connection.execute("SELECT clock_timestamp()::text").fetchall()
    execute(ann, CHANGE, now)
    made = edit_after(AFTER_JUDGING, EDIT_AGAIN)
    ann.transform()
    assert made
    ann.transform()
    assert fields(ann)["firstName"] == "Anne"
