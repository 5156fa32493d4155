"""`rebuild` as a user runs it: preview, prompt, changes and exit codes."""

import psycopg
import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline_tests.integration.raw_rows import put_row
from openfaith_pipeline_tests.integration.transform.tables import transform
from openfaith_pipeline_tests.tenants import add_orgs
from openfaith_pipeline_tests.verbs import Verbs

pytestmark = pytest.mark.slow

ORG = "org_01h455vb4pex5vsknk084sn02q"


def emails(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        [(number,)] = connection.execute('SELECT count(*) FROM openfaith_emails WHERE "deletedAt" IS NULL')
        return int(number)


def test_a_rebuild_is_shown_confirmed_and_done(verb: Verbs, database: Database) -> None:
    add_orgs(database, {ORG: "Cedar Hollow Chapel"})
    with database.connect() as connection:
        for number in ("1", "2"):
            put_row(connection, "people.emails", ORG, number, address="a@b.example")
        transform(connection, ORG)
        connection.execute("DELETE FROM openfaith_emails")
        connection.commit()
    shown = verb("rebuild", "Cedar Hollow Chapel", "--dry-run", "--json")
    assert shown.code == 0, shown.err
    assert (shown.document["sync_id"], shown.document["orgs"][ORG]["tables"]["emails"]["inserted"]) == (None, 2)
    unanswered = verb("rebuild", ORG)
    assert (unanswered.code, emails(database)) == (2, 0)
    assert "Change 4 rows of 1 org? There is no terminal to answer on: pass --yes" in unanswered.err
    done = verb("rebuild", ORG, "--yes")
    assert (done.code, emails(database)) == (0, 2), done.err
    assert "rebuilt by" in done.out and "emails" in done.out
    nothing = verb("rebuild", "--all")
    assert (nothing.code, "nothing differs" in nothing.out) == (0, True), nothing.err
    sync_id = verb("syncs", "list", "--json").document[0]["sync_id"]
    assert verb("rollback", sync_id, "--yes").code == 0
    assert emails(database) == 0
    lost = verb("rebuild")
    assert (lost.code, "name the orgs to rebuild, or pass --all" in lost.err) == (2, True)
