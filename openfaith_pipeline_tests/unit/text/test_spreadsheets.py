"""Text for people's spreadsheets is not a formula."""

from openfaith_pipeline.privacy.person_export import _as_csv
from openfaith_pipeline.text.spreadsheets import guarded


def test_no_text_begins_like_a_formula() -> None:
    texts = {"=1": "'=1", "+1": "'+1", "@x": "'@x", "-a": "'-a", " =1": "' =1", "a;=1": "a;'=1", "c\n=1": "c\n'=1"}
    assert {text: guarded(text) for text in texts} == texts
    assert guarded("d-e f = 2") == "d-e f = 2"


def test_a_persons_csv_is_for_a_spreadsheet() -> None:
    assert "'=HYPERLINK" in _as_csv([{"note": "=HYPERLINK(1)", "n": -1, "more": {"a": "=1"}}])
    assert "-1" in _as_csv([{"n": -1}])
