"""Org ids: TypeIDs with the prefix `org`, as the OpenFaith application creates them."""

from typing import Final

from typeid import TypeID
from typeid.core.errors import TypeIDException

from openfaith_pipeline.errors import UsageError

_PREFIX: Final = "org"


def new_org_id() -> str:
    return str(TypeID(_PREFIX))


def check_org_id(org_id: str) -> None:
    """Raise UsageError with the expected form unless this is an org id."""
    try:
        prefix = TypeID.from_string(org_id).prefix
    except TypeIDException:
        prefix = None
    if prefix != _PREFIX:
        raise UsageError(
            f"{org_id[:80]!r} is not an org id: one is 'org_' and 26 characters, such as {new_org_id()}."
            " Take it from the OpenFaith application, or let `openfaith-pipeline org add new --app-id ...` make one"
        )
