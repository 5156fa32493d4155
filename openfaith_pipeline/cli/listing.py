"""A table that fits the terminal by leaving columns out: no id, name or number in it is ever shortened."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

_GAP: Final = 2
_PROSE_WIDTH: Final = 24
"""A cell of several words is wrapped to no less."""
_UNTITLED: Final = "remarks"
_LONGEST_WORD: Final = 48
"""What is longer, such as an address, may be broken; ids and names of streams are not."""


@dataclass(frozen=True)
class Listing:
    """Rows of plain text under their columns.

    numbers: columns that are aligned to the right. first_to_go: columns to leave out, in this order, if the
    terminal is too narrow. If that is not enough, prose is wrapped; after that, lines exceed the terminal's width.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str | None = None
    numbers: Collection[str] = ()
    first_to_go: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._shown(options.max_width)
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
        for number in shown:
            column = self.columns[number]
            table.add_column(
                column,
                justify="right" if column in self.numbers else "left",
                no_wrap=column in self.numbers,
                overflow="fold",
                min_width=self._least_width(number),
            )
        for row in self.rows:
            table.add_row(*(Text(row[number]) for number in shown))
        if self.title:
            yield Text(self.title, "bold")
        needed = sum(self._least_width(number) + _GAP for number in shown)
        yield from console.render(table, options.update(width=max(options.max_width, needed)))
        if left_out := [self.columns[number] or _UNTITLED for number in self._numbers() if number not in shown]:
            yield Text(f"left out for want of room: {', '.join(left_out)}; --json has all", "dim")

    def _shown(self, width: int) -> list[int]:
        """The columns for which there is room: once a wide one is left out, smaller ones may fit again."""
        shown, gone = list(self._numbers()), list[int]()
        for column in self.first_to_go:
            if self._fit(shown, width):
                break
            gone.append(list(self.columns).index(column))
            shown.remove(gone[-1])
        for number in reversed(gone):
            if self._fit([*shown, number], width):
                shown.append(number)
        return sorted(shown)

    def _fit(self, numbers: Collection[int], width: int) -> bool:
        return sum(self._width(number) + _GAP for number in numbers) - _GAP <= width

    def _numbers(self) -> Iterator[int]:
        return iter(range(len(self.columns)))

    def _width(self, number: int) -> int:
        """The column's width with prose wrapped."""
        return max(self._least_width(number), min(self._whole_width(number), _PROSE_WIDTH))

    def _whole_width(self, number: int) -> int:
        return max((cell_len(cell) for cell in self._cells(number)), default=0)

    def _least_width(self, number: int) -> int:
        """The width of the column's longest word or number."""
        is_whole = self.columns[number] in self.numbers
        cells = self._cells(number)
        words = cells if is_whole else [word for cell in cells for word in cell.split(" ")]
        longest = max(map(cell_len, words), default=0)
        return longest if is_whole else min(longest, _LONGEST_WORD)

    def _cells(self, number: int) -> list[str]:
        return [self.columns[number], *(row[number] for row in self.rows)]
