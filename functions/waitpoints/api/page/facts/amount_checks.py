"""How a request may say that a number is written: "number", "percent" or {"currency": "USD"}. Of facts and of fields."""

from waitpoints.api.page.facts import amounts
from waitpoints.api.page.shapes import Chosen, Fitting, Members

CURRENCY = Members(
    {"currency": Fitting(amounts.is_currency, 'expected a currency of ISO 4217, such as "USD"')}, needed=("currency",)
)


def number_format(*others: str) -> Chosen:
    """Return the shape of a format: one for numbers, or one of the others."""
    names = (amounts.NUMBER, amounts.PERCENT, *others)
    named = Fitting(lambda value: value in names, f'expected {", ".join(names)}, or {{"currency": "USD"}}')
    return Chosen(lambda value: CURRENCY if isinstance(value, dict) else named)
