"""The engine knows no source: everything specific to Planning Center is in its package and passed as values."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

from openfaith_pipeline.settings import Settings

PACKAGE: Final = Path(__file__).parents[2] / "openfaith_pipeline"
OWN: Final = ("planning_center/", "simulator/", "sources.py", "database/migrations/versions/")
"""A source's own package, the simulator of its API, the join of all sources, and migrations, which stay as they ran."""

WORDS: Final = re.compile(
    r"(?<![A-Za-z])pco|PCO|Pco|JSON:?API|\bOrganizations?\b|\binclude=|\.include\b|[\"']include[\"']"
    r"|planning_center|PlanningCenter"
)

EXCEPTIONS: Final = {
    "__init__.py": (6, "names that are public"),
    "canonical/document.py": (1, "where the declarations are, for readers of generated pages"),
    "catalog/document.py": (2, "where the declarations are, for readers of generated pages"),
    "catalog/view.py": (1, "where the declarations are, for readers of generated pages"),
    "catalog/written_walk.py": (2, "a key of plans that are stored already"),
    "cli/history.py": (2, "examples to be copied"),
    "cli/orgs.py": (1, "the name of an environment variable, in the help"),
    "defs/component.py": (3, "names that are public"),
    "defs/connection_asset.py": (2, "the asset's key is public"),
    "workflows/onboard_org.py": (1, "the name of a step in results that are stored already"),
    "settings.py": (6, "a source's own settings, named after it; settings lie below all sources"),
}
"""File -> how many lines may have such a word, and why. Only ever fewer."""


def found() -> Counter[str]:
    lines = Counter[str]()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(OWN):
            lines[name] += sum(bool(WORDS.search(line)) for line in path.read_text().splitlines())
    return +lines


def test_no_room_of_the_engine_names_a_source() -> None:
    assert found() == {name: lines for name, (lines, _) in EXCEPTIONS.items()}


def test_the_words_are_found_where_they_are() -> None:
    texts = (
        'adapter = "pco"',
        "PCO_SYNC = 1",
        "triggerPcoSync",
        "one JSON:API object",
        "an Organization",
        "?include=a",
        "from openfaith_pipeline.planning_center.client import PlanningCenterClient",
        "stream.include",
        "settings.pco_api_url",
        'params["include"]',
    )

    assert all(WORDS.search(text) for text in texts)
    assert not any(WORDS.search(text) for text in ("organization_id", "everything included", "include_in_schema=False"))


def test_settings_of_a_source_are_named_after_it() -> None:
    """So that the count above finds a room that reads them, and could send one source's credentials to another."""
    of_the_source = {
        name
        for name, field in Settings.model_fields.items()
        if re.search("PCO|PLANNING_CENTER", str(field.validation_alias))
    }

    assert of_the_source == {name for name in Settings.model_fields if name.startswith("pco_")}


ENTRY_ROOMS: Final = ("cli/", "defs/", "service/", "workflows/")
"""Where a request comes in without naming a source; further in, the adapter is a value that travels."""


def test_no_room_further_in_assumes_the_default_source() -> None:
    named = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"\bDEFAULT_SOURCE\b", path.read_text())
    ]

    assert [name for name in named if not name.startswith((*ENTRY_ROOMS, *OWN))] == []
