"""Weaken one decision of the code at a time, in the functions of a process that has all tests, and say which of them see it.

Without `--N` and `--AGAIN` the list is tried. The first test that sees one is enough: they are counted only of what is drawn.
The exit status is 1 if nothing sees one of the list, or one that something saw before.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from tests.mutations.judge import Seen
from tests.mutations.session import run_all
from tests.mutations.weakening import ROOT, WINGS, Decision, NotFound, Weakening, draw, found_again, listed, texts, weakened

SEEN = ROOT / ".local" / "seen-by.json"
KEPT = 5  # functions that saw it are tried first the next time
MANY, LEVELS = 10, 3  # functions, and levels: that is more than one fact needs


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    known = texts()
    gone: list[str] = []
    if options.AGAIN:
        kept = [json.loads(line) for line in options.AGAIN.read_text().splitlines()]
        found = {Decision(*(it[member.name] for member in fields(Decision))): it.get("by") for it in kept}
        now = {decision: found_again(decision, known) for decision in found}
        gone = [f"{it.file} {it.function}, {it.operator}: {it.line}" for it, again in now.items() if not again]
        saw = {again: tuple(found[decision] or ()) for decision, again in now.items() if again}
        chosen = [replace(weakened(decision, known), seen_by=by[:KEPT]) for decision, by in saw.items()]
        must = {it.name for it in chosen if it.seen_by}
    elif options.N:
        chosen, must = draw(options.WING or WINGS, options.N, options.SEED, known), set()
    else:
        chosen = [it for it in listed(known) if not options.names or any(name in it.name for name in options.names)]
        must = {it.name for it in chosen}
    if not chosen:
        raise NotFound("Nothing is called so. The names are in mutations.diff")
    before = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    chosen = [replace(it, seen_by=it.seen_by or tuple(before.get(it.name, ()))) for it in chosen]
    verdicts: dict[str, Seen] = {}
    for number, seen in run_all(chosen, known, options.PROCESSES, not options.N, lambda text: print(text, flush=True)):
        verdicts[chosen[number].name] = seen
        before[chosen[number].name] = seen.by[:KEPT] or before.get(chosen[number].name, [])
        SEEN.write_text(json.dumps(before))
        print(shown(chosen[number], seen), flush=True)
        if options.OUT:
            with options.OUT.open("a") as file:
                file.write(json.dumps(_record(chosen[number], seen)) + "\n")
    print(summary(verdicts, gone))
    return int(any(it.name not in verdicts for it in chosen) or any(name in must for name in unseen(verdicts)))


def shown(weakening: Weakening, seen: Seen) -> str:
    levels = "".join(f"{level} {red} of {tried} ({run} run it), " for level, (red, tried, run) in seen.levels.items() if tried)
    rest = f"then {seen.of_all} tests: {', '.join(seen.by) or 'NOTHING SEES IT'}" if seen.of_all or not seen.by else ""
    return f"{seen.seconds:5.0f} s  {weakening.name}\n         {levels}{rest}"


def unseen(verdicts: dict[str, Seen]) -> list[str]:
    return [name for name, seen in verdicts.items() if not seen.by]


def summary(verdicts: dict[str, Seen], gone: Sequence[str]) -> str:
    much = [
        f"{seen.functions():4.0f}  {name}"
        for name, seen in verdicts.items()
        if seen.functions() >= MANY and len([red for red, *_ in seen.levels.values() if red]) >= LEVELS
    ]
    parts = {
        f"{MANY} or more functions of {LEVELS} or more levels see": much,
        "Is no more": gone,
        "Nothing sees": unseen(verdicts),
    }
    listed = "".join(f"\n{what}:\n" + "".join(f"  {one}\n" for one in ones) for what, ones in parts.items() if ones)
    return f"{listed}\n{len(verdicts) - len(unseen(verdicts))} of {len(verdicts)} are seen"


def _record(weakening: Weakening, seen: Seen) -> dict[str, Any]:
    where = asdict(weakening.decision) if weakening.decision else {"name": weakening.name, "file": weakening.file}
    return {**where, "levels": seen.levels, "of_all": seen.of_all, "by": seen.by}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of a name of the list (default: all)")
    parser.add_argument("--N", type=int, metavar="NUMBER", help="draw so many instead")
    parser.add_argument("--SEED", default="1", help="of what is drawn (default: 1)")
    parser.add_argument(
        "--WING", action="extend", nargs="+", help="where: a beginning or a pattern of paths, an equal share each"
    )
    parser.add_argument("--AGAIN", type=Path, metavar="FILE", help="try what this file has, which OUT wrote")
    parser.add_argument("--OUT", type=Path, metavar="FILE", help="append what was tried and seen, a line of JSON each")
    parser.add_argument("--PROCESSES", type=int, default=min(4, os.process_cpu_count() or 1), help="(default: %(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except NotFound as failure:
        sys.exit(str(failure))
