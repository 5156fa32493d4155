"""The fingerprint that distinguishes one catalog from another."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from openfaith_pipeline.catalog.stream import TEXT
from openfaith_pipeline.database import fingerprint
from openfaith_pipeline.database.fingerprint import catalog_fingerprint
from openfaith_pipeline.sources import STREAMS


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    catalog_fingerprint.cache_clear()
    yield
    catalog_fingerprint.cache_clear()


@pytest.mark.parametrize("change", ["attribute", "relationship", "stream", "description"])
def test_every_change_of_a_table_shows(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    before = catalog_fingerprint()
    catalog_fingerprint.cache_clear()
    emails = STREAMS["people.emails"]
    changed = {
        "attribute": replace(emails, attributes={**emails.attributes, "new": TEXT}),
        "relationship": replace(emails, belongs_to={**emails.belongs_to, "new": "people.people"}),
        "stream": replace(emails, table="letters"),
        "description": replace(emails, description="addresses for letters"),
    }[change]
    monkeypatch.setattr(fingerprint, "STREAMS", {**STREAMS, "people.emails": changed})
    assert catalog_fingerprint() != before


def test_changes_outside_the_tables_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalog_fingerprint()
    catalog_fingerprint.cache_clear()
    changed = replace(STREAMS["people.emails"], is_cursor_filterable=False)
    monkeypatch.setattr(fingerprint, "STREAMS", {**STREAMS, "people.emails": changed})
    assert catalog_fingerprint() == before
