"""The example queries of docs/canonical.md run as printed."""

import re
from pathlib import Path
from typing import LiteralString, cast

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import transform

DOCUMENT = Path(__file__).parents[3] / "docs" / "canonical.md"
ORG, OTHER = "org_01j0rgwekhe0jsnh33nmmj2qsv", "org_01h455vb4pex5vsknk084sn02r"


def test_example_queries_answer_their_questions(database: Database) -> None:
    queries = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    with database.connect() as connection:
        for org, suffix in ((ORG, ""), (OTHER, " of another church")):
            put_row(connection, "people.campuses", org, "1", name=f"Riverside{suffix}")
            put_row(connection, "people.campuses", org, "2", name=f"Hillside{suffix}")
            put_row(connection, "people.people", org, "1", name=f"Ann{suffix}", primary_campus_id="2", status="active")
            put_row(connection, "people.people", org, "2", name=f"Bob{suffix}", status="inactive")
            put_row(connection, "people.emails", org, "1", person_id="1", address="ann@example.org", primary=True)
            put_row(connection, "people.emails", org, "2", person_id="1", address="old@example.org", primary=False)
            put_row(connection, "people.emails", org, "3", person_id="2", address="bob@example.org", primary=True)
            put_row(connection, "people.field_definitions", org, "9", slug="baptized", data_type="boolean")
            answer = {"field_definition_id": "9", "customizable_type": "Person", "customizable_id": "2"}
            put_row(connection, "people.field_data", org, "1", value="true", **answer)
            transform(connection, org)
        answers = [connection.execute(cast(LiteralString, query)).fetchall() for query in queries]

    assert answers == [[("Ann", "ann@example.org")], [("Hillside", 1), ("Riverside", 0)], [("Bob", "2")]]
