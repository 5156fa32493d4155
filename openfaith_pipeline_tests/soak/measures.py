"""What could grow without bound, measured once a day: memory, open files, tables, write-ahead log, logs."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from openfaith_pipeline_tests.soak.world import World

_MEGABYTE: Final = 2**20
_LASTING: Final = ("dev", "webserver", "daemon", "code server", "service", "applier", "postgres")

_SIZES: Final = """
SELECT CASE WHEN n.nspname = 'sync' AND (c.relname LIKE 'journal%%' OR p.relname LIKE 'journal%%') THEN 'journal'
            WHEN n.nspname IN ('sync', 'staging', 'dagster') THEN n.nspname ELSE 'records' END AS part,
       sum(pg_total_relation_size(c.oid))::bigint
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid LEFT JOIN pg_class AS p ON p.oid = i.inhparent
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') GROUP BY 1
"""


@dataclass(frozen=True)
class Growth:
    """A figure over the days. is_too_much: whether the last third is beyond the middle one by more than `slack`."""

    name: str
    unit: str
    values: Sequence[float]
    slack: float

    @property
    def middle(self) -> float:
        third = len(self.values) // 3
        return median(self.values[third : 2 * third] or self.values)

    @property
    def last(self) -> float:
        third = len(self.values) // 3
        return median(self.values[-third:] if third else self.values)

    @property
    def is_too_much(self) -> bool:
        return len(self.values) >= 9 and self.last > self.middle * 1.25 + self.slack


_UNITS: Final = {"RSS of ": ("MB", 24.0), "files of ": ("", 12.0), "tables of ": ("MB", 6.0), "": ("MB", 24.0)}


def measure(world: World) -> dict[str, float]:
    """Every figure of this moment that can be had."""
    found: dict[str, float] = {}
    for part, processes in world.processes().items():
        if part in _LASTING:
            found |= _of_processes(part, processes)
    for part, size in world.rows(_SIZES) or ():
        found[f"tables of {part}"] = float(size) / _MEGABYTE
    home = world.settings.home
    found["write-ahead log"] = _bytes_below(home / "postgres" / "data" / "pg_wal") / _MEGABYTE
    found["logs"] = (_bytes_below(home / "logs") + _bytes_below(home / "dagster")) / _MEGABYTE
    return found


def growths(days: Sequence[dict[str, float]]) -> list[Growth]:
    names = sorted({name for day in days for name in day})
    return [_growth(name, [day[name] for day in days if name in day]) for name in names]


def _growth(name: str, values: Sequence[float]) -> Growth:
    unit, slack = next(each for beginning, each in _UNITS.items() if name.startswith(beginning))
    return Growth(name, unit, values, slack)


def _of_processes(part: str, processes: Sequence[psutil.Process]) -> dict[str, float]:
    return {
        f"RSS of {part}": _total(processes, lambda process: process.memory_info().rss / _MEGABYTE),
        f"files of {part}": _total(processes, lambda process: float(process.num_fds())),
    }


def _total(processes: Sequence[psutil.Process], figure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            total += figure(process)
    return total


def _bytes_below(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
