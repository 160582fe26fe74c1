"""The language and brand of pages: their sentences, and one style sheet, in which a text on the brand's colour is readable."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from waitpoints.api.page import words
from waitpoints.api.page.markup import Element, Markup, escaped
from waitpoints.api.page.palette import DARK, LIGHT, variables
from waitpoints.api.page.progress import Part, Sentence, written


def isolated(text: str) -> Markup:
    """Return a caller's text within the page's own: its direction changes nothing around it."""
    return Element("bdi", text)


def strong(text: str) -> Markup:
    return Element("strong", isolated(text))


@dataclass(frozen=True, slots=True)
class Theme:
    """The page's language, one of `words.WORDS`, and the stack's brand. `color` is `#rrggbb`; `name` may be empty."""

    language: str = words.DEFAULT
    name: str = ""
    color: str = "#2457d6"

    def __getitem__(self, word: str) -> str:
        return words.WORDS[self.language][word]

    def sentence(self, word: str, show: Callable[[str], Markup] = strong, **parts: Part) -> Markup:
        return self.written(Sentence(word, parts), show)

    def written(self, part: Part, show: Callable[[str], Markup] = strong) -> Markup:
        """Return a part as HTML. `show` writes what a caller wrote."""
        return Markup(written(part, lambda word: escaped(self[word]), show))

    def time(self, at: datetime) -> Markup:
        machine = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return Element("time", words.time(self.language, at), datetime=machine)

    @property
    def colon(self) -> str:
        return words.colon(self.language)

    @property
    def decimal(self) -> str:
        return words.decimal(self.language)


_VISIBLE = 3.0  # the contrast that WCAG asks of a control's edge

_SHEET = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);overflow-wrap:anywhere;
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",sans-serif}
header,main{max-width:40rem;margin:0 auto}
header{padding:2.5rem .25rem 1rem;font-weight:600}
main{padding:2.5rem;background:var(--card);border:1px solid var(--line);border-radius:.875rem;margin-bottom:3rem;
box-shadow:0 1px 2px #0000000a,0 12px 32px -12px #00000014}
body>main:first-child{margin-top:3rem}
h1{margin:0;font-size:1.625rem;line-height:1.25;font-weight:650;letter-spacing:-.011em}
h2{margin:0 0 .5rem;font-size:1.125rem;line-height:1.35;font-weight:650}
p{margin:0}
h1~*{margin-top:1.25rem}
.text,.hint{white-space:pre-wrap}
.error,.summary a{white-space:pre-line}
.muted,.hint,.context{color:var(--muted)}
.hint{font-size:.9375rem}
.context{margin-bottom:1rem;font-weight:500}
.icon{display:block;width:3rem;height:3rem;margin-bottom:1.25rem;color:var(--muted)}
.icon.good{color:var(--good)}
a{color:var(--link);text-underline-offset:.2em;text-decoration-thickness:1px}
a:hover{text-decoration-thickness:2px}
.links,.facts{margin-bottom:0;padding:0;list-style:none}
h1~.facts{margin-top:.75rem;color:var(--muted);font-size:.9375rem}
.links li+li,.people li+li{margin-top:.25rem}
.links a{display:inline-block;padding:.125rem 0;text-decoration-line:none}
.links bdi{text-decoration:inherit;text-decoration-line:underline}
a svg{width:.75em;height:.75em;fill:none;stroke:currentColor;stroke-width:1.5}
form{padding-top:1.75rem;border-top:1px solid var(--line)}
h1~form{margin-top:1.75rem}
.field{margin:0 0 1.5rem;padding:0;border:0;min-width:0}
.field>label,legend{display:block;padding:0;margin-bottom:.375rem;font-weight:600}
.field .hint,.field .error{margin-bottom:.5rem}
legend{float:left;width:100%}
legend+*{clear:both}
.optional{font-weight:400;color:var(--muted)}
input,select,textarea{font:inherit;color:inherit;accent-color:var(--accent)}
.control{display:block;width:100%;min-height:2.875rem;padding:.625rem .75rem;background:var(--field);color:var(--text);
border:1px solid var(--edge);border-radius:.5rem}
textarea.control{min-height:7.5rem;resize:vertical}
.short{max-width:16rem}
.choice{display:flex;gap:.75rem;align-items:flex-start;padding:.4375rem 0}
.choice input{flex:none;width:1.375rem;height:1.375rem;margin:.0625rem 0 0}
.choice label{flex:1}
.box .hint,.box .error{margin-left:2.125rem}
.box .choice label{font-weight:600}
.invalid{padding-left:1rem;border-left:4px solid var(--danger)}
.invalid .control{border-color:var(--danger);box-shadow:0 0 0 1px var(--danger)}
.error{color:var(--danger);font-weight:600}
.summary{padding:1.125rem 1.25rem;background:var(--danger-soft);border:1px solid var(--danger);border-radius:.625rem;
margin-bottom:1.75rem}
.summary ul{margin:0;padding-left:1.25rem}
.summary a{color:var(--danger)}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem}
form.buttons{align-items:baseline}
.field+.buttons{margin-top:2rem}
button,.go{flex:0 1 auto;min-width:8rem;min-height:2.875rem;padding:.625rem 1.25rem;font:inherit;font-weight:600;
cursor:pointer;color:var(--text);background:var(--card);border:1px solid var(--edge);border-radius:.5rem;text-align:center}
button:hover{background:var(--quiet)}
.primary{color:var(--on-brand);background:var(--brand);border-color:var(--button-edge)}
button.danger{color:var(--danger);border-color:var(--danger)}
button.danger:hover{background:var(--danger-soft)}
button.danger.full{color:var(--on-danger);background:var(--danger)}
.primary:hover,button.full:hover{box-shadow:inset 0 0 0 99rem #80808026}
:focus-visible{outline:3px solid var(--text);outline-offset:2px}
.go{text-decoration:none}
.note{padding:.875rem 1.125rem;background:var(--quiet);border-radius:.625rem}
.note h2{margin-bottom:.25rem;font-size:1rem}
dl~form,.note~form,.people~form{border-top:0;padding-top:0}
.people{padding-top:1.75rem;border-top:1px solid var(--line)}
h1~.people{margin-top:2rem}
.people ul{margin:0;padding:0;list-style:none}
.entered li{padding:0 1rem;text-indent:-1rem}
.people dl{margin-top:1.25rem}
.people h2+dl{margin-top:.75rem}
.people dl div,.people dd{display:flex;flex-wrap:wrap;gap:0 .75rem;align-items:baseline}
.people dd{margin:0}
.entered{flex:1 0 100%}
.people dt{flex:1 1 12rem;min-width:0;color:inherit;font-size:inherit;overflow:hidden}
.people dt bdi{font-weight:600}
.people small{color:var(--muted);font-size:.875rem;line-height:1.75}
dl{margin-bottom:0;border-top:1px solid var(--line)}
dl div{padding:.75rem 0;border-bottom:1px solid var(--line)}
dt{color:var(--muted);font-size:.9375rem}
dd{margin:.125rem 0 0;white-space:pre-wrap}
@media (prefers-color-scheme:dark){main{box-shadow:none}}
@media (max-width:34rem){body{background:var(--card)}header{padding:1.25rem 1.25rem 0}main{padding:1.5rem 1.25rem 2.5rem;
margin:0;border:0;border-radius:0;box-shadow:none}body>main:first-child{margin-top:0}.buttons{flex-direction:column}
button,.go{width:100%}h1{font-size:1.4375rem}}
@media print{body{background:none}main{border:0;box-shadow:none}.buttons{display:none}}
"""


SCRIPT = (
    'for(const t of document.querySelectorAll("time"))try{const s=new Intl.DateTimeFormat(document.documentElement.lang.replace'
    '("en","en-GB"),{year:"numeric",month:"long",day:"numeric",hour:"2-digit",minute:"2-digit",hourCycle:"h23",'
    'timeZoneName:"short"}).format(new Date(t.dateTime));t.title=t.textContent;t.textContent=s}catch{}'
)
"""What a page with times runs: it writes each in the zone of the browser. The page's own time, in UTC, becomes its title."""


@lru_cache(maxsize=8)
def sheet(color: str) -> str:
    """Return the style sheet for a brand's colour, `#rrggbb`."""
    light, dark = edges(color)
    own = f"color-scheme:light dark;--brand:{color};--on-brand:{on_brand(color)};"
    day = f":root{{{own}--button-edge:{light};--accent:{light};{variables(LIGHT)}}}"
    night = f":root{{--button-edge:{dark};--accent:{dark};{variables(DARK)}}}"
    return f"{day}@media (prefers-color-scheme:dark){{{night}}}" + _SHEET.replace("\n", "")


def on_brand(color: str) -> str:
    """Return the colour of a text that is readable on a brand's colour."""
    return "#ffffff" if contrast(color, "#ffffff") >= contrast(color, "#000000") else "#000000"


def edges(color: str) -> tuple[str, str]:
    """Return the colours of the edge of a button in a brand's colour: on a light card, and on a dark one."""
    light, dark = (color if contrast(color, own["card"]) >= _VISIBLE else own["edge"] for own in (LIGHT, DARK))
    return light, dark


def source(text: str) -> str:
    """Return the source that a content security policy names to allow this style sheet or script and no other."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours `#rrggbb` as WCAG defines it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(weight * one for weight, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
