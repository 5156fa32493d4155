"""`policy set|list|reset` as a person calls them."""

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.review.conflict_policies import Policy, check_noted
from openfaith_pipeline_tests.integration.conflicts.things import ORG
from openfaith_pipeline_tests.tenants import add_orgs
from openfaith_pipeline_tests.verbs import Verbs


@pytest.mark.slow
def test_a_policy_is_set_listed_and_reset(database: Database, environment: dict[str, str]) -> None:
    verb = Verbs(environment)
    add_orgs(database, {ORG: "Cedar Hollow Chapel"})
    field = ("--entity", "phone_numbers", "--field", "Country_code")
    done = verb("policy", "set", "Cedar Hollow Chapel", *field, "--policy", "ask", "--json")
    assert done.code == 0, done.err
    own = {"org_id": ORG, "entity": "phoneNumbers", "field": "countryCode", "policy": "ask"}
    assert done.document == [own]
    verb("policy", "set", "--policy", "newest")
    general = {"org_id": "*", "entity": "*", "field": "*", "policy": "newest"}
    assert verb("policy", "list", ORG, "--json").document == [own, general]
    custom = ("--entity", "people", "--field", "pco_nickname")
    verb("policy", "set", ORG, *custom, "--policy", "local")
    assert verb("policy", "list", ORG, "--json").document[0]["field"] == "customFields.pco_nickname"
    assert verb("policy", "reset", ORG, *custom, "--json").document == [own, general]
    assert verb("policy", "reset", ORG, *field, "--json").document == [general]

    again = verb("policy", "reset", ORG, *field)
    assert (again.code, "no such policy is set" in again.err) == (2, True)
    odd = verb("policy", "set", ORG, "--entity", "people", "--field", "firstname_", "--policy", "odd")
    assert (odd.code, "'odd'" in odd.err) == (2, True)
    unknown = verb("policy", "set", ORG, "--entity", "people", "--field", "fristName", "--policy", "ask")
    assert (unknown.code, "firstName" in unknown.err) == (2, True)


def test_a_policy_that_needs_notes_is_refused_where_nobody_makes_them(database: Database) -> None:
    with database.connect() as connection:
        check_noted(connection, "public", Policy.ASK)
        connection.execute("ALTER TABLE openfaith_people DISABLE TRIGGER openfaith_note_edits")
        check_noted(connection, "public", Policy.SOURCE)
        with pytest.raises(UsageError, match=r"public\.openfaith_people.*GRANT TRIGGER"):
            check_noted(connection, "public", Policy.LOCAL)
