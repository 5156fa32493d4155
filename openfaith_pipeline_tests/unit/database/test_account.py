"""The user that Postgres runs as when root starts it, and the directories open to that user."""

import os
from pathlib import Path

import pytest

from openfaith_pipeline.database import account as account_module
from openfaith_pipeline.database.account import Account, can_reach, server_account

STRANGER = Account("stranger", 4_000_000, 4_000_000)


@pytest.mark.parametrize(("mode", "reachable"), [(0o755, True), (0o711, True), (0o750, False), (0o744, False)])
def test_a_closed_directory_anywhere_above_is_in_the_way(open_directory: Path, mode: int, reachable: bool) -> None:
    gate = open_directory / f"gate-{mode:o}"
    (gate / "below").mkdir(parents=True)
    gate.chmod(mode)
    assert can_reach(gate / "below" / "file", STRANGER) is reachable
    assert can_reach(gate, STRANGER)


def test_the_owner_and_the_group_pass_by_their_own_bits(open_directory: Path) -> None:
    gate = open_directory / "gate-owned"
    gate.mkdir()
    status = gate.stat()
    gate.chmod(0o700)
    assert can_reach(gate / "file", Account("owner", status.st_uid, 4_000_000))
    gate.chmod(0o710)
    assert can_reach(gate / "file", Account("member", 4_000_000, status.st_gid))
    gate.chmod(0o701)
    assert not can_reach(gate / "file", Account("member", 4_000_000, status.st_gid))


def test_for_ourselves_nothing_is_requested(tmp_path: Path) -> None:
    assert can_reach(tmp_path / "file", None)


def test_an_ordinary_user_starts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_module.os, "geteuid", lambda: 1000)
    assert server_account("nobody", 0) is None


def test_root_goes_on_as_the_owner_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_module.os, "geteuid", lambda: 0)
    ours = os.getuid()
    if ours == 0:
        found = server_account("nobody", None)
        assert found is not None
        again = server_account("daemon", found.uid)
        assert again == found
    else:
        found = server_account("nobody", ours)
        assert found is not None
        assert found.uid == ours
