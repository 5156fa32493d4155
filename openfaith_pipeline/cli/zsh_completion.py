"""The script with which zsh completes: Typer's, which only begins to complete with the second TAB of a session."""

from typing import Final

from typer import _completion_shared

_AT_FIRST_TAB: Final = """
if [[ "$funcstack[1]" = "_%(prog_name)s" ]]; then
  %(complete_func)s "$@"
fi
"""
"""zsh runs the installed file as the completion itself at the first TAB, and only then knows the function in it."""


def complete_at_first_tab() -> None:
    """Have the script that `--install-completion` and `--show-completion` write for zsh complete at once."""
    _completion_shared._completion_scripts["zsh"] = _completion_shared.COMPLETION_SCRIPT_ZSH + _AT_FIRST_TAB
