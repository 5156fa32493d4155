"""The direction of edges, for ids that today's entities do not have."""

import pytest
from psycopg import sql

from openfaith_pipeline.database import Database
from openfaith_pipeline.transform.edges import is_source


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ("email_1", "person_1", True),
        ("person_1", "email_1", False),
        ("address_1", "zone_1", True),
        ("m_1", "n_1", True),
        ("n_1", "m_1", False),
        ("note_1", "group_1", False),
        ("campus_1", "address_1", False),
        ("address_1", "campus_1", True),
        ("person_2", "person_1", False),
        ("person_1", "person_2", True),
        ("person_1", "person_1", True),
        ("person_1", "phonenumber_1", True),
        ("9_1", "person_1", True),
        ("9_1", "address_1", False),
    ],
)
def test_a_to_m_is_the_source_and_otherwise_the_lower_id(
    database: Database, own: str, other: str, expected: bool
) -> None:
    statement = sql.SQL("SELECT {}").format(is_source(sql.Literal(own), sql.Literal(other)))
    with database.connect() as connection:
        assert connection.execute(statement).fetchone() == (expected,)
