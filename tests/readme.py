"""The snippets of README.md, each under the name that the comment above it gives."""

import re

from local.stack import ROOT

README = (ROOT / "README.md").read_text()
_SNIPPET = re.compile(r"<!-- snippet: ([^>]+) -->\n```\w+\n(.*?)```", re.DOTALL)
SNIPPETS = dict(_SNIPPET.findall(README))
