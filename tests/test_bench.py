"""The bench: that it measures what it says, divides rightly and never leaves half a set."""

import sys
from functools import partial
from pathlib import Path

import pytest

from bench import other_peers, python_peers, table
from bench.measure import CommandError, measure
from bench.peer import Job, Peer
from bench.race import Entry, Line, Race, run_once, run_race
from bench.sets import DarkSet, MadeSet, SetError, build

BURN = "import time\nwhile time.process_time() < 0.2: pass"
TINY = DarkSet("NIR", 3, (48, 64))


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def test_peak_is_the_childs_own(tmp_path):
    ballast = b"x" * (150 * 2**20)  # this process is larger than an idle child
    run = partial(measure, cwd=tmp_path, log=tmp_path / "log")
    assert run(python(""))["peak"] < 50
    assert 200 <= run(python("held = b'x' * (200 * 2**20)"))["peak"] < 250
    assert len(ballast) == 150 * 2**20


@pytest.mark.parametrize(
    "code", [BURN, f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"]
)
def test_cpu_of_child_and_its_children(tmp_path, code):
    cost = measure(python(code), cwd=tmp_path, log=tmp_path / "log")
    assert 0.2 <= cost["cpu"] < 2
    assert cost["wall"] >= 0.19


def test_sleep_costs_wall_time_only(tmp_path):
    cost = measure(python("import time; time.sleep(0.5)"), cwd=tmp_path, log=tmp_path / "log")
    assert cost["wall"] >= 0.5
    assert cost["cpu"] < 0.4


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("raise SystemExit(7)"), "ended with code 7"),
        (python("import os; os.kill(os.getpid(), 11)"), "ended by signal 11"),
        (["/nowhere/program"], "could not be started: FileNotFoundError"),
        (python("import time; time.sleep(60)"), "took longer than 0.5 s"),
    ],
)
def test_failures_are_named(tmp_path, command, said):
    with pytest.raises(CommandError, match=said):
        measure(command, cwd=tmp_path, log=tmp_path / "log", timeout=0.5)


def test_other_exit_codes_may_be_good(tmp_path):
    log = tmp_path / "log"
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(10)"
    assert measure(python(code), cwd=tmp_path, log=log, good_codes=(0, 10))["wall"] > 0
    assert sorted(log.read_text().split()) == ["err", "out"]


def scripted(name: str, code: str, missing: str | None = None) -> Peer:
    def prepare(dark_set: MadeSet, folder: Path) -> Job:
        product = folder / "product"
        return Job((*python(code), str(product), name), product, made=(product,))

    return Peer(name, name, lambda: name, prepare, lambda: missing)


def test_race_runs_in_turn_and_names_who_fell_out(tmp_path):
    diary, said = tmp_path / "diary", []
    write = f"import sys; open(sys.argv[1], 'x'); open({str(diary)!r}, 'a').write(sys.argv[2])"
    peers = [
        scripted("a", write),
        scripted("b", write),
        scripted("broken", "print('why'); raise SystemExit(3)"),
        scripted("idle", "pass"),
        scripted("absent", write, missing="not on PATH"),
    ]
    race = Race("r", "race", tuple(Entry(peer.title, peer, TINY) for peer in peers))
    store = tmp_path / "store"
    lines = run_race(race, 2, lambda _: MadeSet(tmp_path, ()), store, said.append)
    assert diary.read_text() == "ababab"  # the first round is not counted
    assert [len(line.samples) for line in lines] == [2, 2, 0, 0, 0]
    reasons = [None, None, "ended with code 3", "made no product", "not on PATH"]
    assert [line.left_out for line in lines] == reasons
    assert "broken left out: ended with code 3; it said: why" in said
    assert list(store.iterdir()) == []


def line(title: str, *samples: tuple[float, float, float], left_out: str | None = None) -> Line:
    return Line(title, [dict(zip(table.COSTS, s, strict=True)) for s in samples], left_out)


def test_table_of_medians_and_ratios():
    text = table.table(
        "set",
        [
            line("reference", (2.0, 3.0, 100.0), (9.0, 4.0, 110.0), (4.0, 8.0, 400.0)),
            line("half", (2.0, 1.0, 55.0), (1.0, 9.0, 55.0), (5.0, 1.0, 11.0)),
            line("gone", left_out="not on PATH"),
        ],
    )
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()]
    assert rows[2] == ["reference", "4.00", "4.00", "110", "1.00", "1.00", "1.00"]
    assert rows[3] == ["half", "2.00", "1.00", "55", "0.50", "0.25", "0.50"]
    assert text.endswith("\n\nLeft out: gone (not on PATH).")


def test_page_is_refreshed_between_its_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    for text in ("first", "second"):
        table.refresh(page, text)
    assert page.read_text() == f"before\n{table.BEGIN}\nsecond\n{table.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(table.PageError, match=r"page\.md: no lines <!-- bench: begin"):
        table.refresh(page, "third")


def test_set_is_there_whole_or_not_at_all(tmp_path):
    store, home = tmp_path / "store", tmp_path / "store" / TINY.name

    def making(then: str):
        # while it is being made, nothing stands under the name of the set
        code = (
            "import os, sys\nassert not os.path.exists(sys.argv[2])\nos.mkdir(sys.argv[1])\n"
            f"open(sys.argv[1] + '/NIR_dark_001.fits', 'w')\n{then}"
        )
        return lambda _, folder: [*python(code), str(folder), str(home)]

    with pytest.raises(SetError, match=r"NIR-48x64-3: the simulator ended with code 1: no disk"):
        build(TINY, store, command=making("sys.exit('no disk')"))
    assert list(store.iterdir()) == []
    first = build(TINY, store, command=making(""))
    assert first.frames == (home / "NIR_dark_001.fits",)
    assert [path.name for path in store.iterdir()] == [TINY.name]
    assert build(TINY, store, command=making("sys.exit('made twice')")) == first


def test_programs_not_on_path_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {peer.missing() for peer in other_peers.PEERS} == {"not on PATH"}


@pytest.mark.parametrize("peer", python_peers.PEERS, ids=lambda peer: peer.key)
def test_programs_of_this_environment_run(small_set, tmp_path, peer):
    if reason := peer.missing():
        pytest.skip(reason)
    made = MadeSet(small_set.sof, small_set.frames)
    cost = run_once(peer.prepare(made, tmp_path), tmp_path)
    assert cost["wall"] > 0
    assert 20 < cost["peak"] < 1000


def test_simulator_makes_what_is_asked_for(tmp_path):
    made = build(TINY, tmp_path / "store")
    assert len(made.frames) == 3
    assert made.sof.read_text().count("DARK_NIR") == 3
