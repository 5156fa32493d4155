"""The operating-system user that Postgres runs as: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfaith_pipeline.errors import ConfigurationError


@dataclass(frozen=True)
class Account:
    """A user other than ours; only root can start a program as another user."""

    name: str
    uid: int
    gid: int

    @property
    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account(user: str, owner_uid: int | None) -> Account | None:
    """The user to start Postgres as: None for ourselves; for root the owner of the data, or else `user`."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwuid(owner_uid) if owner_uid else pwd.getpwnam(user)
    except KeyError:
        who = f"number {owner_uid}, who owns the data" if owner_uid else user
        raise ConfigurationError(
            f"Postgres cannot run as root and there is no user {who}; name one in OPENFAITH_POSTGRES_USER"
        ) from None
    if entry.pw_uid == 0:
        raise ConfigurationError("Postgres cannot run as root; name another user in OPENFAITH_POSTGRES_USER")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """Whether the account can pass every directory above `path`.

    True for ourselves: then the attempt itself will show.
    """
    return account is None or all(_lets_through(parent, account) for parent in path.resolve().parents)


def _lets_through(directory: Path, account: Account) -> bool:
    try:
        status = directory.stat()
    except FileNotFoundError:
        return True  # does not exist yet; we will create it
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
