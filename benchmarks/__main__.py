"""`make bench`: run the benchmarks, and write what they find into docs/internals/benchmarks.md.

Exits with 1 if a budget is missed.

    python -m benchmarks [NAME ...]
"""

import sys
from importlib import import_module

from benchmarks.figures import DOCS, Figures, where_and_when, write

# Each is a module with `run() -> Figures`, and a section of docs/internals/benchmarks.md. Imported only to be run.
NAMES = (
    "cold_start",
    "first_invocation",
    "warm",
    "memory",
    "large_bodies",
    "latency",
    "passed",
)


def main() -> int:
    wanted = sys.argv[1:] or NAMES
    if unknown := set(wanted) - set(NAMES):
        print(f"There is no benchmark {', '.join(sorted(unknown))}. There are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    missed: list[str] = []
    for name in wanted:
        print(f"Running {name}", file=sys.stderr)
        figures: Figures = import_module(f"benchmarks.{name}").run()
        print(f"{figures.markdown}\n")
        write(DOCS / "internals" / "benchmarks.md", f"make bench {name}", f"{where_and_when()}\n\n{figures.markdown}")
        missed += figures.missed
    for line in missed:
        print(f"Budget missed: {line}", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
