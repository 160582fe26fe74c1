"""Cases about Choice states in JSONPath: each comparison and its Path form, what is missing, and And, Or and Not."""

from typing import Any

from tests.states_language.case import RECORDED, RUNTIME, SPEC, Case, case, choose, fails, gives, if_, resting_on

EARLY, LATE = "2024-01-01T00:00:00Z", "2024-01-01T02:00:00+01:00"  # an hour later
GIVEN = {
    "three": 3,
    "four": 4,
    "zero": 0,
    "a": "a",
    "b": "b",
    "digits": "3",
    "true": True,
    "false": False,
    "null": None,
    "early": EARLY,
    "late": LATE,
    "list": [1],
    "o": {"x": 1},
}
ORDERS = {
    "Equals": (False, True, False),
    "LessThan": (True, False, False),
    "GreaterThan": (False, False, True),
    "LessThanEquals": (True, True, False),
    "GreaterThanEquals": (False, True, True),
}
PAIRS = {"String": ("a", "b"), "Numeric": ("three", "four"), "Timestamp": ("early", "late")}
"""Names of a smaller and a larger value of each type."""


def _orders() -> list[Case]:
    """Each operator with a smaller, an equal and a larger value, as a constant and from a path."""
    cases = []
    for kind, (small, large) in PAIRS.items():
        for order, answers in ORDERS.items():
            operator = f"{kind}{order}"
            pairs = ((small, large), (small, small), (large, small))
            for (left, right), answer in zip(pairs, answers, strict=True):
                rule = {"Variable": f"$.{left}", operator: GIVEN[right]}
                by_path = {"Variable": f"$.{left}", f"{operator}Path": f"$.{right}"}
                cases.append(choose(f"{operator} {left} {right}", answer, GIVEN, **rule))
                cases.append(choose(f"{operator}Path {left} {right}", answer, GIVEN, **by_path))
    return cases


def _types() -> list[Case]:
    """Each question about a type, of a value of each type."""
    true_for = {
        "IsNull": ["null"],
        "IsNumeric": ["three", "zero"],
        "IsString": ["a", "digits", "early"],
        "IsBoolean": ["true", "false"],
        "IsTimestamp": ["early", "late"],
        "IsPresent": list(GIVEN),
    }
    values = ("three", "a", "true", "null", "early", "list", "o")
    return [
        choose(f"{operator} of {value}", value in names, GIVEN, Variable=f"$.{value}", **{operator: True})
        for operator, names in true_for.items()
        for value in values
    ]


def _asks(name: str, answer: bool, variable: str, **rule: Any) -> Case:
    return choose(name, answer, GIVEN, Variable=variable, **rule)


COMPARISONS = [
    *resting_on(
        f"{SPEC}#data-test",
        "Each comparison operator compares the value of the Variable with a constant or with what a path leads to.",
        *_orders(),
        _asks("BooleanEquals true", True, "$.true", BooleanEquals=True),
        _asks("BooleanEquals false", False, "$.true", BooleanEquals=False),
        _asks("BooleanEqualsPath", True, "$.true", BooleanEqualsPath="$.true"),
        _asks("BooleanEqualsPath of another", False, "$.true", BooleanEqualsPath="$.false"),
        _asks("an integer equals its float", True, "$.three", NumericEquals=3.0),
        _asks("a comparison with the context", True, "$$.State.Name", StringEquals="First"),
        choose("character by character", False, "Ä", Variable="$", StringEquals="A\u0308"),
    ),
    *resting_on(
        f"{SPEC}#data-test",
        "If the values are not both of the operator's type, the comparison is false.",
        _asks("a number is no text", False, "$.three", StringEquals="3"),
        _asks("a text is no number", False, "$.digits", NumericEquals=3),
        _asks("a number is no boolean", False, "$.zero", BooleanEquals=False),
        _asks("a boolean is no number", False, "$.true", NumericEquals=1),
        _asks("a text is no timestamp", False, "$.a", TimestampLessThan=LATE),
        _asks("a null is no text", False, "$.null", StringLessThan="b"),
        _asks("a list is no number", False, "$.list", NumericGreaterThan=0),
        _asks("an operand of another type", False, "$.three", NumericGreaterThanPath="$.a"),
        _asks("a timestamp as a text", True, "$.early", StringEquals=EARLY),
    ),
    *resting_on(
        f"{SPEC}#data-test",
        "Is… asks for the type of a value, or whether a path leads to anything.",
        *_types(),
        _asks("IsString false", True, "$.three", IsString=False),
        _asks("IsNull false", False, "$.null", IsNull=False),
        _asks("IsPresent of nothing", False, "$.no", IsPresent=True),
        _asks("IsPresent false of nothing", True, "$.no", IsPresent=False),
        _asks("IsPresent of an index beyond the end", False, "$.list[9]", IsPresent=True),
        _asks("IsPresent under nothing", False, "$.no.more", IsPresent=True),
        choose("IsTimestamp of a date", False, "2024-01-01", Variable="$", IsTimestamp=True),
        choose("IsTimestamp without a zone", False, "2024-01-01T00:00:00", Variable="$", IsTimestamp=True),
        choose("IsTimestamp with a blank", False, "2024-01-01 00:00:00Z", Variable="$", IsTimestamp=True),
    ),
    *resting_on(
        f"{SPEC}#data-test",
        "In StringMatches a * is any characters, \\* is a star and \\\\ a backslash; nothing else is special.",
        *(
            choose(f"StringMatches {pattern} {text}", answer, text, Variable="$", StringMatches=pattern)
            for pattern, text, answer in (
                ("foo*.log", "foo23.log", True),
                ("foo*.log", "foo23.txt", False),
                ("*.log", "zebra.log", True),
                ("foo*.*", "foobar.zebra", True),
                ("*", "", True),
                ("a.c", "abc", False),
                ("a?c", "abc", False),
                ("a*c", "a\nc", True),
                ("a\\*c", "a*c", True),
                ("a\\*c", "abc", False),
                ("a\\\\c", "a\\c", True),
            )
        ),
        choose("StringMatches of a number", False, 3, Variable="$", StringMatches="*"),
    ),
    *resting_on(
        f"{SPEC}#boolean-expression",
        "And and Or stop as soon as the answer is known; Not inverts its rule.",
        choose("And", True, GIVEN, And=[{"Variable": "$.a", "IsString": True}, {"Variable": "$.three", "NumericEquals": 3}]),
        choose(
            "And of one that is false",
            False,
            GIVEN,
            And=[{"Variable": "$.a", "IsString": True}, {"Variable": "$.a", "IsNull": True}],
        ),
        choose("And stops", False, GIVEN, And=[{"Variable": "$.no", "IsPresent": True}, {"Variable": "$.no", "IsNull": True}]),
        choose("Or", True, GIVEN, Or=[{"Variable": "$.a", "IsNull": True}, {"Variable": "$.a", "IsString": True}]),
        choose("Or of none", False, GIVEN, Or=[{"Variable": "$.a", "IsNull": True}]),
        choose("Or stops", True, GIVEN, Or=[{"Variable": "$.a", "IsString": True}, {"Variable": "$.no", "IsNull": True}]),
        choose("Not", True, GIVEN, Not={"Variable": "$.a", "IsNull": True}),
        choose("Not within And", True, GIVEN, And=[{"Not": {"Or": [{"Variable": "$.a", "IsNull": True}]}}]),
    ),
    *resting_on(
        f"{SPEC}#choice-state",
        "The first rule that matches decides; if none does, Default.",
        case(
            "the first rule that matches",
            {"Choices": [{"Variable": "$", "NumericGreaterThan": n, "Next": f"S{n}"} for n in (9, 2, 1)]},
            gives("second"),
            5,
            S9={"Result": "first"},
            S2={"Result": "second"},
            S1={"Result": "third"},
        ),
        case(
            "the paths of a choice",
            {**if_(Variable="$.x", NumericEquals=1), "InputPath": "$.o", "OutputPath": "$.x"},
            gives(1),
            GIVEN,
            Yes={},
            No={"Result": "no"},
        ),
    ),
    *resting_on(
        f"{RECORDED}/scenarios/test_base_scenarios.py, and github.com/floci-io/floci, AslExecutor.NO_NEXT_STATE_CAUSE",
        "No rule matches and there is no Default: the execution fails, and nothing can catch it.",
        case("no rule matches", {"Choices": [{"Variable": "$", "IsNull": True, "Next": "First"}]}, fails(RUNTIME), 1),
    ),
    *resting_on(
        f"{RECORDED}/choice_operators",
        "A Variable or operand that leads nowhere ends the execution with States.Runtime.",
        *(
            case(
                f"a missing variable of {operator}",
                if_(Variable="$.no", **{operator: value}),
                fails(RUNTIME, "$.no"),
                GIVEN,
                Yes={},
                No={},
            )
            for operator, value in (("StringEquals", "x"), ("NumericLessThan", 1), ("BooleanEquals", True), ("IsNull", True))
        ),
        case("a missing operand", if_(Variable="$.a", StringEqualsPath="$.no"), fails(RUNTIME, "$.no"), GIVEN, Yes={}, No={}),
    ),
]
