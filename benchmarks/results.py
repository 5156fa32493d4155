"""`benchmarks/RESULTS.md`: one section for each benchmark, replaced by its last run."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
_HEAD: Final = "# Benchmarks\n\nEach section is written by the command it names, which measures anew.\n"
_SECTION: Final = "<!-- {} -->"


def write_section(name: str, title: str, body: str, *, path: Path = RESULTS) -> None:
    """Put the section of benchmark `name` in place of its last one; sections stand in the order of their names.

    title: after "## ". body: Markdown. When and where it was measured is added here.
    """
    text = path.read_text() if path.exists() else _HEAD
    sections = _sections_of(text)
    sections[name] = f"## {title}\n\n{where()}\n\n{body.strip()}\n"
    written = "\n".join(f"{_SECTION.format(key)}\n{sections[key]}" for key in sorted(sections))
    temporary = path.with_suffix(".md.new")
    temporary.write_text(f"{_HEAD}\n{written}")
    temporary.replace(path)


def _sections_of(text: str) -> dict[str, str]:
    parts = re.split(r"^<!-- (.+) -->\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() + "\n" for name, body in zip(parts[::2], parts[1::2], strict=True)}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def where() -> str:
    """Machine, versions, date, and how busy the machine was: figures of a shared machine are to be read with that."""
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("dagster", "psycopg", "httpx", "orjson"))
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {psutil.cpu_count()} cores of {_processor()}, {memory:.0f} GB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}, {packages};"
        f" load of the machine after the run {load}."
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
