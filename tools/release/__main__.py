"""`make release VERSION=…`: make what a release consists of, in dist/VERSION.

The same tree makes the same bytes anywhere. With `REPOSITORY=…`, the URL of a repository, npm's packages name it.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import checkout, zip_file
from tools.release import archive, bill, cdk_package, checksums, client_package, local_package, npm_package, typescript_package
from tools.release.version import WrongVersion, check
from tools.stack import LOCAL, ROOT
from waitpoints_local.stack import LocalError

UV = LOCAL / "uv" / "bin" / "uv"


@dataclass(frozen=True)
class Packages:
    client: Path
    local: Path
    typescript: Path
    construct: Path


def make(version: str, folder: Path, repository: str = "") -> Packages:
    """Fill an empty folder. Raises LocalError without Node.js, CalledProcessError if something cannot be built."""
    with tempfile.TemporaryDirectory() as scratch:
        print("The functions' code", flush=True)
        code = checkout.code()
        layers: dict[str, bytes] = {}
        for architecture in archive.ARCHITECTURES:
            print(f"The archive for {architecture}", flush=True)
            built = archive.build(architecture, Path(scratch) / architecture)
            own = archive.layers_of(built)
            layers |= {f"{architecture}/{name}": layer for name, layer in own.items()}
            content = archive.content_of(version, architecture, code, own, built)
            (folder / f"{archive.stem(version, architecture)}.zip").write_bytes(zip_file.packed(content))
    for layer in bill.LAYERS:
        (folder / f"waitpoints-{version}-{layer}.cdx.json").write_text(bill.bill(UV, ROOT, layer))
    print("The packages", flush=True)
    packages = Packages(
        client_package.build(UV, ROOT, folder),
        local_package.build(UV, code, folder),
        typescript_package.build(folder, repository),
        cdk_package.build(code, layers, folder, repository),
    )
    client_package.check(folder)
    checksums.write(folder)
    return packages


def try_alone(packages: Packages) -> None:
    """Install each package without the others, and use it. Raises CalledProcessError if one is not as it should be."""
    for version in client_package.supported(ROOT):
        python = client_package.interpreter(version)
        says = client_package.try_alone(UV, packages.client, python) if python else "is not on this machine"
        print(f"  The client on Python {version}: {says}", flush=True)
    print(f"  The local stack served {local_package.try_alone(UV, packages.local)}", flush=True)
    print(f"  The TypeScript client says that it is {typescript_package.try_alone(packages.typescript)}", flush=True)
    print(f"  The construct for CDK synthesised {cdk_package.try_alone(packages.construct)} resources", flush=True)


def main(arguments: Sequence[str]) -> int:
    version, repository = [*arguments, ""][:2]
    folder, unfinished = ROOT / "dist" / version, ROOT / "dist" / "unfinished"
    try:
        check(version, ROOT)
        npm_package.check_repository(repository)
        for old in (unfinished, folder):
            shutil.rmtree(old, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try_alone(make(version, unfinished, repository))
        unfinished.rename(folder)
    except (LocalError, WrongVersion) as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    print(f"{folder.relative_to(ROOT)}:", *sorted(file.name for file in folder.iterdir()), sep="\n  ")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
