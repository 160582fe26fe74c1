"""Draw plots as SVG into docs/images/. Each looks the same and is the same file for the same figures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from benchmarks.figures import DOCS

mpl.use("svg")
from matplotlib import pyplot as plt

STYLE = {
    "svg.hashsalt": "waitpoints",
    "svg.fonttype": "none",  # texts stay texts
    "font.family": "sans-serif",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "figure.figsize": (8, 4),
    "figure.facecolor": "white",  # readable on a dark page, too
}


@contextmanager
def plot(name: str) -> Iterator[Any]:
    """Yield the axes of docs/images/NAME.svg, which is written at the end."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(layout="constrained")
        yield axes
        figure.savefig(DOCS / "images" / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
