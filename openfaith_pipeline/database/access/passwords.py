"""Passwords of logins, each in a file of the home that this user alone can read."""

import hashlib
import json
from pathlib import Path
from typing import Any

from openfaith_pipeline.database.cluster import write_privately
from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.settings import Settings


def keep_password(settings: Settings, login: str, password: str) -> None:
    """Keep the login's password for this server."""
    path = _path(settings, login)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    write_privately(path, json.dumps({"server": _server(settings), "login": login, "password": password}))


def kept_password(settings: Settings, login: str) -> str:
    """The login's password. Raises UsageError if it was set on another machine, or never."""
    try:
        kept: dict[str, Any] = json.loads(_path(settings, login).read_text())
        return str(kept["password"])
    except FileNotFoundError:
        raise UsageError(
            f"the password of {login} is not kept in {settings.home}: `db roles` creates the missing roles,"
            f" `db roles password {login}` a new password"
        ) from None


def forget_password(settings: Settings, login: str) -> None:
    _path(settings, login).unlink(missing_ok=True)


def _path(settings: Settings, login: str) -> Path:
    """A home may be used with several servers, each with a role of that name."""
    suffix = hashlib.sha256(_server(settings).encode()).hexdigest()[:8]
    return settings.home / "roles" / f"{login}.{suffix}.json"


def _server(settings: Settings) -> str:
    return "embedded" if settings.is_embedded else f"{settings.db_host}:{settings.db_port}"
