"""The TypeScript client, built once for all tests that use it."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import node
from tests.support.programs import printed
from tools.release.typescript_package import FOLDER, SOURCES, built
from tools.stack import LOCAL, LOCKS, ROOT
from waitpoints_local.turns import one_at_a_time

COPY = LOCAL / "typescript"
VECTORS = Path("clients") / "python" / "tests" / "digest_vectors.json"


def client() -> Path:
    """Return the folder of the client, built of the files as they are now."""
    node.node(FOLDER)
    sources = [file for name in SOURCES for file in (FOLDER / name).rglob("*.*") if file.name != "api.ts"]
    sources += [*FOLDER.glob("*.json"), ROOT / "openapi.yaml", ROOT / VECTORS]
    now = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources))).hexdigest()
    with one_at_a_time(LOCKS / "typescript"):
        mark = COPY / "built"
        if not mark.exists() or mark.read_text() != now:
            COPY.mkdir(parents=True, exist_ok=True)
            built(COPY)
            (COPY / VECTORS).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / VECTORS, COPY / VECTORS)
            mark.write_text(now)
    return COPY / FOLDER.relative_to(ROOT)


def compile_programs(folder: Path, programs: Mapping[str, str], options: Sequence[str]) -> None:
    """Write programs, and compile them, as in a project that has the client and Node.js's types."""
    program, packages = node.node(FOLDER), folder / "node_modules"
    (packages / "@types").mkdir(parents=True)
    (packages / "waitpoints-client").symlink_to(client())
    (packages / "@types" / "node").symlink_to(FOLDER / "node_modules" / "@types" / "node")
    for name, text in programs.items():
        (folder / name).write_text(text)
    options = (*options, "--skipDefaultLibCheck")  # TypeScript's own declarations are not the client's
    command = [program, str(FOLDER / "node_modules" / "typescript" / "bin" / "tsc"), *options, *programs]
    printed(command, folder)
