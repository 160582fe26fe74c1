"""What jsonata-python 0.7.1 does otherwise than JSONata 2.0.6, which Step Functions has.

Guide, "Transforming data with JSONata", "Supported JSONata version". tests/second_opinion compares with npm's `jsonata`.
"""

import math
import re
from typing import Any

from jsonata import functions, jexception, jsonata, tokenizer, utils

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?|0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")


def follow_the_reference() -> None:
    """Refuse the operators `??` and `?:`, which came with JSONata 2.1, and in $number what is no number in JSON or JavaScript.

    A remainder can have a fraction, `$$` in a replacement is a dollar sign, and two escapes of a surrogate are one character.
    """
    next_token, number = tokenizer.Tokenizer.next, functions.Functions.number
    calculate, replacement = jsonata.Jsonata.evaluate_numeric_expression, functions.Functions.safe_replacement

    def next_of_old(self: Any, prefix: bool) -> Any:
        token = next_token(self, prefix)
        if token and token.type == "operator" and token.value in ("??", "?:"):
            refused = jexception.JException("S0211", self.position, token.value)
            refused.args = (f"Step Functions has JSONata 2.0.6, without {token.value}",)
            raise refused
        if token and token.type == "string":
            token.value = token.value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return token

    def number_as_written(arg: Any) -> Any:
        if isinstance(arg, str) and not _NUMBER.fullmatch(arg):
            raise jexception.JException("D3030", -1, arg)
        return number(arg)

    def calculate_with_fractions(self: Any, lhs: Any, rhs: Any, op: str) -> Any:
        value = calculate(self, lhs, rhs, op)
        return value if op != "%" or value is None else utils.Utils.convert_number(math.fmod(lhs, rhs))

    tokenizer.Tokenizer.next = next_of_old
    jsonata.Jsonata.evaluate_numeric_expression = calculate_with_fractions
    functions.Functions.number = staticmethod(number_as_written)
    jsonata.Jsonata.define_function("number", "<(nsb)-:n>")  # anew, since it has been looked up
    functions.Functions.safe_replacement = staticmethod(lambda text: "$".join(map(replacement, text.split("$$"))))
