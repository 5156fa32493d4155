"""`benchmarks/SOAK.md`, written by the run itself."""

from collections import Counter
from pathlib import Path
from typing import Final

import benchmarks.results
from benchmarks.results import table, where
from openfaith_pipeline_tests.soak.run import STEP_SECONDS, Outcome

_PATH: Final = Path(benchmarks.results.__file__).with_name("SOAK.md")
_HEAD: Final = """# Soak

Three churches at a simulated Planning Center and every process of `openfaith-pipeline dev`, unchanged: Dagster's
daemon, webserver and code server, the service and its applier, Postgres. Their wall clock is set forward by {hours}
hours when they have caught up, as on a machine that sleeps in between; nothing else is hurried, and nothing of the
product is replaced. The churches change all the time; the incidents below happen to them; one step in five a process is
killed.
"""


def write_report(outcome: Outcome, command: str) -> None:
    """Replace the report by one of this run."""
    _PATH.write_text(f"{_HEAD.format(hours=STEP_SECONDS // 3600)}\n`{command}`\n\n{where()}\n\n{_body(outcome)}\n")
    print(f"written: {_PATH}")


def _body(outcome: Outcome) -> str:
    parts = [_summary(outcome), "## Incidents", _incidents(outcome), "## Growth", _growth(outcome)]
    if outcome.skipped:
        parts += ["## Left out", _bullets(outcome.skipped)]
    parts += ["## Wrong", _bullets(outcome.wrong) if outcome.wrong else "Nothing."]
    return "\n\n".join(parts)


def _summary(outcome: Outcome) -> str:
    kills = ", ".join(f"{count} of {part}" for part, count in sorted(outcome.kills.items())) or "none"
    proofs = ", ".join(f"{status} {count}" for status, count in Counter(outcome.proofs.values()).items())
    return (
        f"{outcome.days} days in {outcome.seconds / 60:.0f} minutes, {outcome.changes} changes at the source."
        f" `verify --full` at the end: {proofs}. Kills: {kills}."
        f" Alerts: {len(outcome.alerts)} raised, {outcome.messages} messages."
    )


def _incidents(outcome: Outcome) -> str:
    rows = []
    for played in outcome.history:
        kinds = Counter(each.kind for each in played.expected)
        expected = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
        rows.append((f"{played.began_at:%m-%d %H:%M}", played.incident.name, expected))
    return table(("began", "incident", "alerts it has to raise"), rows)


def _growth(outcome: Outcome) -> str:
    rows = [
        (
            each.name,
            each.unit,
            f"{each.values[0]:.0f}",
            f"{each.middle:.0f}",
            f"{each.last:.0f}",
            f"{max(each.values):.0f}",
        )
        for each in outcome.growths
    ]
    return table(("figure", "unit", "first day", "middle third", "last third", "most"), rows)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
