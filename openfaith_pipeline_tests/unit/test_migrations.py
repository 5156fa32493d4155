"""The migrations are one line: each follows one other, none shares its number."""

from alembic.script import ScriptDirectory

import openfaith_pipeline.database.migrations


def test_each_migration_follows_the_one_before() -> None:
    [directory] = openfaith_pipeline.database.migrations.__path__
    line = [(each.revision, each.down_revision) for each in ScriptDirectory(directory).walk_revisions()]
    numbers = [f"{number:04}" for number in range(len(line), 0, -1)]
    assert line == list(zip(numbers, [*numbers[1:], None], strict=True))
