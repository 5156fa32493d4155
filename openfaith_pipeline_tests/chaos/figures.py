"""The results of the rounds, as tables."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.results import table
from openfaith_pipeline_tests.chaos.rounds import Round
from openfaith_pipeline_tests.chaos.world import World


@dataclass
class Figures:
    """The rounds played so far."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def failures(self) -> int:
        return sum(bool(played.wrong) for played in self.rounds)

    def __str__(self) -> str:
        return f"{len(self.rounds)} rounds, {self.failures} of them wrong.\n\n{self._by_plan()}\n\n{self._by_moment()}"

    def _by_plan(self) -> str:
        """One row for each pair of action and killed process."""
        groups: dict[tuple[str, str], list[Round]] = defaultdict(list)
        for played in self.rounds:
            groups[played.plan.action, played.plan.victim].append(played)
        head = ("under way", "killed", "rounds", "wrong", "fetched again", "in flight", "seconds")
        return table(head, [(*key, *_measured(group)) for key, group in sorted(groups.items())])

    def _by_moment(self) -> str:
        """Rounds by the moment of the kill (rows) and the action (columns)."""
        counts = Counter((played.moment, played.plan.action) for played in self.rounds)
        moments, actions = (sorted({key[place] for key in counts}) for place in (0, 1))
        rows = [(moment, *(counts[moment, action] or "" for action in actions)) for moment in moments]
        return table(("at the kill", *actions), rows)


def kills_of(world: World) -> str:
    """How often each process was killed, and how often one ended by itself and was restarted."""
    told = [f"{count} of {victim}" for victim, count in world.kills.most_common()]
    ended = world.deployment.ended if world.deployment else Counter()
    by_itself = [f"{name} {count} times" for name, count in ended.most_common()]
    return f"Kills: {', '.join(told)}. Ended by itself and started again: {', '.join(by_itself) or 'nothing'}."


def _measured(rounds: Sequence[Round]) -> tuple[object, ...]:
    wrong = sum(bool(played.wrong) for played in rounds)
    return (
        len(rounds),
        wrong,
        _spread(played.refetched for played in rounds),
        _spread(played.in_flight for played in rounds),
        _spread(played.seconds for played in rounds),
    )


def _spread(values: Iterable[float]) -> str:
    """Median and most."""
    found = list(values)
    return f"{median(found):.0f}, most {max(found):.0f}"
