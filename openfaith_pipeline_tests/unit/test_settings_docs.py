"""docs/settings.md lists every variable with its default."""

import re
from pathlib import Path

from openfaith_pipeline.planning_center.source import PLANNING_CENTER
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.settings_places import CONFIG_FILE, ENV_FILE, names_of

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_variable_is_explained_and_none_is_made_up() -> None:
    explained = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(), re.MULTILINE))

    assert explained == names_of(Settings) | {ENV_FILE, CONFIG_FILE}


def test_defaults_are_as_explained() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE))

    assert rows["PCO_API_URL"] == f"`{PLANNING_CENTER.api_url}`"
    for name in ("db_port", "postgres_user", "canonical_schema", "views_schema", "otlp_endpoint"):
        field = Settings.model_fields[name]
        assert rows[str(field.validation_alias)] == f"`{field.default}`"
