"""A copy of the tree that may be changed: its tests run its own code, and the checkout stays as it is.

Python's environments come along as links to the checkout's packages. Only what names the checkout is written anew, above all
where the Python client is.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".local", ".aws-sam", "node_modules", "__pycache__", ".hypothesis", ".*_cache", ".coverage"
)


@contextmanager
def working_copy(checkout: Path) -> Iterator[Path]:
    with TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(checkout, copy, ignore=_LEFT_OUT)
        if (modules := checkout / "tests" / "node_modules").exists():
            (copy / "tests" / "node_modules").symlink_to(modules)
        for name in (".venv", ".local"):
            if (checkout / name).is_dir():
                _link(checkout / name, copy / name, checkout, copy)
        git = ["git", "-C", str(checkout), "rev-parse", "--absolute-git-dir"]
        history = subprocess.run(git, capture_output=True, text=True, check=False)
        if history.returncode == 0:  # some tests read an older version
            (copy / ".git").write_text(f"gitdir: {history.stdout}")
        yield copy


def _link(source: Path, target: Path, checkout: Path, copy: Path) -> None:
    """Link to what is in a folder of environments. Folders are made for what has to be written anew."""
    target.mkdir()
    for one in source.iterdir():
        there = target / one.name
        if (one / "pyvenv.cfg").exists() or (one.is_dir() and one.name in ("bin", "lib", "python3.13", "site-packages")):
            _link(one, there, checkout, copy)
        elif one.suffix == ".pth" or (source.name == "bin" and _is_script(one)):
            there.write_text(one.read_text().replace(str(checkout), str(copy)))
            there.chmod(one.stat().st_mode)
        else:
            there.symlink_to(one.resolve() if one.is_symlink() and source.name != "bin" else one)


def _is_script(file: Path) -> bool:
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"
