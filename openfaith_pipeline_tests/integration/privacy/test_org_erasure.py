"""An erased org is nowhere, and another church with the same records has all of its own."""

import pytest

from openfaith_pipeline.alerts.incidents import raise_alert
from openfaith_pipeline.database.server import RunningServer
from openfaith_pipeline.errors import UnknownOrg
from openfaith_pipeline.orgs.naming import names_of
from openfaith_pipeline.privacy.marks import list_erasures
from openfaith_pipeline.privacy.org_erasure import erase_org, foresee_org_erasure
from openfaith_pipeline_tests.integration.privacy.conftest import Prepared
from openfaith_pipeline_tests.integration.privacy.planting import (
    CHOSEN,
    OTHERS,
    PLANTED,
    bring,
    files_with,
    found_in_tables,
)
from openfaith_pipeline_tests.integration.sync.church import differences


def test_no_table_and_no_file_has_anything_of_an_erased_org(churches: Prepared, postgres: RunningServer) -> None:
    database, org_id, other = churches.database, churches.org_id, churches.other
    with database.connect() as connection:
        names = names_of(connection, [org_id, other])
        listed = [f"{names[each]} ({each})" for each in (org_id, other)]
        for pair in (listed, listed[::-1]):
            for cut_off in (None, -1, -9, -35):
                message = f"None of 2 churches could be synced.\n{', '.join(pair)[:cut_off]}"
                raise_alert(connection, "run_failed", None, message, "wait", incident=f"{pair is listed} {cut_off}")
    before = found_in_tables(database, other, OTHERS)
    foreseen = foresee_org_erasure(database, org_id)
    assert found_in_tables(database, org_id, PLANTED) == before

    certificate = erase_org(database, org_id, "somebody")

    assert certificate.counts == foreseen.counts
    assert {"sync.orgs", "sync.source_connections", "sync.journal", "pco_people.people"} <= certificate.counts.keys()
    assert found_in_tables(database, org_id, org_id) == ["sync.erasures"]
    with database.connect() as connection:
        messages = str(connection.execute("SELECT message FROM sync.alerts ORDER BY id").fetchall())
    assert ([part for part in (names[org_id][:6], org_id[:12]) if part in messages], messages.count(listed[1])) == (
        [],
        5,
    )
    assert files_with(postgres, database, PLANTED) == []
    assert found_in_tables(database, other, OTHERS) == before
    bring(database, other)
    assert differences(database, churches.simulator, other, CHOSEN) == []
    with database.connect() as connection:
        assert [erasure.subject for erasure in list_erasures(connection, org_id)] == ["org"]
    with pytest.raises(UnknownOrg):
        erase_org(database, org_id, "somebody")
