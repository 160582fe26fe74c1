"""Documents that a test renders, kept in files. `WAITPOINTS_WRITE_GOLDEN=1 pytest …` writes them, and git shows the change."""

import os
from pathlib import Path


def check(file: Path, text: str) -> None:
    if os.environ.get("WAITPOINTS_WRITE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()
