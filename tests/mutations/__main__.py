"""Weaken one decision of the code at a time, in the functions of a process that has all tests, and say which of them see it.

Without `--N` the list is tried. The exit status is 1 if nothing sees one of it, or one of `--AGAIN` that something saw.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.mutations.session import Seen, run_all
from tests.mutations.weakening import WINGS, Decision, NotFound, Weakening, draw, found_again, listed, texts, weakened

MANY, LEVELS = 10, 3  # functions, and levels: that is more than one fact needs


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    known = texts()
    before: dict[str, dict[str, Any]] = {}
    gone: list[str] = []
    if options.AGAIN:
        chosen = []
        for line in options.AGAIN.read_text().splitlines():
            kept = json.loads(line)
            decision = Decision(*(kept[name] for name in Decision.__dataclass_fields__))
            if now := found_again(decision, known):
                chosen.append(weakened(now, known))
                before[chosen[-1].name] = kept
            else:
                gone.append(f"{decision.file} {decision.function}, {decision.operator}: {decision.line}")
    elif options.N:
        chosen = draw(options.WING or WINGS, options.N, options.SEED, known)
    else:
        chosen = [one for one in listed(known) if not options.names or any(name in one.name for name in options.names)]
    if not chosen:
        raise NotFound("Nothing is called so. The names are in mutations.diff")
    verdicts: dict[int, Seen] = {}
    for number, seen in run_all(chosen, known, options.PROCESSES, lambda text: print(text, flush=True)):
        verdicts[number] = seen
        print(shown(chosen[number], seen), flush=True)
        if options.OUT:
            with options.OUT.open("a") as file:
                file.write(json.dumps(_record(chosen[number], seen)) + "\n")
    names = {chosen[number].name: seen for number, seen in verdicts.items()}
    print(summary(names, gone, len(chosen)))
    unseen = [name for name, seen in names.items() if not seen.by and (name not in before or before[name].get("by"))]
    return int(len(names) < len(chosen) or bool(unseen and not options.N))


def shown(weakening: Weakening, seen: Seen) -> str:
    levels = ", ".join(f"{level} {red} of {tried} ({run} run it)" for level, (red, tried, run) in seen.levels.items())
    rest = f", then {seen.of_all} more tests: {', '.join(seen.by) or 'NOTHING SEES IT'}" if seen.of_all or not seen.by else ""
    return f"{seen.seconds:5.0f} s  {weakening.name}\n         {levels}{rest}"


def summary(verdicts: dict[str, Seen], gone: Sequence[str], number: int) -> str:
    unseen = [name for name, seen in verdicts.items() if not seen.by]
    much = {
        name: it
        for name, it in verdicts.items()
        if it.functions() >= MANY and len([1 for red, *_ in it.levels.values() if red]) >= LEVELS
    }
    parts = [f"\n{len(verdicts) - len(unseen)} of {number} are seen"]
    parts += ["\nIs no more:", *gone] if gone else []
    parts += (
        [
            f"\n{MANY} or more functions of {LEVELS} or more levels see:",
            *(f"{it.functions():4.0f}  {name}" for name, it in much.items()),
        ]
        if much
        else []
    )
    return "\n".join([*parts, *(["\nNothing sees:", *unseen] if unseen else [])])


def _record(weakening: Weakening, seen: Seen) -> dict[str, Any]:
    where = asdict(weakening.decision) if weakening.decision else {"name": weakening.name, "file": weakening.file}
    return {**where, "at": weakening.lines[0], "levels": seen.levels, "by": seen.by, "of_all": seen.of_all}


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
