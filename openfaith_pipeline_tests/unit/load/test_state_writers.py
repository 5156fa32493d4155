"""Who writes `sync.stream_states`: each column one module, so that its meaning stands in one place."""

import re
from pathlib import Path

import openfaith_pipeline

ROOT = Path(openfaith_pipeline.__file__).parent
_WRITE = re.compile(r"(?:UPDATE|INSERT INTO|DELETE FROM)\s+sync\.stream_states\b")

WRITERS = {
    "load/leases.py": "the lease, and the row as such",
    "load/stream_states.py": "position, availability and numbers of rows",
    "load/left_out.py": "left_out",
    "load/lateness.py": "look_back",
    "load/lost_parents.py": "parents_read_at",
    # Rooms below `load`, which run while no sync does: an upgrade and a restore.
    "database/retyping.py": "last_full_at, where a column's type changed",
    "database/backup/restoring.py": "the leases of processes that are not in this database's machine",
}


def test_each_part_of_a_streams_state_is_written_by_one_module() -> None:
    writing = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if "migrations" not in path.parts and _WRITE.search(path.read_text())
    }
    assert writing == WRITERS.keys()
