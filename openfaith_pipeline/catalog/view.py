"""Views for people who query, and questions that they answer, as data. Standard library only."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import LiteralString

from openfaith_pipeline.catalog.words import Entries, Words

_RELATION = re.compile(r"\b(?:FROM|JOIN)\s+(\w+\.\w+|\{schema\}\.\w+)")


@dataclass(frozen=True)
class View:
    """A view in the schema for people who query.

    sql: its SELECT, with `{schema}` for that schema and doubled braces. columns: in order, each with its words, which
    are marked as those of the columns that feed it; the first is `org_id`.
    """

    name: str
    comment: str
    sql: LiteralString
    columns: Entries

    @property
    def tables(self) -> frozenset[str]:
        """The tables that it reads, such as `<adapter>_people.emails`."""
        return frozenset(name for name in _RELATION.findall(self.sql) if not name.startswith("{"))

    @cached_property
    def words(self) -> Mapping[str, Words]:
        """The description of each column, in order."""
        return {name: Words(entry) if isinstance(entry, str) else entry for name, entry in self.columns.items()}


@dataclass(frozen=True)
class Question:
    """An example of a query on the views, for one org: `%(org_id)s` and `{schema}` stand in its SQL.

    explains: notes on the answer, in Markdown; may be empty.
    """

    title: str
    sql: LiteralString
    explains: str = ""


def render_questions(views: Iterable[View], questions: Iterable[Question], *, schema: str, org_id: str) -> str:
    """docs/questions.md in Markdown, with the queries for this org."""
    asked = [
        f"## {question.title}\n\n```sql\n{write_query(question, schema=schema, org_id=org_id)}\n```\n"
        + (f"\n{question.explains}\n" if question.explains else "")
        for question in questions
    ]
    tables = [
        f"### `{schema}.{view.name}`\n\n{view.comment}\n\n| column | mark | |\n|---|---|---|\n"
        + "".join(f"| `{name}` | {words.mark or ''} | {words.text} |\n" for name, words in view.words.items())
        for view in views
    ]
    introduction = _INTRODUCTION.format(schema=schema, org_id=org_id)
    return "\n".join([introduction, *asked, _VIEWS, *tables])


def write_query(question: Question, *, schema: str, org_id: str) -> str:
    """The query as it is typed into psql, for one org."""
    return question.sql.strip().format(schema=schema) % {"org_id": f"'{org_id}'"}


_INTRODUCTION = """\
# Questions

Written by `make docs` from the declarations in `openfaith_pipeline/planning_center/views/`; change those, not this.

Schema `{schema}` has views for people who query, in plain names: rows that are live, names instead of ids alone, money
in cents and as a number, times in UTC and in the church's own zone (`..._local`). Each view has the church as its first
column, `org_id`, so that a query is about one church; `{schema}.churches` lists their ids. The queries below are for
the first church of `openfaith-pipeline demo`. Run them in the psql that comes along, or in any program that speaks to
Postgres, by the address that `openfaith-pipeline db url` prints:

```sh
openfaith-pipeline db psql                                            # \\q leaves it
openfaith-pipeline db psql -- -c "SELECT * FROM {schema}.churches"    # one query
```

- A view shows only what was synced: one over a product that the church does not sync is empty.
- Live means not deleted at the source. What is archived or canceled there is live; a column says so.
- A view reads with the rights of the one who queries it (`security_invoker`): it shows nobody more than its tables do.
- The church's zone is the one set in Planning Center; where that is not known, or Postgres has no such zone, it is UTC.
- The views need PostgreSQL 15 and are not made on an older one. `OPENFAITH_VIEWS_SCHEMA` names another schema.
"""
_VIEWS = "## The views\n"
