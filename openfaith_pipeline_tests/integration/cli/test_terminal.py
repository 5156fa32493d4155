"""The command line at a real terminal, as a volunteer meets it. Few processes show many things: each start costs."""

import os
import shutil
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

LINE_BEGINNING, LINE_END = "\x01", "\x05"
NAME = "St. Mary's & Sons"
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
    code, shown = at_terminal("status", "--failing")
    assert (code, "no church fails" in shown, connected in shown) == (0, True, False)
    code, shown = at_terminal("status", name, "--failing")
    told = f"{name} ({connected}): connected" in shown and "no stream of it fails" in shown
    assert (code, told, "synced yet" in shown) == (0, True, False), shown
    code, shown = at_terminal("syncs", "show", sync_id[:13])
    assert (code, "people.tabs" in shown, "people.emails" in shown) == (0, True, True)
    code, shown = at_terminal("syncs", "list", "--failing")
    assert (code, "no sync failed or was interrupted" in shown) == (0, True)
    code, shown = Terminal(at_terminal.environment, columns=60)("syncs", "list")
    assert (code, sync_id in shown, "left out for want of room" in shown) == (0, True, True)

    code, shown = at_terminal("rollback", sync_id[:13], "--dry-run")
    assert (code, "what would be undone" in shown, "pco_people.tabs" in shown, "?" in shown) == (0, True, True, False)
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


def test_ctrl_c_reports_the_finished_part_and_the_same_command_continues(
    at_terminal: Terminal, verb: Verbs, name: str, connected: str, simulator: SimulatorClient
) -> None:
    command = ("sync", connected, "--product", "groups")
    assert verb(*command, "--mode", "reconcile").code == 0  # from now on it is known how long it takes
    simulator.set_latency(Latency(base_ms=600))
    try:
        with at_terminal.running(*command, "--mode", "reconcile") as session:
            session.see(r"sync [0-9a-f-]{36}")
            assert "%" in session.see(r"[1-9]\d?%, about \d+ \w+ left: [\d,]+ of \d+ streams")
            code, shown = at_terminal("sync", connected, "--stream", "groups.tag_groups")
            assert (code, "--if-busy wait waits for its end" in shown) == (1, True), shown
            session.press(CTRL_C)
            code, shown = session.end()
    finally:
        simulator.set_latency(Latency())

    assert (code, "Traceback" in shown) == (130, False), shown
    assert f"{name}: done so far: " in shown
    assert "the same command continues from there" in shown
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


COMPLETED = (
    ("syncs sh", "syncs show"),
    ("status --product gi", "status --product giving"),
    ("sync --stream people.em", "sync --stream people.emails"),
)
"""Beginnings of command lines, and the words that a shell makes of them."""


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
    code, shown = at_terminal("sync", "Grase")
    assert (code, "did you mean Grace" in shown) == (2, True), shown
    code, shown = at_terminal("sync", "grace", "--stream", "people")
    assert (code, "people is a product: --product people" in shown) == (2, True), shown
    assert verb("org", "pause", "Grace").out == f"paused {other} (Grace)\n"

    code, shown = at_terminal("sync", "--all", *TABS)
    assert (code, f"left out because they are paused: Grace ({other})" in shown) == (0, True), shown
    code, shown = at_terminal("status")
    assert code == 0
    assert shown.index(connected) < shown.index(other), "a paused church is not in trouble, and comes last"
    assert "2 churches: 1 connected, 1 paused; " in " ".join(shown.split())
    assert verb("org", "resume", "Grace").code == 0
    _, shown = at_terminal("status")
    assert shown.index(other) < shown.index(connected), "one that was never synced is worse than one that is well"


def test_a_shell_completes_verbs_products_streams_and_churches_into_words(
    at_terminal: Terminal, verb: Verbs, connected: str, tmp_path: Path
) -> None:
    renamed = verb(
        "org", "add", connected, "--app-id", "a", "--secret-stdin", "--no-verify", "--name", NAME, stdin="s\n"
    )
    assert renamed.code == 0, renamed.err
    with at_terminal.shell(tmp_path) as shell:
        shell.sendline("openfaith-pipeline --install-completion && exec bash --noprofile -i")
        shell.expect("Completion will take effect.*> ")
        for typed, words in (
            *COMPLETED,
            (f"org show {connected[:8]}", f"org show {connected}"),
            *((f"org show {beginning}", f"org show {NAME}") for beginning in ("ST", r"St.\ Mary", '"St', "'St")),
        ):
            shell.send(f"openfaith-pipeline {typed}\t{LINE_BEGINNING}printf '<%s>' {LINE_END}\n")
            shell.expect(r"<openfaith-pipeline>(<.*>)> ")
            assert [*words.split(" ", 2)] == shell.match[1][1:-1].split("><"), typed
        # As `| head` does, but gone before the first line in any case.
        shell.sendline("openfaith-pipeline catalog --json | true; echo ended ${PIPESTATUS[*]}")
        shell.expect(r"\nended ([0-9 ]+)")
        assert (shell.match[1], "Traceback" in shell.before) == ("0 0", False)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed here")
def test_zsh_completes_verbs_products_streams_and_churches_into_words(
    at_terminal: Terminal, verb: Verbs, connected: str, tmp_path: Path
) -> None:
    renamed = verb(
        "org", "add", connected, "--app-id", "a", "--secret-stdin", "--no-verify", "--name", "Grace & Co", stdin="s\n"
    )
    assert renamed.code == 0, renamed.err
    with at_terminal.shell(tmp_path, "zsh") as shell:
        shell.sendline("openfaith-pipeline --install-completion && exec zsh -i")
        shell.expect("Completion will take effect.*> ")
        for typed, words in (
            *COMPLETED,
            (f"org show {connected[:8]}", f"org show {connected}"),
            ("org show Gr", "org show Grace & Co"),
        ):
            shell.send(f"openfaith-pipeline {typed}\t{LINE_BEGINNING}printf '<%s>' {LINE_END}\n")
            shell.expect(r"<openfaith-pipeline>(<[^\r\n]*>)")
            assert [*words.split(" ", 2)] == shell.match[1][1:-1].split("><"), typed


def test_a_name_that_a_shell_would_act_on_is_not_offered(verb: Verbs, connected: str, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE sync.orgs SET name = %s", (r"St. `a` \$(b) [/c]!",))
    for typed, offered in (("St", "_files\n"), ("org_", f'_arguments \'*: :(("{connected}":"St. a (b) /c"))\'\n')):
        words = f"openfaith-pipeline status {typed}"
        completed = verb(_TYPER_COMPLETE_ARGS=words, _OPENFAITH_PIPELINE_COMPLETE="complete_zsh")
        assert (completed.out, completed.err) == (offered, "")
    words = "openfaith-pipeline\nstatus\nSt"
    assert verb(COMP_WORDS=words, COMP_CWORD="2", _OPENFAITH_PIPELINE_COMPLETE="complete_bash").out == "\n"


def test_alerts_are_blocks_and_a_held_deletion_is_requested_by_name(
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
    code, shown = at_terminal("deletes", "list", name)
    assert (code, f"{held['id']}: people.tabs {gone}" in shown, '"id":' in shown) == (0, True, False)
    code, shown = at_terminal("deletes", "list", name, "--show-records")
    assert (code, f'"id":"{gone}"' in shown) == (0, True)
    code, shown = at_terminal("status", "--failing")
    assert (code, connected in shown, "1 church: 1 failing; " in " ".join(shown.split())) == (0, True, True), shown
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
    code, shown = Terminal({"OPENFAITH_HOME": str(tmp_path), "OPENFAITH_ENCRYPTION_KEYS": "short"})("status")
    assert (code, "Value error" in shown, "OPENFAITH_ENCRYPTION_KEYS" in shown) == (2, False, True)
    assert sys.executable not in shown

    (tmp_path / "elsewhere").mkdir()
    lost = Terminal({"XDG_DATA_HOME": str(tmp_path / "data")}, directory=tmp_path / "elsewhere")
    code, shown = lost("status")
    assert (code, "error: there is no home here: OPENFAITH_HOME is not set" in shown) == (2, True)
    assert [path.name for path in tmp_path.rglob("*")] == ["elsewhere"]
