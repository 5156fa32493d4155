"""The generated pages are those the code makes, and the README's commands are commands there are."""

import re
from pathlib import Path

from openfaith_pipeline.doctor.kinds import KINDS
from openfaith_pipeline_tests.generated_docs import commands, pages

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_up_to_date() -> None:
    assert {page.name for page, text in pages().items() if page.read_text() != text} == set(), "run: make docs"


def test_no_page_is_left_of_a_product_that_is_gone() -> None:
    assert set((ROOT / "docs/catalog").iterdir()) == {page for page in pages() if page.parent.name == "catalog"}


def test_every_verb_documents_its_exit_codes() -> None:
    silent = [verb for verb, text in commands().items() if "Exit codes: 0" not in text]

    assert silent == []


def test_every_verb_is_in_the_readme_or_its_group_is() -> None:
    readme = (ROOT / "README.md").read_text()
    first_words = {verb.split()[0] for verb in commands()}

    assert {word for word in first_words if not re.search(rf"(openfaith-pipeline|make) {word}\b", readme)} == set()


def test_the_readme_names_no_verb_and_no_option_that_is_not_there() -> None:
    helped = commands()
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"openfaith-pipeline (?!openfaith-)((?:[a-z]+ ?){1,2})((?:[^\n|)`]*))", readme)

    assert named
    for words, rest in named:
        verb = next((verb for verb in helped if words.strip().startswith(verb)), None)
        assert verb, f"there is no verb {words.strip()!r}"
        for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
            assert option in helped[verb], f"{verb} has no {option}"


def test_the_makefile_has_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)) <= targets


def test_the_remedies_of_the_doctor_name_verbs_that_are_there() -> None:
    verbs = commands()
    named = {
        (kind.name, words.strip(" ,;"))
        for kind in KINDS.values()
        for words in re.findall(r"openfaith-pipeline ((?:[a-z]+ ?){1,2})", kind.mend)
    }

    assert len(named) > 20
    assert {(kind, words) for kind, words in named if not any(_is_begun_by(words, verb) for verb in verbs)} == set()


def _is_begun_by(words: str, verb: str) -> bool:
    return f"{words} ".startswith(f"{verb} ") or f"{verb} ".startswith(f"{words} ")
