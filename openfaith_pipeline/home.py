"""The home, the directory of everything kept on this machine: where it is looked for."""

import os
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

FOLDER: Final = ".openfaith"


def find_home() -> Path:
    """The nearest `.openfaith` in this directory or one above it; without one, the user's data directory.

    The directory returned need not exist. One above that belongs to another user is skipped: anyone can make one in
    /tmp, and that must not decide which database the users below it get.
    """
    here = Path.cwd()
    above = (directory / FOLDER for directory in here.parents)
    nearest = (folder for folder in ((here / FOLDER), *filter(_is_ours, above)) if folder.is_dir())
    return next(nearest, users_home())


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


def _is_ours(folder: Path) -> bool:
    try:
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
