"""Whether a record is still at the source: the one request that proves it, whoever needs to know.

Only a 404 or a 410 of the API itself says that there is no record at a path. A refusal says nothing, and is raised.
"""

from collections.abc import Mapping
from typing import Final

from openfaith_pipeline.catalog.reading import Document, Fetch, Tally
from openfaith_pipeline.catalog.walk import id_of
from openfaith_pipeline.errors import PathNotFound

ANY: Final = ""
"""As identifier: whichever record is at the path."""


async def find_record(
    fetch: Fetch, tally: Tally, path: str, params: Mapping[str, str], *, identifier: str
) -> Document | None:
    """The document of the record at the path; None if there is none, or another, as after a merge.

    Raises StreamForbidden if it may not be read, and the errors of requests that get no answer.
    """
    try:
        document = tally.add(await fetch(path, params))
    except PathNotFound:
        tally.requests += 1
        return None
    return document if identifier == ANY or id_of(document.data) == identifier else None
