"""The colours that pages, mails and the console share, by their names as CSS variables. The console's style sheet repeats them.

A text has a contrast of 4.5 on what it stands on, an edge of a control one of 3 (WCAG 2.2): see the test.
"""

LIGHT = {
    "page": "#f4f5f8",
    "card": "#ffffff",
    "text": "#181b22",
    "muted": "#586070",
    "line": "#e2e5ea",
    "edge": "#7f8795",
    "field": "#ffffff",
    "quiet": "#f4f5f8",
    "link": "#0b57c9",
    "danger": "#b3261e",
    "danger-soft": "#fdf0ef",
    "on-danger": "#ffffff",
    "good": "#146c3a",
    "good-soft": "#e4f5eb",
}
DARK = {
    "page": "#0e1014",
    "card": "#171a20",
    "text": "#eceef2",
    "muted": "#a7aebb",
    "line": "#2b303a",
    "edge": "#7d8695",
    "field": "#11141a",
    "quiet": "#21252d",
    "link": "#8db8ff",
    "danger": "#ffa097",
    "danger-soft": "#341c1b",
    "on-danger": "#181b22",
    "good": "#76d9a2",
    "good-soft": "#15301f",
}


def variables(colors: dict[str, str]) -> str:
    """Return them as declarations of CSS variables."""
    return "".join(f"--{name}:{color};" for name, color in colors.items())
