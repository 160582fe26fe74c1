"""`make simulate`: write the limits, the quotas and what the model predicts for bursts into docs/scaling.md, with plots."""

import sys
from collections.abc import Sequence

from benchmarks.figures import DOCS, write
from benchmarks.plots import plot
from benchmarks.simulation import limits, quotas, scenarios
from benchmarks.simulation.scenarios import Run
from benchmarks.simulation.stack import SimulatedStack
from benchmarks.simulation.world import happened_by
from in_process.template import Template

PAGE = DOCS / "scaling.md"


def draw_settled(runs: Sequence[Run], minutes: int = 10) -> None:
    """Draw how many of the burst's callbacks have settled their tokens, by sender."""
    seconds = range(minutes * 60 + 1)
    with plot("scaling-burst") as axes:
        for run in runs:
            settled = happened_by(run.settled(), seconds)
            axes.plot([second / 60 for second in seconds], [count / 1000 for count in settled], label=run.name)
        axes.set(xlabel="minutes", ylabel="callbacks that settled their token, in thousands", xlim=(0, minutes), ylim=(0, None))
        axes.legend(loc="center right", bbox_to_anchor=(1, 0.38), fontsize="small")


def draw_waits(runs: Sequence[Run]) -> None:
    """Draw how long the execution has waited that has waited longest since its token settled."""
    seconds = range(int(max(run.resumed()[-1] for run in runs)) + 2)
    with plot("scaling-lag") as axes:
        for run in runs:
            axes.plot(seconds, scenarios.longest_wait(run, seconds), label=run.name.replace("`", ""))
        axes.set(xlabel="seconds since the burst began", ylabel="longest wait since its callback, in seconds", xlim=(0, None))
        axes.set_ylim(0, None)
        axes.legend(loc="upper left")


def main() -> int:
    stack = SimulatedStack.of(Template.load())
    write(PAGE, "limits, by make simulate", limits.markdown(stack))
    write(PAGE, "quotas, by make simulate", quotas.markdown())
    bursts, senders, regions = scenarios.report(stack)
    print(bursts)
    write(PAGE, "bursts, by make simulate", bursts)
    draw_settled(senders)
    draw_waits(regions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
