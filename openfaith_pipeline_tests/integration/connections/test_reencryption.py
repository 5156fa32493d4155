"""All that is encrypted gets the newest key, row by row, while it is used."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from openfaith_pipeline.connections.cipher import Cipher, cipher_from
from openfaith_pipeline.connections.reencryption import reencrypt, take_over
from openfaith_pipeline.connections.registry import add_org, credentials_of
from openfaith_pipeline.database import Database
from openfaith_pipeline.database.bookkeeping import METADATA
from openfaith_pipeline.orgs.registry import new_org_id
from openfaith_pipeline.planning_center import OAuthToken, PersonalAccessToken
from openfaith_pipeline.sources import DEFAULT_SOURCE
from openfaith_pipeline_tests.conftest import ENCRYPTION_KEY

NEW_KEY = Fernet.generate_key().decode()
TOKEN = OAuthToken(SecretStr("pl4nted"), SecretStr("pl4nted"), None)


def _with_keys(database: Database, *keys: str) -> Database:
    settings = database.settings.model_copy(update={"encryption_keys": tuple(map(SecretStr, keys))})
    return replace(database, settings=settings)


def _add(database: Database, keys: Database) -> str:
    org_id = new_org_id()
    with database.connect() as connection:
        add_org(connection, cipher_from(keys.settings), org_id, org_id, TOKEN, adapter="pco")
    return org_id


def test_afterwards_the_old_key_can_be_thrown_away(database: Database) -> None:
    both = _with_keys(database, NEW_KEY, ENCRYPTION_KEY)
    org_ids = [_add(database, database), _add(database, database), _add(database, both)]
    with database.connect() as connection:
        connection.execute("UPDATE sync.connections SET previous_secret = secret WHERE org_id = %s", (org_ids[0],))
        connection.execute(
            "INSERT INTO sync.webhook_subscriptions (org_id, subscription_id, event, url, secret)"
            " VALUES (%s, '1', 'people.v2.events.email.created', 'https://x', %s)",
            (org_ids[0], cipher_from(database.settings).encrypt(b"signed")),
        )
    counts = {outcome.column: (outcome.renewed, outcome.current) for outcome in reencrypt(both)}

    assert counts == {
        "sync.source_connections.secret": (2, 1),
        "sync.source_connections.previous_secret": (1, 0),
        "sync.oauth_journeys.verifier": (0, 0),
        "sync.oauth_journeys.granted": (0, 0),
        "sync.source_webhook_subscriptions.secret": (1, 0),
    }
    only_new = Cipher((NEW_KEY,))
    with database.connect() as connection:
        assert [credentials_of(connection, only_new, org_id, adapter="pco") for org_id in org_ids] == [TOKEN] * 3
        for table in ("connections WHERE previous_secret IS NOT NULL", "webhook_subscriptions"):
            column = "secret" if "sub" in table else "previous_secret"
            [[sealed]] = connection.execute(f"SELECT {column} FROM sync.{table}").fetchall()  # noqa: S608
            assert only_new.decrypt(sealed)
    assert {outcome.renewed for outcome in reencrypt(both)} == {0}


def test_a_value_that_no_key_decrypts_is_named_and_holds_up_nothing(database: Database) -> None:
    lost, kept = _add(database, _with_keys(database, Fernet.generate_key().decode())), _add(database, database)
    both = _with_keys(database, NEW_KEY, ENCRYPTION_KEY)
    [secrets] = [outcome for outcome in reencrypt(both) if outcome.column == "sync.source_connections.secret"]

    assert (secrets.renewed, secrets.unopened) == (1, (f"{lost} {DEFAULT_SOURCE.adapter}",))
    with database.connect() as connection:
        assert credentials_of(connection, Cipher((NEW_KEY,)), kept, adapter="pco") == TOKEN


def test_a_row_that_is_being_changed_is_waited_for_and_not_overwritten(database: Database) -> None:
    org_id = _add(database, database)
    both = _with_keys(database, NEW_KEY, ENCRYPTION_KEY)
    newer = PersonalAccessToken("app", SecretStr("newer"))
    with ThreadPoolExecutor(1) as threads:
        with database.connect() as connection:
            add_org(connection, cipher_from(database.settings), org_id, org_id, newer, adapter="pco")
            running = threads.submit(reencrypt, both)
            with pytest.raises(TimeoutError):
                running.result(timeout=1)
        running.result(timeout=30)
    with database.connect() as connection:
        assert credentials_of(connection, Cipher((NEW_KEY,)), org_id, adapter="pco") == newer


def test_every_column_that_says_it_is_encrypted_is_marked_so() -> None:
    telling = [
        column
        for table in METADATA.sorted_tables
        for column in table.columns
        if "encrypted" in (column.comment or "") or column.name.endswith("secret")
    ]
    assert telling
    assert [str(column) for column in telling if not column.info.get("is_encrypted")] == []


def test_what_a_backup_brings_with_an_older_key_is_readable_with_the_key_in_use(database: Database) -> None:
    """Of the keys of a backup the home keeps the newest alone, or has another already."""
    new, older = _with_keys(database, NEW_KEY), Fernet.generate_key().decode()
    org_ids = [_add(database, database), _add(database, new), _add(database, _with_keys(database, older))]
    take_over(new, (NEW_KEY, older, ENCRYPTION_KEY))
    with database.connect() as connection:
        found = [credentials_of(connection, cipher_from(new.settings), org_id, adapter="pco") for org_id in org_ids]
    assert found == [TOKEN] * 3
