"""The command line of the bench."""

import argparse
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from bench import machine, plan, sets, table
from bench.race import Race, run_race

RUNS = 5


def _chosen(text: str | None, known: list[str], option: str) -> list[str]:
    names = known if text is None else text.split(",")
    wrong = [name for name in names if name not in known]
    if wrong:
        sys.exit(f"bench: {option}: no {wrong[0]!r}; there are {', '.join(known)}")
    return names


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    names = [race.key for race in plan.races(plan.FULL, plan.PEERS)]
    peers = [peer.key for peer in plan.PEERS]
    parser.add_argument("--sets", help=f"some of {','.join(names)}; default: all")
    parser.add_argument("--peers", help=f"some of {','.join(peers)}; default: all")
    parser.add_argument("--runs", type=int, default=RUNS, help="counted runs (default: 5)")
    parser.add_argument("--quick", action="store_true", help="small frames, a minute or two")
    parser.add_argument("--json", type=Path, help="keep every sample in this file")
    parser.add_argument("--markdown", type=Path, help="refresh the tables of this page")
    chosen = parser.parse_args(argv)
    if chosen.runs < 1:
        parser.error("--runs: at least 1")
    chosen.sets = _chosen(chosen.sets, names, "--sets")
    chosen.peers = _chosen(chosen.peers, peers, "--peers")
    return chosen


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _selected(chosen: argparse.Namespace) -> tuple[list[Race], list[str]]:
    """Give the races of those who are here, and who they are; say who is not."""
    peers = [peer for peer in plan.PEERS if peer.key in chosen.peers]
    for peer in peers:
        if reason := peer.missing():
            _say(f"{peer.title} left out: {reason}")
    present = [peer for peer in peers if not peer.missing()]
    sizes = plan.QUICK if chosen.quick else plan.FULL
    races = [race for race in plan.races(sizes, peers) if race.key in chosen.sets]
    return races, [peer.version() for peer in present]


def main(argv: list[str] | None = None) -> int:
    """Race, print the tables, keep what was asked for."""
    chosen = _arguments(argv)
    races, versions = _selected(chosen)
    if chosen.markdown:
        table.frame_of(chosen.markdown)  # an hour later would be too late to complain
    described = machine.describe(versions)
    store = sets.store()
    _say(f"sets are kept in {store}")

    def made(dark_set: sets.DarkSet) -> sets.MadeSet:
        return sets.build(dark_set, store, say=_say)

    lines = {race.key: run_race(race, chosen.runs, made, store, _say) for race in races}
    text = table.page(
        described, chosen.runs, [table.table(race.title, lines[race.key]) for race in races]
    )
    print(text)
    if chosen.json:
        kept = {race.key: [asdict(line) for line in lines[race.key]] for race in races}
        chosen.json.write_text(json.dumps({"machine": described, "tables": kept}, indent=1))
    if chosen.markdown:
        table.refresh(chosen.markdown, text)
    return 0


if __name__ == "__main__":
    # so that what runs is stopped and its folder removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        raise SystemExit(main())
    except (sets.SetError, table.PageError, OSError) as problem:
        raise SystemExit(f"bench: {problem}") from problem
    except KeyboardInterrupt:
        raise SystemExit(130) from None
