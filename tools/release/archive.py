"""An archive of the stack for one architecture: `sam deploy` in its folder needs no build, so no Python, pip or make.

All functions have the same code, and the console its files in addition. So the archive has two zip files of code and one of
each layer, all of which the template names. It allows its own architecture only, because the layers' libraries are machine
code. CloudFormation refuses another one before it changes anything:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html, AllowedValues
"""

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

from tools import checkout, version, zip_file
from tools.deploy import GRADUAL, gradual
from tools.release import terraform
from tools.stack import LOCKS, ROOT, sam
from waitpoints_local.turns import one_at_a_time

ARCHITECTURES = ("arm64", "x86_64")
LAYERS = ("DependencyLayer", "PublicKeyLayer", "TracingLayer")
BESIDE = ("LICENSE", "NOTICE", "CHANGELOG.md")

_PARAMETER = """  Architecture:
    Description: The instruction set of the libraries in this archive
    Type: String
    Default: {0}
    AllowedValues: [{0}]
"""
_MARK = " # if you change only parameters, change this text, too: without a new one, no new version goes live"


def content_of(
    version: str, architecture: str, code: Mapping[str, bytes], layers: Mapping[str, bytes], built: Path
) -> dict[str, bytes]:
    """Return the content of an archive, of the zip files of `checkout.code` and `layers_of`, and of what `build` returned."""
    template = deployable((built / "template.yaml").read_text())
    definitions = {
        path: (ROOT / path).read_bytes()
        for path in re.findall(r"DefinitionUri: (examples/statemachines/\S+)$", template, re.MULTILINE)
    }
    texts = {
        "template.yaml": template,
        "gradual.yaml": gradual(template, GRADUAL["prod"], f"{version!r}{_MARK}"),
        "main.tf": terraform.configuration(yaml_parse(template)["Parameters"]),
        "samconfig.toml": configuration((ROOT / "samconfig.toml").read_text()),
        "README.md": (Path(__file__).parent / "archive.md").read_text().format(version=version, architecture=architecture),
    }
    beside = {name: (ROOT / name).read_bytes() for name in BESIDE}
    found = {name: text.encode() for name, text in texts.items()} | {**code, **layers, **definitions, **beside}
    return {f"{stem(version, architecture)}/{path}": content for path, content in found.items()}


def layers_of(built: Path) -> dict[str, bytes]:
    """Return the zip file of each layer, of what `build` returned."""
    return {f"{layer}.zip": zip_file.packed(zip_file.files_of(built / layer)) for layer in LAYERS}


def stem(version: str, architecture: str) -> str:
    return f"waitpoints-{version}-{architecture}"


def build(architecture: str, folder: Path) -> Path:
    """Let SAM build the layers and the template for one architecture. Returns the folder with both."""
    copy = ROOT / f"release-{architecture}.yaml"  # beside template.yaml, whose paths are relative
    copy.write_text(buildable((ROOT / "template.yaml").read_text(), architecture))
    folder.mkdir()
    try:
        sam("build", "--no-cached", "--template-file", str(copy), folder=folder)
    finally:
        copy.unlink()
    return folder / "build"


def buildable(template: str, architecture: str) -> str:
    """Return the template of one architecture, with code that is built already: `sam build` skips zip files."""
    template = _once(r"^  Architecture:\n(?:    .*\n)+", _PARAMETER.format(architecture), template)
    return _once(r"^    CodeUri: functions/$", "    CodeUri: functions.zip", template)


def deployable(built: str) -> str:
    """Return a built template with paths that are right in the archive."""
    for layer in LAYERS:
        built = _once(rf"^      ContentUri: {layer}$", f"      ContentUri: {layer}.zip", built)
    built = _once(r"^      Handler: show_console.handler$", r"\g<0>\n      CodeUri: console.zip", built)
    return _once(r"^      DefinitionUri: \S*(examples/statemachines/\S+)$", r"      DefinitionUri: \1", built)


def _once(pattern: str, replacement: str, text: str) -> str:
    changed, times = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert times == 1, f"the template has {pattern!r} {times} times"
    return changed


def configuration(samconfig: str) -> str:
    """Return samconfig.toml for what is built: without comments on building, and prod with its gradual template."""
    text = re.sub(r"^#.*\n", "", samconfig, flags=re.MULTILINE)
    kept = [it for it in text.strip().split("\n\n") if not re.match(r"\[(\w+\.build|local\.\w+)\.parameters\]", it)]
    gradually = 'template_file = "gradual.yaml"\n'
    return _once(r"^\[prod\.deploy\.parameters\]\n", rf"\g<0>{gradually}", "\n\n".join(kept) + "\n")


def main(architecture: str, folder: str) -> None:
    """Make the content of this tree's archive in a folder, without the zip file around it."""
    with one_at_a_time(LOCKS / "archive"), tempfile.TemporaryDirectory() as scratch:
        built = build(architecture, Path(scratch) / architecture)
        content = content_of(version.read(), architecture, checkout.code(), layers_of(built), built)
    for path, it in content.items():
        file = Path(folder, *Path(path).parts[1:])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(it)


if __name__ == "__main__":
    main(*sys.argv[1:])
