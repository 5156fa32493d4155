"""Shell completion of connected orgs and of streams. It starts nothing and prints nothing else."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import psycopg

from openfaith_pipeline.cli.database_at_hand import url_at_hand
from openfaith_pipeline.database.refusals import TROUBLE
from openfaith_pipeline.errors import OpenFaithError
from openfaith_pipeline.settings import load_settings

_WAIT_SECONDS: Final = 2
_ORGS: Final = "SELECT org_id, name FROM sync.orgs WHERE removed_at IS NULL ORDER BY name, org_id"


def complete_org(incomplete: str) -> Iterator[tuple[str, str]]:
    """The ids that begin so, each with the name of its church; of a church whose name begins so, that."""
    for org_id, name in _orgs():
        if org_id.startswith(incomplete):
            yield org_id, name
        elif name.casefold().startswith(incomplete.casefold()):
            yield name, org_id


def complete_stream(incomplete: str) -> Iterator[tuple[str, str]]:
    """The streams whose name begins so, each with its type."""
    from openfaith_pipeline.sources import STREAMS

    return ((name, stream.type) for name, stream in STREAMS.items() if name.startswith(incomplete))


def _orgs() -> list[tuple[str, str]]:
    with suppress(OpenFaithError, *TROUBLE, OSError):
        if url := url_at_hand(load_settings()):
            with psycopg.connect(url, connect_timeout=_WAIT_SECONDS) as connection:
                return connection.execute(_ORGS).fetchall()
    return []
