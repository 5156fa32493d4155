"""Pages of docs/ made from the code: `make docs` writes them, and a test finds them as they would be written."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from typer.testing import CliRunner

from openfaith_pipeline.canonical.document import render_edges, render_plan, render_types
from openfaith_pipeline.catalog.document import render_pages
from openfaith_pipeline.catalog.view import render_questions
from openfaith_pipeline.cli.app import VERBS, app
from openfaith_pipeline.cli.demo_churches import DemoChurches
from openfaith_pipeline.doctor.kinds import KINDS
from openfaith_pipeline.planning_center.mapping.plan import PLAN
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.settings import Settings
from openfaith_pipeline.sources import CANONICAL, QUESTIONS, STREAMS, VIEWS

DOCS = Path(__file__).parents[1] / "docs"
DEMO_ORG = DemoChurches(port=0).churches[0].org_id


@cache
def commands() -> Mapping[str, str]:
    """The help of every verb, by the verb: `org add`."""
    found: dict[str, str] = {}
    _collect("", found)
    return found


@cache
def pages() -> Mapping[Path, str]:
    helped = {"": _help_of(""), **commands()}
    sections = [f"## {f'openfaith-pipeline {verb}'.strip()}\n\n```text\n{text}\n```\n" for verb, text in helped.items()]
    intro = "# Command line\n\nWhat `--help` says of each verb. Written by `make docs`; a test keeps it up to date.\n\n"
    return {
        DOCS / "cli.md": intro + "\n".join(sections),
        **{DOCS / "catalog" / name: text for name, text in render_pages(STREAMS.values(), NOT_SYNCED).items()},
        DOCS / "types.md": render_plan(CANONICAL, PLAN, NOT_SYNCED),
        DOCS / "questions.md": render_questions(
            VIEWS.values(), QUESTIONS, schema=Settings.model_fields["views_schema"].default, org_id=DEMO_ORG
        ),
        DOCS / "canonical.md": _with_sections(
            DOCS / "canonical.md", types=render_types(CANONICAL), edges=render_edges(CANONICAL)
        ),
        DOCS / "doctor.md": _with_sections(DOCS / "doctor.md", kinds=_kinds_of_findings()),
    }


def _kinds_of_findings() -> str:
    rows = [
        f"| `{kind.name}` | {kind.severity.value} | {kind.says} | {kind.mend.replace('{org}', 'ORG')} |"
        for kind in KINDS.values()
    ]
    return "\n".join(["| finding | | means | mended by |", "|---|---|---|---|", *rows, ""])


def _with_sections(page: Path, **sections: str) -> str:
    """A written page, with the parts between its markers made anew."""
    text = page.read_text()
    for name, made in sections.items():
        section = re.compile(rf"(<!-- {name}: [^>]*-->\n).*?(<!-- end -->)", re.DOTALL)
        text, found = section.subn(lambda match, made=made: f"{match[1]}\n{made}\n{match[2]}", text)  # type: ignore[misc]
        assert found == 1, f"{page.name} has no place for its {name}"
    return text


def _collect(verb: str, found: dict[str, str]) -> None:
    text = _help_of(verb)
    names = _subcommands(text) if verb else list(VERBS)
    if not names or "Exit codes:" in text:  # a group may do something by itself, as `db roles` does
        found[verb] = text
    for name in names:
        _collect(f"{verb} {name}".strip(), found)


def _help_of(verb: str) -> str:
    shown = CliRunner().invoke(app, [*verb.split(), "--help"], prog_name="openfaith-pipeline", env={"COLUMNS": "80"})
    return "\n".join(line.rstrip() for line in shown.stdout.strip().splitlines())


def _subcommands(text: str) -> list[str]:
    _, found, listing = text.partition("\nCommands:\n")
    return (
        [line.split()[0] for line in listing.splitlines() if line.startswith("  ") and line[2] != " "] if found else []
    )


if __name__ == "__main__":
    for page, content in pages().items():
        page.parent.mkdir(exist_ok=True)
        page.write_text(content)
