"""`make chaos`: rounds of kills, their figures on stdout; exit code 1 when anything was wrong after one."""

import argparse
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from benchmarks.results import write_section
from openfaith_pipeline_tests.chaos.figures import Figures, kills_of
from openfaith_pipeline_tests.chaos.rounds import plan_rounds, play
from openfaith_pipeline_tests.chaos.world import made_up_world


def main() -> int:
    options = _parsed()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it was started in the background
    figures = Figures()
    # Not pytest's own directory: root's Postgres runs as another user, who must be able to pass through.
    with tempfile.TemporaryDirectory(prefix="openfaith-chaos-") as directory:
        Path(directory).chmod(0o755)
        with made_up_world(Path(directory), options.seed, has_dagster=options.dagster > 0) as world:
            # Ctrl-C ends it early, with the figures of the rounds that were played.
            with suppress(KeyboardInterrupt):
                for played in play(world, plan_rounds(world, options.rounds, options.dagster)):
                    figures.rounds.append(played)
                    told = "; ".join(played.wrong) or "equal to the source"
                    number = f"{len(figures.rounds)} of {options.rounds}"
                    print(f"{number}: {played.plan}, {played.moment} ({played.seconds:.0f} s): {told}", flush=True)
            summary = f"{figures}\n\n{kills_of(world)}"
    print(f"\n{summary}")
    if options.record:
        command = f"`make chaos ARGS='--rounds {options.rounds} --seed {options.seed} --dagster {options.dagster}'`"
        write_section("h crashes", "h. Crashes", f"{command}\n\n{summary}")
    return 1 if figures.failures else 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="how many; 300 by default")
    parser.add_argument("--seed", type=int, default=1, help="of what is changed, done and killed when; 1 by default")
    parser.add_argument(
        "--dagster",
        type=float,
        default=0.1,
        metavar="SHARE",
        help="the share of rounds whose sync is asked for and carried out by Dagster's daemon and code server, which"
        " are killed then, or a run's process, or Postgres; 0.1 by default, 0 to do without them",
    )
    parser.add_argument("--record", action="store_true", help="write the figures into benchmarks/RESULTS.md")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
