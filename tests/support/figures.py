"""Figures that a run measured, printed when it ends."""

_figures: list[str] = []


def show(figure: str) -> None:
    _figures.append(figure)


def shown() -> list[str]:
    return list(_figures)
