"""The generated pages are those the code makes, and the commands of all pages are commands there are."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from typer.exceptions import TyperException
from typer.main import get_command

from openfaith_pipeline.cli.app import app
from openfaith_pipeline.doctor.kinds import KINDS
from openfaith_pipeline_tests.generated_docs import commands, pages

ROOT = Path(__file__).parents[2]
WRITTEN = [
    page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")) if page.name not in {"CHANGELOG.md", "cli.md"}
]
BLOCK = re.compile(r"^ *```[a-z]*\n(.*?)^ *```|^ {4}(\S[^\n]*)", re.DOTALL | re.MULTILINE)
TYPED = re.compile(r"\bopenfaith-pipeline +(?!openfaith-pipeline)(.*)")
NAMED = re.compile(r"openfaith-pipeline (?!openfaith-|-)((?:[a-z-]+ ?){1,2})((?:[^\n|)`]*))")


def _typed_in(text: str) -> Iterator[tuple[str, ...]]:
    """The arguments of each command in these lines, up to the end that the shell sees."""
    for line in TYPED.findall(text.replace("\\\n", " ")):
        arguments: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        while (token := lexer.get_token()) and not set(token) <= set("();<>|&"):
            arguments.append(token)
        if arguments and not arguments[0].startswith("-"):
            yield tuple(arguments)


def _refusal(arguments: Iterable[str]) -> str | None:
    """Why the command line refuses these arguments; None if it takes them. Nothing is executed."""
    command: Any = get_command(app)
    name, rest, context = "openfaith-pipeline", list(arguments), None
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not hasattr(command, "resolve_command") or not rest:
                return None
            name, command, rest = command.resolve_command(context, rest)
    except TyperException as error:
        return error.format_message()


def test_generated_pages_are_up_to_date() -> None:
    assert {page.name for page, text in pages().items() if page.read_text() != text} == set(), "run: make docs"


def test_no_page_is_left_of_a_product_that_is_gone() -> None:
    assert set((ROOT / "docs/catalog").iterdir()) == {page for page in pages() if page.parent.name == "catalog"}


def test_every_verb_documents_its_exit_codes() -> None:
    silent = [verb for verb, text in commands().items() if "Exit codes: 0" not in text]

    assert silent == []


def test_a_group_that_does_something_by_itself_says_so_as_a_verb_does() -> None:
    assert "see no church until `db roles add` names some" in " ".join(commands()["db roles"].split())


def test_no_sentence_of_the_help_has_a_hole_in_it() -> None:
    holes = {
        (verb, line) for verb, text in commands().items() for line in re.findall(r".*[^.][;:,.] {2,}[^\s\[].*", text)
    }

    assert holes == set()


def test_every_verb_is_in_the_readme_or_its_group_is() -> None:
    readme = (ROOT / "README.md").read_text()
    first_words = {verb.split()[0] for verb in commands()}

    assert {word for word in first_words if not re.search(rf"(openfaith-pipeline|make) {word}\b", readme)} == set()


def test_no_page_names_a_verb_or_an_option_that_is_not_there() -> None:
    helped = commands()
    named = {(page.name, *found) for page in WRITTEN for found in NAMED.findall(page.read_text())}
    unknown = {each for each in named if not any(_is_begun_by(each[1].strip(), verb) for verb in helped)}
    options = {
        (page, verb, option)
        for page, words, rest in named
        for verb in [
            max((verb for verb in helped if re.match(rf"{verb}(?![a-z-])", words + rest)), default="", key=len)
        ]
        for option in re.findall(r"(?<=\s)--[a-z-]+", rest)
    }

    assert len(named) > 100
    assert unknown == set()
    assert {(page, verb, option) for page, verb, option in options if option not in helped.get(verb, "")} == set()


def test_commands_in_blocks_of_the_pages_can_be_typed_as_they_stand() -> None:
    typed = {
        (page.name, arguments)
        for page in WRITTEN
        for block in BLOCK.finditer(page.read_text())
        for arguments in _typed_in(block[1] or block[2])
    }

    assert len(typed) > 60
    assert {each: refusal for each in typed if (refusal := _refusal(each[1]))} == {}


def test_no_block_of_the_pages_needs_a_psql_besides_the_one_that_comes_along() -> None:
    assert {page.name for page in WRITTEN if re.search(r"^psql ", page.read_text(), re.MULTILINE)} == set()


def test_examples_of_the_help_can_be_typed_as_they_stand() -> None:
    typed = {
        arguments
        for text in commands().values()
        for arguments in _typed_in("\n".join(re.findall(r"^ {4}\S.*", text, re.MULTILINE)))
    }

    assert len(typed) > 50
    assert {each: refusal for each in typed if (refusal := _refusal(each))} == {}


def test_the_makefile_has_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= targets


def test_the_remedies_of_the_doctor_name_verbs_that_are_there() -> None:
    verbs = commands()
    named = {
        (kind.name, words.strip(" ,;"))
        for kind in KINDS.values()
        for words in re.findall(r"openfaith-pipeline ((?:[a-z-]+ ?){1,2})", kind.mend)
    }

    assert len(named) > 20
    assert {(kind, words) for kind, words in named if not any(_is_begun_by(words, verb) for verb in verbs)} == set()


def test_a_command_that_is_named_with_an_argument_is_named_with_the_options_that_it_needs() -> None:
    texts = [*WRITTEN, *(ROOT / "openfaith_pipeline").rglob("*.py")]
    named = {
        (path.name, rest)
        for path in texts
        for rest in re.findall(
            r"openfaith-pipeline (?:org add|policy set) (?:[A-Z{\"]|new|org_)[^`\n]*", path.read_text()
        )
    }

    assert len(named) > 5
    assert {each for each in named if not re.search(r"--app-id|--policy", each[1])} == set()


def test_the_remedy_of_a_pause_at_planning_center_is_no_limit_of_our_own_service() -> None:
    assert "OPENFAITH_REQUESTS_PER_MINUTE" not in KINDS["requests_paused"].mend


def _is_begun_by(words: str, verb: str) -> bool:
    return f"{words} ".startswith(f"{verb} ") or f"{verb} ".startswith(f"{words} ")
