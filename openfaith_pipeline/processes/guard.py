"""A process that outlives its supervisor briefly, to stop the services of a killed supervisor.

It reads process ids from stdin, one a line; each process leads its own group, so everything that a service started is
stopped with it. End of file without a line `done` means that the supervisor was killed. Then the services are stopped
and the command given as arguments is run.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterable

from openfaith_pipeline.processes.supervisor import DONE, signal_group

_GRACE_SECONDS = 3.0


def end_groups(groups: Iterable[int], grace_seconds: float = _GRACE_SECONDS) -> None:
    """SIGTERM each process group and SIGKILL any process left after the grace period."""
    left = [group for group in groups if signal_group(group, signal.SIGTERM)]
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [group for group in left if signal_group(group, 0)]
    for group in left:
        signal_group(group, signal.SIGKILL)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = sys.stdin.read().split()
    if DONE in lines:
        return
    end_groups([int(line) for line in lines])
    if sys.argv[1:]:
        subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    main()
