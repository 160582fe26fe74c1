"""What a run measured, shown when it ends: a figure that nobody sees proves nothing."""

_figures: list[str] = []


def show(figure: str) -> None:
    _figures.append(figure)


def shown() -> list[str]:
    return list(_figures)
