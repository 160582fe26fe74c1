"""`make release VERSION=…`: make what a release consists of, in dist/VERSION. The same tree makes the same bytes anywhere."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools import checkout, zip_file
from tools.release import archive, bill, cdk_package, checksums, client_package, local_package, typescript_package
from tools.release.version import WrongVersion, check
from tools.stack import LOCAL, ROOT
from waitpoints_local.stack import LocalError

UV = LOCAL / "uv" / "bin" / "uv"


def make(version: str, folder: Path) -> None:
    """Fill an empty folder."""
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
    make_client(folder)
    make_local(code, folder)
    make_typescript_client(folder)
    make_construct(code, layers, folder)
    checksums.write(folder)


def make_client(folder: Path) -> None:
    """Raises CalledProcessError if one of the client's packages is not as it should be."""
    print("The client", flush=True)
    wheel = client_package.build(UV, ROOT, folder)
    client_package.check(folder)
    for version in client_package.supported(ROOT):
        python = client_package.interpreter(version)
        tried = f"installs alone, {client_package.try_alone(UV, wheel, python)}" if python else "is not on this machine"
        print(f"  Python {version} {tried}", flush=True)


def make_local(code: Mapping[str, bytes], folder: Path) -> None:
    """Raises CalledProcessError if the package does not serve the stack that it brings."""
    print("The local stack", flush=True)
    wheel = local_package.build(UV, code, folder)
    client_package.check(folder)
    print(f"  installs alone, and served {local_package.try_alone(UV, wheel)}", flush=True)


def make_typescript_client(folder: Path) -> None:
    """Raises LocalError without Node.js, or if the package cannot be compiled."""
    print("The TypeScript client", flush=True)
    package = typescript_package.build(folder)
    print(f"  installs alone, {typescript_package.try_alone(package)}", flush=True)


def make_construct(code: Mapping[str, bytes], layers: Mapping[str, bytes], folder: Path) -> None:
    """Raises LocalError without Node.js, CalledProcessError if the package cannot be compiled or used."""
    print("The construct for CDK", flush=True)
    package = cdk_package.build(code, layers, folder)
    print(f"  installs alone, and synthesised {cdk_package.try_alone(package)} resources", flush=True)


def main(arguments: Sequence[str]) -> int:
    version = arguments[0]
    folder, unfinished = ROOT / "dist" / version, ROOT / "dist" / "unfinished"
    try:
        check(version, ROOT)
        for old in (unfinished, folder):
            shutil.rmtree(old, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(version, unfinished)
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
