"""A page as a browser sees it: its text, its forms' fields as they would be sent, its buttons and links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

_VOID = {"br", "input", "link", "meta"}
Attributes = dict[str, str | None]


@dataclass
class HtmlPage(HTMLParser):
    """`fields` are the names and texts that a submit sends, `buttons` the name and value of each button by its label.

    `texts` are the parts of `text` between two tags.
    """

    html: str
    language: str = ""
    title: str = ""
    text: str = ""
    texts: list[str] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    tags: list[tuple[str, Attributes]] = field(default_factory=list)
    open: list[tuple[str, Attributes]] = field(default_factory=list)
    _value: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in _VOID:
            self.open.append((tag, attributes))
        if tag in ("button", "textarea"):
            self._value = ""
        name, value = attributes.get("name") or "", attributes.get("value") or ""
        is_chosen = attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes
        if tag == "input" and is_chosen:
            self.fields.append((name, value))
        if tag == "option" and "selected" in attributes:
            self.fields.append((self._select(), value))
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        if tag == "html":
            self.language = attributes.get("lang") or ""

    def handle_endtag(self, tag: str) -> None:
        opened, attributes = self.open.pop()
        assert opened == tag, f"{opened} is closed by {tag}"
        if tag == "textarea":
            self.fields.append((attributes["name"] or "", self._value.removeprefix("\n")))
        if tag == "button" and "disabled" not in attributes:
            self.buttons[self._value] = (attributes.get("name") or "", attributes.get("value") or "")

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self.open]
        if "title" in inside:
            self.title += data
        elif "style" not in inside:
            self.text += data
            self.texts.append(data)
            self._value += data

    def press(self, label: str) -> bytes:
        """The body that a browser posts when this button is pressed."""
        return urlencode([*self.fields, self.buttons[label]]).encode()

    def _select(self) -> str:
        return next(attributes["name"] or "" for tag, attributes in reversed(self.open) if tag == "select")
