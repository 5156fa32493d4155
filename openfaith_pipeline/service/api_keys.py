"""API keys from OPENFAITH_API_KEYS, with their scopes and orgs."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from openfaith_pipeline.errors import ConfigurationError, UsageError
from openfaith_pipeline.orgs.org_ids import check_org_id

TRIGGER: Final = "trigger"
"""May start, cancel and resume executions."""
READ: Final = "read"
"""May see the status of executions and orgs."""
CONNECT: Final = "connect"
"""May connect orgs."""
OPERATE: Final = "operate"
"""May pause and resume orgs, and decide on held deletions and on conflicts, whose policies it sets."""
SCOPES: Final = frozenset({TRIGGER, READ, CONNECT, OPERATE})


@dataclass(frozen=True)
class ApiKey:
    """name: shown in logs and used for rate limits. orgs: None for all."""

    name: str
    secret: SecretStr
    scopes: frozenset[str]
    orgs: frozenset[str] | None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    def may_for(self, org_id: str) -> bool:
        return self.orgs is None or org_id in self.orgs


def read_keys(entries: Sequence[SecretStr]) -> tuple[ApiKey, ...]:
    """Parse `KEY`, `NAME:KEY`, `NAME:KEY:SCOPE|SCOPE` and `NAME:KEY:SCOPE|SCOPE:ORG|ORG`; empty parts mean all.

    Raises ConfigurationError, which names the entry by its number, never by its content.
    """
    keys = tuple(_read(number, entry) for number, entry in enumerate(entries, start=1))
    if len({key.name for key in keys}) < len(keys):
        raise ConfigurationError("OPENFAITH_API_KEYS: two keys have the same name; give each its own")
    return keys


def find_key(keys: Sequence[ApiKey], given: str) -> ApiKey | None:
    """The matching key. All are compared, each in constant time, so that the duration reveals nothing."""
    offered = given.encode()
    found = [key for key in keys if hmac.compare_digest(key.secret.get_secret_value().encode(), offered)]
    return found[0] if found else None


def _read(number: int, entry: SecretStr) -> ApiKey:
    parts = [part.strip() for part in entry.get_secret_value().split(":")]
    name, secret, scopes, orgs = [f"key{number}", *parts, "", ""] if len(parts) == 1 else [*parts, "", ""][:4]
    if len(parts) > 4 or not name or not secret:
        raise ConfigurationError(
            f"OPENFAITH_API_KEYS: entry {number} is not KEY, NAME:KEY, NAME:KEY:SCOPES or NAME:KEY:SCOPES:ORGS;"
            " a key itself has no colon and no comma"
        )
    return ApiKey(name, SecretStr(secret), _scopes(number, scopes), _orgs(number, orgs))


def _scopes(number: int, written: str) -> frozenset[str]:
    scopes = frozenset(_split(written)) or SCOPES
    if unknown := scopes - SCOPES:
        raise ConfigurationError(
            f"OPENFAITH_API_KEYS: entry {number} has the scope {min(unknown)[:40]!r};"
            f" the scopes are {', '.join(sorted(SCOPES))}"
        )
    return scopes


def _orgs(number: int, written: str) -> frozenset[str] | None:
    for org_id in _split(written):
        try:
            check_org_id(org_id)
        except UsageError as error:
            raise ConfigurationError(f"OPENFAITH_API_KEYS: entry {number}: {error}") from None
    return frozenset(_split(written)) or None


def _split(written: str) -> list[str]:
    return [part.strip() for part in written.split("|") if part.strip()]
