"""Which texts of a run may not be published: the forms of secrets and addresses, and the values that the run knows.

`text` gives each a stable name before a file is written, `search` looks for what it has missed.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

START, END = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
OCTET, GROUP = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)", r"[0-9A-Fa-f]{1,4}"
IS = r"[\"'\s:=\\]{1,8}"  # between a name and its value


@dataclass(frozen=True)
class Pattern:
    """`after`: what comes before such a value. Without it, a value begins where a word does."""

    kind: str
    value: str
    after: str = ""
    different: int = 0  # characters that a random text of this length has, and words have not


PATTERNS = (
    Pattern("queue", r"[\w/.-]+", after=r"sqs\.[\w-]+\.amazonaws\.com/"),
    Pattern("suffix", rf"[0-9A-Za-z]{{6}}{END}", after=r":secret:[\w/+=.@-]+-"),
    Pattern("request", r"[\w+/-]{12,}=*", after=rf"(?i:request_?id){IS}"),
    Pattern("id", rf"[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}{END}"),
    Pattern("token", rf"waitpoint_[0-9a-z]{{26}}{END}"),
    Pattern("bucket", rf"waitpoints-wp[0-9a-f]{{8}}-[0-9a-f]{{8}}{END}|[a-z0-9-]*bucket-[0-9a-z]{{8,}}{END}"),
    Pattern("account", rf"(?<!\d\.)(?!0{{12}})\d{{12}}{END}(?!\.\d)"),
    Pattern("api", r"[a-z0-9]{10}(?=\.execute-api\.)"),
    Pattern("api", rf"[a-z0-9]{{10}}{END}", after="/apis/"),
    Pattern("named-key", r"tr_[a-z]+_sk_[0-9A-Za-z]{20,}"),
    Pattern("callback-hash", r"[0-9A-Fa-f]{64}", after="/callback/"),
    Pattern("hash", rf"[0-9A-Fa-f]{{64,}}{END}"),
    Pattern("webhook-secret", r"whsec_[\w+/=-]{16,}"),
    Pattern("signed-link", r"[^&\s\"'<>\\]+", after=r"X-Amz-(?:Signature|Credential|Security-Token)="),
    Pattern("access-key", rf"A(?:KIA|SIA|IDA|ROA)[A-Z0-9]{{16,}}{END}"),
    Pattern("mail", r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    Pattern("ipv4", rf"(?<![\w.-])(?<!\w/)(?<!==)(?!127\.|0\.0\.0\.0){OCTET}(?:\.{OCTET}){{3}}(?!\.?[\w-])"),
    Pattern("ipv6", rf"(?<![\w:.])(?:{GROUP}:){{7}}{GROUP}(?![\w:])"),
    Pattern("ipv6", rf"(?<![\w:.])(?:{GROUP}:){{1,6}}(?::{GROUP}){{1,6}}(?![\w:])"),
    Pattern("task-token", r"[0-9A-Za-z][\w+/=.:-]{19,}", after=rf"(?i:task_?token){IS}"),
    Pattern("callback-id", r"[0-9A-Za-z+/]{20,}={0,2}", after=rf"(?i:callback_?id){IS}"),
    Pattern("callback-id", r"[0-9A-Za-z+/%]{20,}={0,2}", after="durable-execution-callbacks/"),
    Pattern("secret-key", r"[0-9A-Za-z+/]{40}", after=rf"(?i:secret_?access_?key){IS}"),
    Pattern("jwt", r"eyJ[\w-]{8,}(?:\.[\w-]*){2,4}"),
    Pattern("task-token", r"(?:AAAAK|AQC)[0-9A-Za-z+/]{95,}={0,2}"),
    Pattern("session", r"[\w-]{22,}\.[\w-]{43}(?![\w-])", different=30),
    Pattern("key", rf"(?:[0-9A-Za-z]{{48}}|[0-9A-Za-z]{{64}}){END}", different=24),
    Pattern("secret-key", r"(?<![\w+/.-])[0-9A-Za-z+/]{40}(?![\w+/=.-])", different=24),
    Pattern("long-base64", r"[0-9A-Za-z+/_-]{100,}={0,2}", different=40),
)
"""Those that only chance has come last: where they find too few different characters, the others have been tried."""

SHORTEST = 8  # characters of a known value: any shorter one is found everywhere
_ENCODED = re.compile(r"[0-9A-Za-z+/_-]{11,}")
_PIECE = re.compile(r"[^\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]{8,}")
_ESCAPE, _ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))"), str.maketrans("nrtbf", "\n\r\t\b\f")
_WHOLES = (re.compile(r"[^\s\"'<>]+"), re.compile(".+"), re.compile("(?s).+"))  # a word, a line, a text


@dataclass(frozen=True, order=True)
class Hit:
    file: str
    kind: str


@dataclass
class Redaction:
    """What a run knows, and the names that it gave. A name is the same in all files."""

    patterns: tuple[Pattern, ...] = PATTERNS
    known: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._compile()

    def know(self, value: str, kind: str) -> None:
        """Hide a value of any form. One below `SHORTEST` characters is not a secret, nor are twelve zeros."""
        if len(value) >= SHORTEST and len(set(value)) > 1 and value not in self.known:
            self.known[value] = kind
            self._compile()

    def text(self, text: str) -> str:
        """Return a text with names in place of what may not be published. A word, or line, that has such in a code goes."""
        for it in self.patterns if "api" in text else ():
            for api in re.findall(f"{it.after or START}({it.value})", text) if it.kind == "api" else ():
                self.know(api, "api")
        hidden, end = "", 0
        for start, until, kind in self._found(text):
            hidden += text[end:start] + self._name(text[start:until], kind)
            end = until
        hidden += text[end:]
        for whole in _WHOLES:
            if self._kinds(hidden):
                hidden = whole.sub(lambda part: "<hidden>" if self._kinds(part[0]) else part[0], hidden)
        return hidden

    def search(self, folder: Path) -> list[Hit]:
        """Return what a folder still has, in its files and in their names. A file that cannot be read as text is a hit, too."""
        hits = set()
        for path in folder.rglob("*"):
            name = str(path.relative_to(folder))
            kinds = self._kinds(name)
            try:
                kinds |= self._kinds(path.read_bytes().decode()) if path.is_file() else set()
            except UnicodeDecodeError:
                kinds |= {"not text"}
            hits |= {Hit(self.text(name), kind) for kind in kinds}
        return sorted(hits)

    def _compile(self) -> None:
        known = sorted(self.known, key=len, reverse=True)
        self._forms = {form: it for it in known for form in (it, json.dumps(it)[1:-1], quote(it, safe=""))}
        numbered = [(f"{it.after}(?P<v{number}>{it.value})", it.after) for number, it in enumerate(self.patterns)]
        words = "|".join(row for row, after in numbered if not after)
        forms = [f"(?P<known>{'|'.join(map(re.escape, self._forms))})"] if self._forms else []
        rows = [*forms, *(row for row, after in numbered if after), f"{START}(?:{words})"]
        self._all = re.compile("|".join(rows), re.ASCII)

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where values begin and end that may not be published, with their kinds, in one pass."""
        at = 0
        while found := self._all.search(text, at):
            group = found.lastgroup or ""
            pattern = None if group == "known" else self.patterns[int(group[1:])]
            if pattern and len(set(found[group])) < pattern.different:
                at = found.start() + 1
            else:
                yield *found.span(group), pattern.kind if pattern else self.known[self._forms[found[group]]]
                at = found.end()

    def _name(self, written: str, kind: str) -> str:
        value = self._forms.get(written, written)
        if value not in self.names:
            self.given[kind] += 1
            self.names[value] = f"<{kind}>" if self.given[kind] == 1 else f"<{kind}-{self.given[kind]}>"
        return self.names[value]

    def _kinds(self, text: str) -> set[str]:
        return {kind for view in _views(text) for _, _, kind in self._found(view)}


def _views(text: str) -> Iterator[str]:
    """A text as it is, without the escapes of JSON and URLs, up to three layers, and what base64 in each of these says."""
    for _ in range(4):
        yield text
        yield "\n".join(
            piece for run in _ENCODED.findall(text) for decoded in _decoded(run) for piece in _PIECE.findall(decoded)
        )
        lines = ((line, unquote(_ESCAPE.sub(_unescaped, line))) for line in text.split("\n") if "%" in line or "\\" in line)
        text = "\n".join(plain for line, plain in lines if plain != line)


def _decoded(run: str) -> Iterator[str]:
    """What a run of base64 says, which may begin with a few letters of something else."""
    for skipped in range(4):
        bits = run[skipped:].replace("-", "+").replace("_", "/")
        bits = bits[: len(bits) - (len(bits) % 4 == 1)]
        yield base64.b64decode(bits + "=" * (-len(bits) % 4)).decode("utf-8", "replace")


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else found[2].translate(_ESCAPED)
