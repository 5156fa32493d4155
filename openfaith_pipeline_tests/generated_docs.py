"""Pages of docs/ made from the code: `make docs` writes them, and a test finds them as they would be written."""

from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

from openfaith_pipeline.catalog.document import render_catalog
from openfaith_pipeline.cli.app import app
from openfaith_pipeline.planning_center.streams.not_synced import NOT_SYNCED
from openfaith_pipeline.sources import STREAMS

DOCS = Path(__file__).parents[1] / "docs"


def commands() -> Mapping[str, str]:
    """The help of every verb, by the verb: `org add`."""
    found: dict[str, str] = {}
    _collect("", found)
    return found


def pages() -> Mapping[Path, str]:
    sections = [f"## openfaith-pipeline {verb}\n\n```text\n{text}\n```\n" for verb, text in commands().items()]
    intro = "# Command line\n\nWhat `--help` says of each verb. Written by `make docs`; a test keeps it up to date.\n\n"
    return {
        DOCS / "cli.md": intro + "\n".join(sections),
        DOCS / "catalog.md": render_catalog(STREAMS.values(), NOT_SYNCED),
    }


def _collect(verb: str, found: dict[str, str]) -> None:
    text = _help_of(verb)
    names = _subcommands(text)
    if not names:
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
        page.write_text(content)
