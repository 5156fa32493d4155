"""The home, the directory of everything kept on this machine: where it and files of settings are looked for."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

FOLDER: Final = ".openfaith"


def find_home() -> Path:
    """The nearest `.openfaith` in this directory or one above it; without one, the user's data directory.

    The directory returned need not exist. One above that belongs to another user is skipped: anyone can make one in
    /tmp, and that must not decide which database the users below it get.
    """
    return _nearest(FOLDER, Path.is_dir) or users_home()


def find_file(name: str) -> Path | None:
    """The nearest file of this name in the directories where the home is looked for; None without one."""
    with suppress(FileNotFoundError):  # a directory that was removed below us
        if nearest := _nearest(name, _is_file):
            return nearest
    in_users = users_home() / name
    return in_users if _is_file(in_users) else None


def users_home() -> Path:
    """The home of a user who keeps none in a directory of their own choice."""
    return user_data_path("openfaith-pipeline", appauthor=False)


def where_looked(home: Path, *, is_given: bool) -> str:
    """Why there is nothing to work on, for messages. is_given: whether OPENFAITH_HOME names the home."""
    if is_given:
        return f"OPENFAITH_HOME is {home}, and there is no database there"
    if home != users_home():
        return f"there is no database in {home}"
    return f"OPENFAITH_HOME is not set, {Path.cwd()} and the directories above it have no {FOLDER}, and {home} is empty"


def _nearest(name: str, is_one: Callable[[Path], bool]) -> Path | None:
    here = Path.cwd()
    above = (directory / name for directory in here.parents)
    return next(filter(is_one, (here / name, *filter(_is_ours, above))), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a directory that we may not enter, as root's when HOME is still root's
        return False


def _is_ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
