"""`make soak`: weeks of three churches with everything of `dev` running; exit code 1 when anything is wrong."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from openfaith_pipeline.errors import ConfigurationError
from openfaith_pipeline_tests.soak.report import write_report
from openfaith_pipeline_tests.soak.run import soak
from openfaith_pipeline_tests.soak.world import running_world


def main() -> int:
    options = _parsed()
    for number in (signal.SIGINT, signal.SIGTERM):  # so that every process it started ends with it
        signal.signal(number, signal.default_int_handler)
    # Not pytest's own directory: root's Postgres runs as another user, who must be able to pass through.
    directory = Path(tempfile.mkdtemp(prefix="openfaith-soak-"))
    directory.chmod(0o755)
    print(f"seed {options.seed}, {options.days} days; logs are below {directory}", flush=True)
    try:
        with running_world(directory, options.seed) as world:
            outcome = soak(world, options.days, options.seconds, options.minutes, options.only)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for each in outcome.wrong:
        print(f"wrong: {each}", file=sys.stderr)
    if options.record:
        given = ("days", "seconds", "minutes", "seed")
        arguments = " ".join(f"--{name} {getattr(options, name):g}" for name in given)
        write_report(outcome, f"make soak ARGS='{arguments} --record'")
    if not outcome.wrong:
        shutil.rmtree(directory, ignore_errors=True)
        print("nothing was wrong")
    return 1 if outcome.wrong else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="simulated days; 30 by default")
    parser.add_argument("--seconds", type=float, default=30, help="the least that a day takes; 30 by default")
    parser.add_argument("--minutes", type=float, default=240, help="after which no day begins any more; 240 by default")
    parser.add_argument("--seed", type=int, default=1, help="of the churches, and of what happens when; 1 by default")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the incidents with this in their names")
    parser.add_argument("--record", action="store_true", help="write the report into benchmarks/SOAK.md")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
