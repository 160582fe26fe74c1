"""The Python lines of the package's README run as they are written, one after the other, on the fake.

What it does not do, `tests/client_and_stack/test_client_readme.py` runs on the handlers.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from waitpoints_client.testing import FakeWaitpoints

README = (Path(__file__).parent.parent / "README.md").read_text()
SNIPPETS = re.findall(r"<!-- snippet: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL)


def test_every_snippet_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeWaitpoints()
    monkeypatch.setenv("WAITPOINTS_URL", fake.url)
    monkeypatch.setenv("WAITPOINTS_API_KEY", fake.api_key)
    for transport in ("HTTPTransport", "AsyncHTTPTransport"):
        monkeypatch.setattr(f"httpx._client.{transport}", lambda **_: fake)
    names: dict[str, Any] = {}
    for name, lines in SNIPPETS:
        if name == "more":
            continue
        exec(compile(lines, f"README, {name}", "exec"), names)  # noqa: S102

    printed = capsys.readouterr().out
    assert README.count("```python") == len(SNIPPETS)
    assert "COMPLETED True {'approved': True} source='complete'" in printed
    assert "completed with {'approved': True}" in printed
    assert "Ok(output='done')" in printed
