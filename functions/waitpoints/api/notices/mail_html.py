"""A content as HTML that mail clients show as it is meant.

They differ in what they know of CSS, so the layout is tables and the styles are inline (Outlook for Windows renders with Word:
no `max-width`, no padding of links). The style sheet only adds the dark colours and small screens, where it is known.
"""

from waitpoints.api.notices.mail_content import MailContent
from waitpoints.api.notices.summary import FactLine, Person
from waitpoints.api.page import theme
from waitpoints.api.page.markup import Child, Element, Fragment, Markup
from waitpoints.api.page.palette import DARK, LIGHT

MAX_BYTES = 70_000  # in base64 95 KB: Gmail shows the first 102 KB of a mail

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_WRAP = "overflow-wrap:anywhere;word-break:break-word"
_OUTLOOK = (
    Markup('<!--[if mso]><table role="presentation" width="600" cellpadding="0" cellspacing="0"><tr><td><![endif]-->'),
    Markup("<!--[if mso]></td></tr></table><![endif]-->"),
)


def document(content: MailContent, color: str) -> str:
    """Return the whole document. `color` is the brand's, `#rrggbb`."""
    head = Element(
        "head",
        Element("meta", charset="utf-8"),
        Element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Element("meta", name="color-scheme", content="light dark"),
        Element("meta", name="supported-color-schemes", content="light dark"),
        Element("title", content.subject),
        Element("style", Markup(_sheet(color))),
    )
    card = _table(_row(_content(content, color), "inside", "padding:32px"), "card", _CARD)
    around = _row(Fragment(_OUTLOOK[0], card, _OUTLOOK[1]), "page", "padding:24px 12px", align="center")
    main = Element("div", _table(around, "page", f"background-color:{LIGHT['page']}"), role="main", lang=content.language)
    body = Element("body", main, class_="page", style=f"margin:0;padding:0;background-color:{LIGHT['page']}")
    return "<!doctype html>" + Element("html", head, body, lang=content.language)


_CARD = (
    f"max-width:600px;table-layout:fixed;background-color:{LIGHT['card']};border:1px solid {LIGHT['line']};border-radius:14px"
)


def fits(content: MailContent, color: str) -> bool:
    return len(document(content, color).encode()) <= MAX_BYTES


def _sheet(color: str) -> str:
    """Return the style sheet. `!important`, because it stands against inline styles."""
    colors = "".join(f".{name}{{color:{DARK[name]}!important}}" for name in ("text", "muted", "link"))
    backs = "".join(f".{name}{{background-color:{DARK[name]}!important}}" for name in ("page", "card"))
    edges = f".card,.line{{border-color:{DARK['line']}!important}}.quiet{{background-color:{DARK['quiet']}!important}}"
    button = f".button{{border-color:{theme.edges(color)[1]}!important}}"
    dark = f"@media (prefers-color-scheme:dark){{{colors}{backs}{edges}{button}}}"
    return f":root{{color-scheme:light dark}}{dark}@media (max-width:480px){{.inside{{padding:24px 20px!important}}}}"


def _content(content: MailContent, color: str) -> Markup:
    facts = [fact for fact in (content.requested_by, content.until) if fact]
    return Fragment(
        _paragraph(content.brand, "text", "font-weight:600") if content.brand else None,
        _note(_lines(content.note)) if content.note else None,
        Element("h1", content.title, dir="auto", class_="text", style=_text("text", "font-size:24px;line-height:1.3")),
        _paragraph(_lines(content.text), "text") if content.text else None,
        _paragraph(content["shortened"], "muted") if content.is_shortened else None,
        _facts(content) if content.facts else None,
        [_paragraph(_link(label, url), "text") for label, url in content.links],
        _paragraph(_lines("\n".join(facts)), "muted") if facts else None,
        _answer(content, color, content.link) if content.link else None,
        _note(content.warning) if content.warning else None,
        _progress(content) if content.people else None,
        _paragraph(content["no_reply"], "muted", "font-size:14px;margin:0") if content.warning else None,
    )


def _facts(content: MailContent) -> Markup:
    return _table([_fact(fact) for fact in content.facts], "line", "margin:0 0 24px")


def _fact(fact: FactLine) -> Markup:
    edge = f"padding:10px 0;border-top:1px solid {LIGHT['line']}"
    heading = Element("h2", fact.title, dir="auto", class_="text", style=_text("text", "font-size:18px;margin:8px 0"))
    label = Element("div", fact.label, dir="auto", class_="muted", style=f"color:{LIGHT['muted']};font-size:14px")
    value = Element("div", _link(fact.value, fact.url) if fact.url else _lines(fact.value), dir="auto")
    row = Element("tr", Element("td", label, value, class_="line text", style=_text("text", edge)))
    return Fragment(Element("tr", Element("td", heading)) if fact.title else None, row)


def _answer(content: MailContent, color: str, link: str) -> Markup:
    """The button, which is a cell of a table, so that it has its size in every client; and the link itself."""
    written = (
        f"color:{theme.on_brand(color)};font:600 16px/1.5 {_FONT};text-decoration:none;display:inline-block;padding:12px 24px"
    )
    button = Element("a", content["open"], href=link, target="_blank", rel="noopener noreferrer", style=written)
    shape = f"background-color:{color};border:1px solid {theme.edges(color)[0]};border-radius:8px;mso-padding-alt:12px 24px"
    cell = Element("tr", Element("td", button, class_="button", bgcolor=color, align="center", style=shape))
    table = Element("table", cell, role="presentation", cellpadding=0, cellspacing=0, border=0, style="margin:24px 0 16px")
    again = Fragment(content["by_link"], Markup("<br>"), _link(link, link))
    return Fragment(table, _paragraph(again, "muted", "font-size:14px"))


def _progress(content: MailContent) -> Markup:
    heading = Element("h2", content.people_heading, class_="text", style=_text("text", "font-size:18px;line-height:1.4"))
    needed = [_paragraph(sentence, "text", "margin:0 0 8px") for sentence in content.needed]
    return Fragment(heading, needed, _table([_person(person) for person in content.people], "line", "margin:16px 0 24px"))


def _person(person: Person) -> Markup:
    edge = f"padding:10px 0;border-top:1px solid {LIGHT['line']}"
    who = Element("td", Element("bdi", person.name), class_="line text", style=_text("text", f"{edge};font-weight:600"))
    said = Element("bdi", person.said)
    what = Element("td", said, class_="line muted", align="right", style=_text("muted", f"{edge};padding-left:16px"))
    listed = [
        Element(
            "div", Element("bdi", title), person.colon, Element("bdi", _lines(text)), style="margin-left:16px;text-indent:-16px"
        )
        for title, text in person.entered
    ]
    entered = Element("tr", Element("td", listed, colspan=2, class_="text", style=_text("text", "padding:0 0 10px")))
    return Fragment(Element("tr", who, what), entered if listed else None)


def _note(text: Child) -> Markup:
    shape = f"padding:12px 16px;border-radius:8px;background-color:{LIGHT['quiet']}"
    return Element("p", text, dir="auto", class_="quiet text", style=_text("text", shape))


def _paragraph(content: Child, kind: str, more: str = "") -> Markup:
    return Element("p", content, dir="auto", class_=kind, style=_text(kind, more))


def _text(kind: str, more: str) -> str:
    own = f"margin:0 0 16px;color:{LIGHT[kind]};font-family:{_FONT};font-size:16px;line-height:1.55;{_WRAP}"
    return f"{own};{more}" if more else own


def _link(label: str, url: str) -> Markup:
    written = f"color:{LIGHT['link']};{_WRAP}"
    return Element("a", label, href=url, target="_blank", rel="noopener noreferrer", class_="link", style=written)


def _lines(text: str) -> Markup:
    """The lines of a text, as `white-space` would keep them. Not every client knows it."""
    first, *others = text.split("\n")
    return Fragment(first, *((Markup("<br>"), line) for line in others))


def _table(rows: Child, kind: str, written: str) -> Markup:
    return Element(
        "table", rows, role="presentation", width="100%", cellpadding=0, cellspacing=0, border=0, class_=kind, style=written
    )


def _row(content: Markup, kind: str, written: str, **attributes: str) -> Markup:
    return Element("tr", Element("td", content, class_=kind, style=written, **attributes))
