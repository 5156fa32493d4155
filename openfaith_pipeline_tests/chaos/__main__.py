"""`make chaos`: rounds of kills, their figures on stdout; exit code 1 when anything was wrong after one."""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from openfaith_pipeline_tests.chaos.rounds import Figures, play
from openfaith_pipeline_tests.chaos.world import World, made_up_world


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of what is changed, done and killed when")
    options = parser.parse_args()
    figures, failures = Figures(), 0
    # Not pytest's own directory: root's Postgres runs as another user, who must be able to pass through.
    with tempfile.TemporaryDirectory(prefix="openfaith-chaos-") as directory:
        Path(directory).chmod(0o755)
        with made_up_world(Path(directory), options.seed) as world:
            for number, (what, wrong) in enumerate(play(world, options.rounds, figures), start=1):
                print(f"{number} of {options.rounds}: {what}: {wrong or 'equal to the source'}", flush=True)
                failures += bool(wrong)
            report(world, figures, failures)
    return 1 if failures else 0


def report(world: World, figures: Figures, failures: int) -> None:
    print(f"\n{sum(figures.rounds.values())} rounds, {failures} of them wrong")
    for what, count in figures.rounds.most_common():
        print(f"  {count:4} {what}")
    for victim, count in world.kills.most_common():
        print(f"  {count:4} kills of {victim}")
    again = figures.refetched
    print(f"answers asked for again in a round: median {median(again):.0f}, most {max(again)}")
    print(f"seconds a round: median {median(figures.seconds):.1f}, most {max(figures.seconds):.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
