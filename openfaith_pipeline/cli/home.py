"""Open the database for verbs that may create a home, and report the home's location."""

from collections.abc import Iterator
from contextlib import contextmanager

from openfaith_pipeline.cli import terminal
from openfaith_pipeline.database import Database, open_database
from openfaith_pipeline.database.server import has_home
from openfaith_pipeline.settings import Settings


@contextmanager
def open_or_make(settings: Settings, *, upgrade: bool | None = None) -> Iterator[Database]:
    """`open_database`, creating an embedded database that does not exist yet. upgrade: as there."""
    is_new = settings.is_embedded and not has_home(settings)
    with open_database(settings, upgrade=upgrade, makes_home=True) as database:
        if is_new:
            terminal.say(f"created a new home in {settings.home}")
        yield database
