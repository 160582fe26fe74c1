"""A release has the version of its tree."""

from pathlib import Path

from tools import version as of_tree


class WrongVersion(Exception):
    """The tree has another version. The message says which, and what to run."""


def check(version: str, root: Path) -> None:
    """Raise WrongVersion unless the whole tree has this version."""
    named = of_tree.read(root)
    if not version:
        raise WrongVersion(f"VERSION is missing: give the version of this tree, VERSION={named}")
    if version != named or of_tree.differing(root):
        found = ", ".join([named, *(f"{there} in {path}" for path, there in of_tree.differing(root).items())])
        raise WrongVersion(
            f"VERSION={version} is not the version of this tree, {found}: run `make version VERSION={version}`, and commit"
        )
