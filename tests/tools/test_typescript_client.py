"""The TypeScript client on a fake fetch, its types and its package. tests/e2e/test_typescript_client.py has it on a stack."""

import tarfile
from pathlib import Path

import pytest

from tests.support import node, typescript_client
from tests.support.npm_packages import project_of
from tools import version
from tools.release import typescript_package
from tools.release.typescript_package import FOLDER
from tools.stack import ROOT

SUITES = sorted(path.name for path in (FOLDER / "tests").glob("*.test.mjs"))


@pytest.mark.slow  # it builds the client
@pytest.mark.parametrize("suite", SUITES)
def test_the_client(suite: str, subtests: pytest.Subtests) -> None:
    node.run_suite(subtests, typescript_client.client() / "tests" / suite)


def test_the_licence_is_the_project_s() -> None:
    assert all((FOLDER / name).read_bytes() == (ROOT / name).read_bytes() for name in ("LICENSE", "NOTICE"))


@pytest.mark.thorough  # it builds the client twice more
def test_two_packages_are_equal_and_have_what_a_user_needs(tmp_path: Path) -> None:
    packages = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        packages.append(typescript_package.build(tmp_path / name, "https://github.com/owner/name"))
    package, other = packages
    own_version = version.form_in(str(FOLDER.relative_to(ROOT) / "package.json"), version.read())
    assert package.name == f"waitpoints-client-{own_version}.tgz"
    assert package.read_bytes() == other.read_bytes()
    assert project_of(package)["repository"]["url"] == "git+https://github.com/owner/name.git"
    assert typescript_package.try_alone(package) == own_version
    with tarfile.open(package) as packed:
        names = {name.removeprefix("package/") for name in packed.getnames()}
    modules = {path.stem for path in (FOLDER / "src").glob("*.ts")} | {"api"}
    kinds = ("js", "d.ts")
    assert names == {*typescript_package.BESIDE, *(f"dist/{module}.{kind}" for module in modules for kind in kinds)}
