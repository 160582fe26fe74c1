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
font:1rem/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
header,main{width:100%;max-width:var(--wide,40rem);margin:0 auto}
header{display:flex;gap:.625rem;align-items:center;padding:2.5rem .25rem 1rem;font-weight:600}
header::before{content:"";flex:none;width:1.25rem;height:1.25rem;border-radius:.375rem;background:var(--brand);
border:1px solid var(--button-edge)}
main{padding:2.5rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;margin-bottom:3rem;
box-shadow:0 1px 2px #0000000a,0 16px 40px -16px #0000001f}
body>main:first-child{margin-top:3rem}
h1{margin:0;font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.018em}
h2{margin:0 0 .625rem;font-size:1rem;line-height:1.35;font-weight:650}
p,dl,dd,ul{margin:0}
h1~*{margin-top:1.25rem}
h1~h2,h1~section{margin-top:2rem}
h1~h2+dl{margin-top:0}
.error,.summary a{white-space:pre-line}
.muted,.hint,.context,.about,.optional,.icon,dt,small{color:var(--muted)}
.hint,.about,.note,small{font-size:.9375rem}
.context{margin-bottom:.5rem;font-weight:500}
.icon{display:block;width:3rem;height:3rem;padding:.75rem;margin-bottom:1.5rem;border-radius:50%;
background:var(--quiet)}
.good{color:var(--good);background:var(--good-soft)}
a{color:var(--link);text-underline-offset:.2em;text-decoration-thickness:1px}
a:hover{text-decoration-thickness:2px}
ul{padding:0;list-style:none}
h1~.about{margin-top:.625rem}
.about strong{color:var(--text);font-weight:600}
li+li{margin-top:.25rem}
.links a{display:inline-block;padding:.125rem 0}
a svg{width:.75em;height:.75em;fill:none;stroke:currentColor;stroke-width:1.5}
form{margin-top:2rem}
.field{margin:0 0 1.5rem;padding:0;border:0;min-width:0}
.field>label,legend{display:block;padding:0;margin-bottom:.375rem;font-weight:600}
.field .hint,.field .error{margin-bottom:.5rem}
legend{float:left;width:100%}
legend+*{clear:both}
.optional{font-weight:400}
input,select,textarea{font:inherit;color:inherit;accent-color:var(--accent)}
.control,.choice{width:100%;min-height:2.875rem;padding:.625rem .75rem;background:var(--field);border:1px solid var(--edge);
border-radius:.5rem}
textarea.control{min-height:7.5rem;resize:vertical}
.short{max-width:16rem}
.choice{position:relative;display:flex;gap:.75rem;align-items:flex-start}
.choice+.choice{margin-top:.5rem}
.choice input{flex:none;width:1.25rem;height:1.25rem;margin:.125rem 0 0;z-index:1}
.choice label{flex:1}
.choice label::after{content:"";position:absolute;inset:0}
.box>p{margin-top:.375rem}
.invalid{padding-left:1rem;border-left:4px solid var(--danger)}
.invalid .control,.invalid .choice{border-color:var(--danger)}
.error{color:var(--danger);font-weight:600}
.summary{padding:1rem 1.25rem;background:var(--danger-soft);border:1px solid var(--danger);border-radius:.625rem;
margin-bottom:1.75rem}
.summary a{color:var(--danger)}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem}
form.buttons{align-items:baseline;justify-content:space-between;padding-top:1rem;border-top:1px solid var(--line)}
.field+.buttons{margin-top:2rem}
button,.go{flex:0 1 auto;min-width:8rem;min-height:2.875rem;padding:.625rem 1.25rem;font:inherit;font-weight:600;
cursor:pointer;color:var(--text);background:var(--card);border:1px solid var(--edge);border-radius:.5rem;text-align:center}
button:hover{background:var(--quiet)}
.primary,.primary:hover{color:var(--on-brand);background:var(--brand);border-color:var(--button-edge)}
.danger{color:var(--danger);border-color:var(--danger)}
.danger:hover{background:var(--danger-soft)}
.danger.full{color:var(--on-danger);background:var(--danger)}
.primary:hover,.full:hover{filter:brightness(.92)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.go{text-decoration:none}
.note{padding:.75rem 1rem;background:var(--quiet);border-radius:.625rem}
.note h2{margin-bottom:.25rem}
dl{border:1px solid var(--line);border-radius:.625rem}
dl div{display:grid;grid-template-columns:minmax(6rem,1fr) 2fr;gap:.125rem 1rem;padding:.625rem 1rem}
dl div+div{border-top:1px solid var(--line)}
dd,.text,.hint{white-space:pre-wrap}
dd{font-variant-numeric:tabular-nums}
.people>*+*{margin-top:.75rem}
.people dl div{display:flex;flex-wrap:wrap;gap:0 .75rem;align-items:baseline}
.people dt{flex:1 0 auto;max-width:100%;color:inherit;overflow:hidden}
.people dt bdi{font-weight:600}
.people .entered{flex:1 0 100%;margin-top:.25rem}
.entered li{padding:0 1rem;text-indent:-1rem}
small{display:inline-block}
body:has(.icon):not(:has(dl)){--wide:32rem}
@media (min-width:34.01rem){body:has(.icon){display:flex;flex-direction:column;justify-content:center;min-height:100vh}}
@media (max-width:34rem){body{background:var(--card)}header{padding:1.25rem 1.25rem 0}main{padding:1.5rem 1.25rem 2.5rem;
margin:0;border:0;border-radius:0;box-shadow:none}body>main:first-child{margin-top:0}form>.buttons{flex-direction:column}
button,.go{width:100%;min-height:3rem}h1{font-size:1.5rem}}
@media print{body,main{background:none}main{padding:0;border:0;box-shadow:none}form,.note{display:none}
dl div{break-inside:avoid}}
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
