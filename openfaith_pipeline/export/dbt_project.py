"""A dbt project: every table and view as a source, with descriptions, types, marks, tests and freshness."""

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import yaml

from openfaith_pipeline.errors import UsageError
from openfaith_pipeline.export.dbt_tests import tests_of_columns, tests_of_table
from openfaith_pipeline.export.relations import Relation, declared_types
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CANONICAL, PRODUCTS

_NAME: Final = "openfaith"
_OLDEST_DBT: Final = ">=1.10.6"
"""The first with tests' arguments, and `loaded_at_query`, where they are written here."""

_LOADED_AT: Final = """\
select coalesce(min(last_synced_at), current_timestamp) from {schema}.stream_freshness
where stream in ({streams}) and not is_paused"""

_PROFILES: Final = """\
# The address is taken from the environment: eval "$(openfaith-pipeline db url --role reader --env)"
openfaith:
  target: postgres
  outputs:
    postgres:
      type: postgres
      host: "{{ env_var('PGHOST', '127.0.0.1') }}"
      port: "{{ env_var('PGPORT', '5432') | as_number }}"
      user: "{{ env_var('PGUSER', 'openfaith_reader') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PGPASSWORD', '') }}"
      dbname: "{{ env_var('PGDATABASE', 'openfaith') }}"
      schema: dbt
      threads: 4
    # The file of `openfaith-pipeline export duckdb church.duckdb all`.
    duckdb:
      type: duckdb
      path: "{{ env_var('CHURCH_DUCKDB', 'church.duckdb') }}"
      threads: 1
"""
_READ_ME: Final = """\
# dbt on the OpenFaith database

Written by `openfaith-pipeline export dbt`. `models/sources/` is rewritten each time, after an upgrade for example;
everything else is yours from the first time on.

    eval "$(openfaith-pipeline db url --role reader --env)"
    dbt parse
    dbt source freshness
    dbt test

Columns have the meta `mark` (personal, financial or health) and a tag of that name, and `contains_pii`. A reader
writes nothing: to build models, give dbt a user with a schema of its own, and the reader's rights.
"""


def write_dbt_project(root: Path, relations: Sequence[Relation], settings: Settings) -> list[Path]:
    """Write the project, or rewrite its sources; returns the files written. UsageError if other files are there."""
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not _is_ours(root))):
        raise UsageError(f"{root} is not a dbt project written by this command; name a new directory")
    sources = root / "models" / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    known = frozenset(relation.full_name for relation in relations)
    files = [
        _put(sources / f"{schema}.yml", _dumped(_source(schema, [*each], known, settings)))
        for schema, each in groupby(sorted(relations, key=lambda relation: relation.schema), lambda each: each.schema)
    ]
    for left in {*sources.glob("*.yml")} - {*files}:
        left.unlink()
    own = {"dbt_project.yml": _dumped(_project()), "profiles.yml": _PROFILES, "README.md": _READ_ME}
    return [*(_put(root / name, text) for name, text in own.items() if not (root / name).exists()), *files]


def _is_ours(root: Path) -> bool:
    return (root / "models" / "sources").is_dir() and f"name: {_NAME}\n" in (root / "dbt_project.yml").read_text()


def _put(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with draft.open("x") as file:  # never through a link that is there
        file.write(text)
    draft.replace(path)
    return path


def _dumped(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _project() -> dict[str, Any]:
    return {
        "name": _NAME,
        "version": version("openfaith-pipeline"),
        "profile": _NAME,
        "require-dbt-version": _OLDEST_DBT,
        "model-paths": ["models"],
        "target-path": "target",
        "clean-targets": ["target"],
    }


def _source(schema: str, relations: Sequence[Relation], known: Collection[str], settings: Settings) -> dict[str, Any]:
    tables = [_table(relation, known, settings) for relation in relations]
    title = _title(schema, relations)
    return {"version": 2, "sources": [{"name": schema, "schema": schema, "description": title, "tables": tables}]}


def _title(schema: str, relations: Sequence[Relation]) -> str:
    match relations[0].group:
        case "views":
            return "Views for people who query: live rows, names instead of ids alone"
        case "canonical":
            return "OpenFaith's tables, made from the raw ones"
    product = next(each for each in PRODUCTS.values() if each.schema == schema)
    return f"{product.source.title} {product.value.replace('_', ' ').title()}, as it came"


def _table(relation: Relation, known: Collection[str], settings: Settings) -> dict[str, Any]:
    tests = tests_of_columns(relation)
    columns = [
        _column(name, kind, relation, tests.get(name, ())) for name, kind in declared_types(relation, settings).items()
    ]
    return {
        "name": relation.name,
        "description": relation.description,
        **_freshness(relation, settings),
        "data_tests": tests_of_table(relation, known),
        "columns": columns,
    }


def _column(name: str, kind: str | None, relation: Relation, tests: Sequence[Any]) -> dict[str, Any]:
    words = relation.words.get(name)
    mark = words.mark if words else None
    return {
        "name": name,
        **({"description": words.text} if words else {}),
        **({"data_type": kind} if kind else {}),
        **({"quote": True} if name != name.lower() else {}),
        **({"config": {"meta": {"mark": mark.value, "contains_pii": True}, "tags": [mark.value]}} if mark else {}),
        **({"data_tests": [*tests]} if tests else {}),
    }


def _freshness(relation: Relation, settings: Settings) -> dict[str, Any]:
    """Freshness by the oldest success of the streams behind it; paused or unreadable ones do not count."""
    streams = _streams(relation)
    if not streams:
        return {}
    hours = round(settings.freshness_hours)
    listed = ", ".join(f"'{name}'" for name in streams)
    query = _LOADED_AT.format(schema=settings.views_schema, streams=listed)
    return {
        "config": {
            "freshness": {
                "warn_after": {"count": hours, "period": "hour"},
                "error_after": {"count": 2 * hours, "period": "hour"},
            },
            "loaded_at_query": query,
        }
    }


def _streams(relation: Relation) -> list[str]:
    if relation.stream:
        return [relation.stream.name]
    if relation.links:
        return [relation.links[0].name]
    if relation.group == "canonical":
        table = CANONICAL.tables.get(relation.name.partition("_")[2])
        return [entity.stream.name for entity in table.entities] if table else []
    return []
