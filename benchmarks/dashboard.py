"""`make pictures`: draws the dashboard of template.yaml as docs/images/dashboard.svg.

The widgets, their metrics and statistics are those of the template; the figures are those of three hours in which the handlers
run on moto (`three_hours.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

from matplotlib.dates import DateFormatter
from matplotlib.patches import Rectangle

from benchmarks.dashboard_body import Metric, Recorded, Widget, dashboard
from benchmarks.plots import grid
from benchmarks.three_hours import BEGIN, PERIODS, SECONDS, three_hours
from in_process.moto_stack import moto_stack

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
MOST_NAMED = 8  # lines in a legend
THREE_HOURS = BEGIN / 1000, BEGIN / 1000 + PERIODS * SECONDS


def draw(widgets: Sequence[Widget], recorded: Recorded) -> None:
    with grid("dashboard", [(it.x, it.y, it.width, it.height) for it in widgets]) as axes:
        for widget, place in zip(widgets, axes, strict=True):
            place.set_title(widget.title, loc="left", fontsize=9, fontweight="bold")
            if widget.kind == "alarm":
                draw_alarms(widget, place)
            else:
                draw_metrics(widget, recorded, place)


def draw_alarms(widget: Widget, place: Any) -> None:
    """Draw a green field for each alarm. What state it would be in is not computed."""
    names = [arn.rpartition(":")[2] for arn in widget.properties["alarms"]]
    place.set_axis_off()
    columns = -(-len(names) // 2)
    for number, name in enumerate(names):
        at = (number % columns / columns, 0.5 - number // columns * 0.5)
        place.add_patch(rectangle(place, at, 0.96 / columns, 0.42))
        place.text(at[0] + 0.48 / columns, at[1] + 0.21, name, ha="center", va="center", fontsize=7, transform=place.transAxes)


def rectangle(place: Any, at: tuple[float, float], width: float, height: float) -> Any:
    return Rectangle(at, width, height, transform=place.transAxes, facecolor="#d5edd8", edgecolor="#2ca02c")


def draw_metrics(widget: Widget, recorded: Recorded, place: Any) -> None:
    series = {
        metric: recorded.series(metric, widget.statistic(metric), widget.properties["period"]) for metric in widget.metrics
    }
    right = place.twinx() if any(metric.options.get("yAxis") == "right" for metric in widget.metrics) else place
    if widget.properties.get("stacked"):
        draw_stacked(widget, series, place)
    else:
        for metric, colour in zip(named(widget, series), cycle(COLOURS), strict=False):
            axes = right if metric.options.get("yAxis") == "right" else place
            axes.plot(
                *points(series[metric]), color=colour, label=widget.label(metric), linewidth=1.2, marker=".", markersize=3
            )
    for axes in {place, right}:
        axes.set_ylim(bottom=0, top=None if any(value for points in series.values() for _, value in points) else 1)
        axes.tick_params(labelsize=7)
        axes.set_xlim(*map(clock, THREE_HOURS))
        axes.xaxis.set_major_formatter(DateFormatter("%H:%M", UTC))
    left_out = len(widget.metrics) - len(named(widget, series))
    lines = [*place.get_legend_handles_labels()[0], *(right.get_legend_handles_labels()[0] if right is not place else [])]
    place.legend(handles=lines, fontsize=6, loc="upper left", title=more(left_out), title_fontsize=6, framealpha=0.7)


def draw_stacked(widget: Widget, series: dict[Metric, list[tuple[float, float]]], place: Any) -> None:
    shown = named(widget, series)
    times = sorted({at for metric in shown for at, _ in series[metric]})
    heights = [[dict(series[metric]).get(at, 0) for at in times] for metric in shown]
    labels = [widget.label(metric) for metric in shown]
    place.stackplot([clock(at) for at in times], heights, labels=labels, colors=COLOURS, alpha=0.8)


def named(widget: Widget, series: dict[Metric, list[tuple[float, float]]]) -> list[Metric]:
    """Return the metrics that are drawn: all, or in a widget of many those with the largest sums."""
    largest = sorted(widget.metrics, key=lambda metric: -sum(value for _, value in series[metric]))
    return [metric for metric in widget.metrics if metric in largest[:MOST_NAMED]]


def points(series: list[tuple[float, float]]) -> tuple[list[str], list[float]]:
    return [clock(at) for at, _ in series], [value for _, value in series]


def clock(at: float) -> Any:
    return datetime.fromtimestamp(at, UTC)


def more(left_out: int) -> str | None:
    return f"and {left_out} functions" if left_out else None


def main() -> None:
    with moto_stack({"Dashboard": "on"}) as stack:
        draw(dashboard(stack), three_hours(stack))


if __name__ == "__main__":
    main()
