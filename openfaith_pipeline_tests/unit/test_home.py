"""Where a home is looked for."""

import os
from pathlib import Path

import pytest

from openfaith_pipeline.home import FOLDER, find_home, users_home


def test_the_nearest_folder_that_is_ours_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert find_home() == users_home() == tmp_path / "data" / "openfaith-pipeline"

    (tmp_path / FOLDER).mkdir()
    assert find_home() == tmp_path / FOLDER
    (tmp_path / "a" / FOLDER).touch()  # a file is none
    assert find_home() == tmp_path / FOLDER
    (below / FOLDER).mkdir()
    assert find_home() == below / FOLDER


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_strangers_folder_above_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / FOLDER).mkdir()
    os.chown(tmp_path / FOLDER, 65534, 65534)

    monkeypatch.chdir(tmp_path / "below")
    assert find_home() == users_home()
    monkeypatch.chdir(tmp_path)
    assert find_home() == tmp_path / FOLDER
