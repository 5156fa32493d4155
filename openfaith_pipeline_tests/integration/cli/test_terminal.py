"""The command line at a real terminal, as a volunteer meets it. Few processes show many things: each start costs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openfaith_pipeline.database import Database
from openfaith_pipeline.settings import environment_with
from openfaith_pipeline.simulator import ChurchSpec, Latency, SimulatorClient
from openfaith_pipeline_tests.terminals import CTRL_C, Terminal
from openfaith_pipeline_tests.verbs import PROGRAM, Verbs

pytestmark = pytest.mark.slow

TABS = ("--stream", "people.tabs", "--stream", "people.emails")


@pytest.fixture
def at_terminal(environment: dict[str, str]) -> Terminal:
    return Terminal(environment)


@pytest.fixture
def name(verb: Verbs, connected: str) -> str:
    """The connected church's."""
    return str(next(org["name"] for org in verb("org", "list", "--json").document if org["org_id"] == connected))


def test_help_has_chapters_and_the_version_names_the_database(at_terminal: Terminal, database: Database) -> None:
    code, shown = at_terminal("--help")
    assert code == 0, shown
    chapters = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith((" ", "Usage"))]
    assert chapters[:3] == ["Options:", "Begin:", "Sync:"]
    assert "Other:" not in chapters, "each verb has its chapter"
    assert "--install-completion" in shown

    code, shown = at_terminal("--version")
    with database.connect() as connection:
        [server] = connection.execute("SHOW server_version").fetchone() or ()
        [revision] = connection.execute("SELECT version_num FROM sync.alembic_version").fetchone() or ()
    lines = shown.splitlines()
    assert (code, lines[0].split()[0], lines[2]) == (0, "openfaith-pipeline", f"schema {revision}")
    assert lines[1].startswith(f"Postgres {server} (at 127.0.0.1:")


def test_a_sync_from_its_id_to_its_end_and_back(at_terminal: Terminal, verb: Verbs, name: str, connected: str) -> None:
    code, shown = at_terminal("sync", name.upper(), *TABS)
    assert code == 0, shown
    sync_id = verb("syncs", "list", "--json").document[0]["sync_id"]
    assert f"sync {sync_id}" in shown
    assert f"{name} ({connected}): succeeded: " in shown
    assert "  in OpenFaith's tables: " in shown
    assert "• people.tabs" not in shown, "each stream is told of with --verbose only"
    code, shown = at_terminal("sync", connected[:12], *TABS, "--verbose")
    assert (code, "• people.tabs: " in shown, "nothing new" in shown) == (0, True, True)

    code, shown = Terminal(at_terminal.environment, columns=60)("status")
    assert (code, connected in shown, "left out for want of room" in shown) == (0, True, True)
    assert f"1 church: 1 connected; {verb('status', name, '--json').document['streams']['people.tabs']['row_count']}"[
        :23
    ] in " ".join(shown.split())
    code, shown = at_terminal("status", name, "--product", "people")
    assert (code, "UTC, " in shown, " ago" in shown) == (0, True, True)
    assert verb("status", "--failing", "--json").document == []
    code, shown = at_terminal("syncs", "show", sync_id[:13])
    assert (code, "people.tabs" in shown, "people.emails" in shown) == (0, True, True)

    with at_terminal.running("rollback", sync_id[:13]) as session:
        asked = session.see(r"Undo \d+ rows of .*\?")
        assert "what would be undone" in asked and name in asked and "pco_people.tabs" in asked
        session.press("n\n")
        code, _ = session.end()
    assert code == 1
    with at_terminal.running("rollback", sync_id, "--org", name) as session:
        session.see(r"Undo \d+ rows of ")
        session.press("y\n")
        code, shown = session.end()
    assert (code, f"{sync_id} is rolled back by " in shown) == (0, True), shown


def test_ctrl_c_says_what_is_done_and_the_same_command_goes_on(
    at_terminal: Terminal, verb: Verbs, name: str, connected: str, simulator: SimulatorClient
) -> None:
    command = ("sync", connected, "--product", "groups")
    assert verb(*command, "--mode", "reconcile").code == 0  # from now on it is known how long it takes
    simulator.set_latency(Latency(base_ms=600))
    try:
        with at_terminal.running(*command, "--mode", "reconcile") as session:
            session.see(r"sync [0-9a-f-]{36}")
            assert "%" in session.see(r"[1-9]\d?%, about \d+ \w+ left: [\d,]+ of \d+ streams")
            other = verb("sync", connected, "--stream", "groups.tag_groups")
            assert (other.code, "--if-busy wait waits for its end" in other.err) == (1, True), other.err
            session.press(CTRL_C)
            code, shown = session.end()
    finally:
        simulator.set_latency(Latency())

    assert (code, "Traceback" in shown) == (130, False), shown
    assert f"{name}: done so far are " in shown
    assert "the same command goes on from there" in shown
    [interrupted, *_] = verb("syncs", "list", "--json").document
    assert interrupted["status"] == "interrupted"
    simulator.forget_requests()
    code, shown = at_terminal(*command, "--mode", "reconcile")
    assert (code, f"going on with sync {interrupted['sync_id']}, which was interrupted" in shown) == (0, True), shown
    assert verb("syncs", "list", "--json").document[0]["status"] == "succeeded"
    assert verb("alerts", "list", "--json").document == []


def test_a_reader_that_goes_away_ends_nothing(verb: Verbs, connected: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for arguments in (("catalog",), ("catalog", "--json"), ("sync", connected, *TABS, "--verbose")):
        shown = subprocess.run(
            [*PROGRAM, *arguments],
            env=environment_with(**verb.environment),
            stdout=writing,
            stderr=writing if arguments[0] == "sync" else subprocess.PIPE,
            timeout=120,
            check=False,
        )
        assert (shown.returncode, shown.stderr or b"") == (0, b""), arguments
    os.close(writing)

    assert verb("status", connected, "--json").document["streams"]["people.tabs"]["status"] == "succeeded"
    assert verb("alerts", "list", "--json").document == []


def test_an_org_goes_by_a_name_or_a_beginning_that_no_other_has(
    verb: Verbs, at_terminal: Terminal, church: ChurchSpec, connected: str, simulator: SimulatorClient
) -> None:
    other = f"{connected[:-1]}{'0' if connected[-1] != '0' else '1'}"
    with_token = ("--app-id", church.credentials.app_id, "--secret-stdin", "--api-url", simulator.url)
    added = verb("org", "add", other, *with_token, "--name", "Grace", stdin=f"{church.credentials.secret}\n")
    assert added.code == 0, added.err

    for arguments in (("status",), ("org", "show"), ("deletes", "list"), ("quarantine", "list"), ("webhooks", "list")):
        assert verb(*arguments, "grace").code == 0, arguments
        several = verb(*arguments, connected[:10])
        assert (several.code, other in several.err, connected in several.err) == (2, True, True), several.err
    assert "did you mean Grace" in verb("sync", "Grase").err
    assert "people is a product: --product people" in verb("sync", "grace", "--stream", "people").err
    assert verb("org", "pause", "Grace").out == f"paused {other} (Grace)\n"

    left_out = verb("sync", "--all", *TABS)
    assert (left_out.code, f"left out, for they are paused: Grace ({other})" in left_out.err) == (0, True)
    code, shown = at_terminal("status")
    assert code == 0
    assert shown.index(connected) < shown.index(other), "a paused church is no trouble, and comes last"
    assert "2 churches: 1 connected, 1 paused; " in " ".join(shown.split())


def test_the_shell_completes_verbs_streams_and_orgs(verb: Verbs, name: str, connected: str) -> None:
    for typed, offered in (
        ("sy", ["sync", "syncs"]),
        ("sync --stream people.em", ["people.emails"]),
        ("sync org_", [connected]),
        (f"status {name[:3]}", [name]),
    ):
        words = {"COMP_WORDS": f"openfaith-pipeline {typed}", "COMP_CWORD": str(len(typed.split()))}
        completed = verb(**words, _OPENFAITH_PIPELINE_COMPLETE="complete_bash")
        assert completed.out.splitlines() == offered, completed.err


def test_alerts_are_blocks_and_a_held_deletion_is_asked_for_by_name(
    verb: Verbs, at_terminal: Terminal, name: str, connected: str, simulator: SimulatorClient
) -> None:
    stream = ("--stream", "people.tabs")
    assert verb("deletes", "guard", "--stream", "people.tabs", "--share", "0", "--number", "0").code == 0
    assert verb("sync", connected, *stream).code == 0
    gone = simulator.truth(connected, "people.tabs")[0]["id"]
    simulator.delete(connected, "people.tabs", ids=[int(gone)])
    assert verb("sync", connected, *stream, "--mode", "reconcile").code == 1

    [held] = verb("deletes", "list", "--json").document
    assert (held["ids"], "records" in held) == ([gone], False)
    shown = verb("deletes", "list", name, "--show-records").out
    assert f'"id":"{gone}"' in shown
    code, shown = Terminal(at_terminal.environment, columns=70)("alerts", "list")
    assert (code, name in shown) == (0, True)
    assert all(label in shown for label in ("what happened", "what to do", "since", "sent to"))

    assert verb("deletes", "approve", str(held["id"])).code == 2  # nobody is there to say yes
    with at_terminal.running("deletes", "approve", str(held["id"])) as session:
        asked = session.see(r"Mark 1 row of \d+ of people\.tabs of .* deleted\?")
        assert gone in asked and name in asked
        session.press("y\n")
        code, shown = session.end()
    assert (code, "marked 1 row deleted" in shown) == (0, True), shown


def test_errors_are_in_our_words(tmp_path: Path) -> None:
    wrong = Verbs({"OPENFAITH_HOME": str(tmp_path), "OPENFAITH_ENCRYPTION_KEYS": "short"})("status")

    assert (wrong.code, "Value error" in wrong.err, "OPENFAITH_ENCRYPTION_KEYS" in wrong.err) == (2, False, True)
    assert sys.executable not in wrong.err
