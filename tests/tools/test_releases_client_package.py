"""The client's packages are tried on each Python that the client supports."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.release import client_package
from tools.stack import LOCAL, ROOT

UV = LOCAL / "uv" / "bin" / "uv"


def test_every_supported_python_is_looked_for() -> None:
    assert client_package.supported(ROOT) == ["3.10", "3.11", "3.12", "3.13", "3.14"]


@pytest.mark.slow  # it makes and installs packages
def test_the_packages_are_valid_the_same_each_time_and_work_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    wheels = []
    for folder in (one, other):
        folder.mkdir()
        wheels.append(client_package.build(UV, ROOT, folder))
    assert {file.name: file.read_bytes() for file in one.iterdir()} == {
        file.name: file.read_bytes() for file in other.iterdir()
    }
    assert len(list(one.iterdir())) == 2
    client_package.check(one)
    found = client_package.try_alone(UV, wheels[0], sys.executable)
    assert wheels[0].name == f"waitpoints_client-{found}-py3-none-any.whl"


@pytest.mark.slow  # it starts a process
def test_a_package_that_pypi_would_refuse_is_refused(tmp_path: Path) -> None:
    (tmp_path / "waitpoints_client-0.3.0-py3-none-any.whl").write_bytes(b"not a wheel")
    with pytest.raises(subprocess.CalledProcessError):
        client_package.check(tmp_path)
