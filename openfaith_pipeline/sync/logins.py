"""Link the OpenFaith user who connected an org to their person in it, identified by the user's own token."""

import asyncio
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from openfaith_pipeline.connections.client import ClientFactory, connect_client
from openfaith_pipeline.connections.openfaith_tokens import user_of_token, users_of_tokens
from openfaith_pipeline.database import Database
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.load.sync_log import SyncStart, begin_sync, finish_sync
from openfaith_pipeline.sources import CONNECTORS
from openfaith_pipeline.transform.logins import Login, link_login, may_be_linked

MODE: Final = "login"


@dataclass
class LinkedLogins:
    """Results by org. linked: the syncs that made an edge. doubtful: users without one. errors: of their sources."""

    linked: dict[str, str] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


def link_logins(database: Database, adapter: str, client_factory: ClientFactory = connect_client) -> LinkedLogins:
    """Ask the source, once for each org whose user has no edge yet, who the user is, and link the person.

    Only the user of the token in use: the other users' tokens may be older than their grants. Each edge is a sync of
    its own, which can be rolled back. One org's trouble is its own.
    """
    done = LinkedLogins()
    for login in _due(database, adapter):
        try:
            sync_id = _link(database, login, adapter, client_factory)
        except OpenFaithError as error:
            done.errors[login.org_id] = str(error)
            continue
        if sync_id:
            done.linked[login.org_id] = sync_id
        else:
            done.doubtful.append(login.org_id)
    return done


def _due(database: Database, adapter: str) -> list[Login]:
    with database.connect() as connection:
        logins = [Login(*each) for each in users_of_tokens(connection, adapter)]
        return [login for login in logins if may_be_linked(connection, login)]


def _link(database: Database, login: Login, adapter: str, client_factory: ClientFactory) -> str | None:
    """The sync that made the edge; None if the person is in doubt."""
    person = asyncio.run(_read_person(database, login.org_id, adapter, client_factory))
    sync_id = str(uuid4())
    with database.connect() as connection:
        # Read again, and locked: the answer is about the token's user only if no other user's has replaced it.
        if person is None or user_of_token(connection, login.schema, login.org_id, adapter) != login.user_id:
            return None
        begin_sync(connection, SyncStart(sync_id, None, MODE, "schedule", {"orgs": [login.org_id]}))
        if not link_login(connection, login, person, sync_id):
            connection.rollback()
            return None
        finish_sync(connection, sync_id)
    return sync_id


async def _read_person(
    database: Database, org_id: str, adapter: str, client_factory: ClientFactory
) -> tuple[str, str] | None:
    async with client_factory(database, org_id, adapter) as client:
        return await CONNECTORS[adapter].read_user(client)
