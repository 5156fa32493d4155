"""Changes at the source during a round: people are added, edited, deleted and merged."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from openfaith_pipeline.simulator.client import SimulatorClient

CHANGES_A_ROUND = 40  # of more, so many would be deletions that a reconcile holds them back
_CHANGED = ("people.people", "people.emails", "people.phone_numbers", "people.addresses", "people.households")
_FEWEST = 10


@dataclass
class Editor:
    """Changes the church at random."""

    simulator: SimulatorClient
    org_id: str
    chance: random.Random

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """For the block, one change after another."""
        is_over = threading.Event()

        def change() -> None:
            for _ in range(CHANGES_A_ROUND):
                if is_over.wait(0.05):
                    return
                self.change_once()

        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def change_once(self) -> None:
        stream = self.chance.choice(_CHANGED)
        action = self.chance.choices(("edit", "quiet", "add", "delete", "merge"), (5, 2, 3, 2, 1))[0]
        if action == "add":
            self.simulator.add(self.org_id, stream, count=self.chance.randrange(1, 4))
        elif action == "merge" and len(self._ids("people.people")) > _FEWEST:
            self.simulator.merge(self.org_id, "people.people")
        elif action == "delete" and len(self._ids(stream)) > _FEWEST:
            self.simulator.delete(self.org_id, stream, [self.chance.choice(self._ids(stream))])
        else:
            self.simulator.edit(self.org_id, stream, count=2, is_quiet=action == "quiet")

    def _ids(self, stream: str) -> list[int]:
        return [int(record["id"]) for record in self.simulator.truth(self.org_id, stream)]
