"""Cases about states whose query language is JSONata: what expressions may say, and the fields that hold them."""

from typing import Any

from tests.states_language.case import (
    CAUGHT,
    FAIL,
    GUIDE,
    QUERY,
    RECORDED,
    Case,
    Ends,
    State,
    branch,
    case,
    catch,
    evaluates,
    fails,
    gives,
    jsonata,
    map_of,
    parallel,
    resting_on,
    task,
)

PAGE = f"{GUIDE}/transforming-data.html"
GIVEN = {"n": 3, "list": [{"k": 1}, {"k": 2}], "text": "abc", "none": None, "o": {"a": 1}}
WRONG = fails(QUERY)


def of(name: str, expression: str, ends: Any) -> Case:
    return evaluates(name, expression, ends, GIVEN)


def ask(condition: Any, **fields: Any) -> State:
    return jsonata(Type="Choice", Choices=[{"Condition": condition, "Next": "Yes"}], Default="No", **fields)


def answers(name: str, condition: Any, ends: Ends) -> Case:
    return case(name, ask(condition), ends, GIVEN, Yes={"Result": True}, No={"Result": False})


CONSTANTS: list[Any] = [None, 0, 0.1, True, "text", [], {}]
READ = jsonata(Output="{% $v %}")
ECHO = jsonata(**task("echo"))
ITEM = branch(jsonata())

EXPRESSIONS = [
    *resting_on(
        f"{PAGE}, JSONata functions provided by Step Functions",
        "Step Functions adds $partition, $range, $hash, $random, $uuid and $parse.",
        of("$partition", "$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        of("$partition rounds down", "$partition([1,2,3], 2.9)", [[1, 2], [3]]),
        of("$partition of size zero", "$partition([1,2], 0)", WRONG),
        of("$partition of a text", "$partition('abc', 1)", WRONG),
        of("$partition by a text", "$partition([1], 'a')", WRONG),
        of("$range", "$range(0, 9, 3)", [0, 3, 6, 9]),
        of("$range down", "$range(3, 1, -1)", [3, 2, 1]),
        of("$range of step zero", "$range(0, 9, 0)", WRONG),
        of("$range of a text", "$range('a', 9, 1)", WRONG),
        of("$hash", "$hash('abc', 'SHA-1')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        of("$hash with an unknown algorithm", "$hash('abc', 'SHA-3')", WRONG),
        of("$hash of a number", "$hash(1, 'MD5')", WRONG),
        of("$random is below one", "$random() < 1 and $random() >= 0", True),
        of("$random with a seed repeats", "$random(42) = $random(42)", True),
        of("$uuid", "$length($uuid())", 36),
        of("$uuid differs", "$uuid() != $uuid()", True),
        of("$parse", """$parse('{"a": [1, null]}').a[0]""", 1),
        of("$parse of an object", """$parse('{"a": 1}')""", {"a": 1}),
        of("$parse of no JSON", "$parse('no')", WRONG),
        of("$eval is not there", "$eval('1+1')", WRONG),
    ),
    *resting_on(
        f"{RECORDED}/intrinsic_functions/test_array_jsonata.py, test_array_range",
        "A range of one item is that item: $range(1, 9, 9) is 1.",
        of("$range of one item", "$range(1, 9, 9)", 1),
    ),
    *resting_on(
        f"{PAGE}, Reserved variable: $states",
        "$states.input is the raw input, $states.context the context object; a name without $states leads nowhere.",
        of("$states.input", "$states.input.n + 1", 4),
        of("$states.context", "$states.context.State.Name", "First"),
        of("$states.context.Execution", "$states.context.Execution.Input.n", 3),
        of("the context has no more", "$sort($keys($states.context))", ["Execution", "State", "StateMachine"]),
        of("a bare name", "n", WRONG),
        case("$states.result of a task", jsonata(**task("echo", Output="{% $states.result.n %}")), gives(3), GIVEN),
        case("the input of a task", jsonata(**task("echo", Arguments={}, Output="{% $states.input.n %}")), gives(3), GIVEN),
    ),
    *resting_on(
        f"{RECORDED}/assign/test_assign_reference_variables.py, test_undefined_reference",
        "An expression that comes to nothing fails the state with States.QueryEvaluationError.",
        of("an undefined output", "$states.input.no", WRONG),
        of("an undefined variable", "$nosuch", WRONG),
        case("an undefined field of an output", jsonata(Output={"x": "{% $states.input.no %}"}), WRONG),
        case("an undefined item of an output", jsonata(Output=["{% $states.input.no %}"]), WRONG),
        case("an undefined assignment", jsonata(Assign={"x": "{% $states.input.no %}"}), WRONG),
        case("undefined arguments", {**ECHO, "Arguments": "{% $nosuch %}"}, WRONG),
        case("an undefined argument", {**ECHO, "Arguments": {"x": "{% $nosuch %}"}}, WRONG),
        case("undefined items", jsonata(Type="Map", Items="{% $nosuch %}", ItemProcessor=ITEM), WRONG),
        answers("an undefined condition", "{% $nosuch %}", WRONG),
        of("undefined within an expression", "{'x': $states.input.no, 'y': 1}", {"y": 1}),
        of("undefined in an array", "[1, $states.input.no]", [1]),
    ),
    *resting_on(
        "https://docs.jsonata.org/2.0.0 and " + PAGE,
        "Expressions are JSONata; a type error in one fails the state with States.QueryEvaluationError.",
        of("a null of the input", "$states.input.none", None),
        of("a literal null", "null", None),
        of("arithmetic", "(1 + 2) * 3", 9),
        of("a division without remainder", "6 / 2", 3),
        of("a division with remainder", "3 / 2", 1.5),
        of("a sum", "$sum($states.input.list.k)", 3),
        of("a count", "$count($states.input.list)", 2),
        of("an average", "$average([1, 3])", 2),
        of("a power", "$power(2, 3)", 8),
        of("a text of a number", "$string(3)", "3"),
        of("a text of a sum", "'n' & (1 + 2)", "n3"),
        of("a text of an object", "$string($states.input.o)", '{"a":1}'),
        of("a number of a text", "$number('12')", 12),
        of("one value of a list", "$states.input.list[k=2].k", 2),
        of("the values of a list", "$states.input.list.k", [1, 2]),
        of("a list of one", "$states.input.list[k=2][]", [{"k": 2}]),
        of("the last item", "$states.input.list[-1].k", 2),
        of("a map", "$map([1,2], function($x) { $x * 2 })", [2, 4]),
        of("a filter function", "$filter([1,2,3], function($x) { $x > 1 })", [2, 3]),
        of("a reduction", "$reduce([1,2,3], function($a, $b) { $a + $b })", 6),
        of("a merge", "$merge([{'a': 1}, {'b': 2}])", {"a": 1, "b": 2}),
        of("an order", "[3,1,2]^($)", [1, 2, 3]),
        of("$sort", "$sort([3,1,2])", [1, 2, 3]),
        of("a join", "$join(['a','b'], '-')", "a-b"),
        of("a split", "$split('a,b', ',')", ["a", "b"]),
        of("upper case", "$uppercase($states.input.text)", "ABC"),
        of("a part of a text", "$substring('hello', 1, 3)", "ell"),
        of("a match", "$contains('abc', /b/)", True),
        of("a ternary", "$states.input.n > 2 ? 'more' : 'less'", "more"),
        of("membership", "2 in [1,2]", True),
        of("a variable in an expression", "($x := 2; $x * $x)", 4),
        of("milliseconds of a time", "$toMillis('1970-01-01T00:00:01Z')", 1000),
        of("a time of milliseconds", "$fromMillis(0)", "1970-01-01T00:00:00.000Z"),
        of("distinct values", "$distinct([1,2,1])", [1, 2]),
        of("a lookup", "$lookup($states.input.o, 'a')", 1),
        of("a type", "$type($states.input.none)", "null"),
        of("an empty list", "[]", []),
        of("a large number", "9007199254740991", 9007199254740991),
        of("a rounded number", "$round(2.5)", 2),
        of("text plus number", "'a' + 1", WRONG),
        of("comparison of types", "'a' < 1", WRONG),
        of("equality of types", "'1' = 1", False),
        of("a call of no function", "$nosuch(1)", WRONG),
        of("a wrong argument", "$sum('abc')", WRONG),
        of("an error of its own", "$error('no')", WRONG),
        of("a function as output", "function($x) { $x }", WRONG),
    ),
]
FIELDS = [
    *resting_on(
        PAGE,
        "Texts that begin with {% and end with %} are expressions, in objects and arrays, too; others are as they stand.",
        case(
            "an output",
            jsonata(Output={"a": "{% $states.input.n %}", "b": ["{% 1 + 1 %}", "$n", " {% 1 %}"], "c.$": "$.n"}),
            gives({"a": 3, "b": [2, "$n", " {% 1 %}"], "c.$": "$.n"}),
            GIVEN,
        ),
        *(case(f"a constant output {output!r}", jsonata(Output=output), gives(output)) for output in CONSTANTS),
        case("no output", jsonata(), gives(GIVEN), GIVEN),
        case("no output of a task", {**ECHO, "Arguments": {"x": 1}}, gives({"x": 1}), GIVEN),
        case("no arguments", ECHO, gives(GIVEN), GIVEN),
        case("arguments", {**ECHO, "Arguments": "{% $states.input.o %}"}, gives({"a": 1}), GIVEN),
        case(
            "an output of a succeed state", {"QueryLanguage": "JSONata", "Type": "Succeed", "Output": "{% 1 + 1 %}"}, gives(2)
        ),
        case("an output of a wait", jsonata(Type="Wait", Seconds=1, Output="{% $states.input.n %}"), gives(3), GIVEN),
        case("the language of a branch", parallel({"QueryLanguage": "JSONata", "Output": "{% 1 %}"}), gives([1])),
    ),
    *resting_on(
        f"{GUIDE}/state-choice.html",
        "A rule's Condition is a boolean expression; Output and Assign belong to the rule, or to the state for its Default.",
        answers("a condition", "{% $states.input.n = 3 %}", gives(True)),
        answers("a condition that is false", "{% $states.input.n = 4 %}", gives(False)),
        answers("a condition with and", "{% $states.input.n > 1 and $exists($states.input.o) %}", gives(True)),
        answers("a constant condition", True, gives(True)),
        answers("a condition that is a text", "{% 'true' %}", WRONG),
        answers("a condition that is a number", "{% 1 %}", WRONG),
        case(
            "an output of a rule",
            jsonata(Type="Choice", Choices=[{"Condition": "{% true %}", "Output": "{% 1 + 1 %}", "Next": "Then"}]),
            gives(2),
            Then={},
        ),
        case("an output of a default", ask("{% false %}", Output="default"), gives("default"), Yes={}, No={}),
        case(
            "an assignment of a rule",
            jsonata(Type="Choice", Choices=[{"Condition": "{% true %}", "Assign": {"v": "rule"}, "Next": "Then"}]),
            gives("rule"),
            Then=READ,
        ),
    ),
    *resting_on(
        f"{GUIDE}/workflow-variables.html",
        "Assign keeps values for later states; all of one Assign is evaluated with the values before it.",
        case("a variable", jsonata(Assign={"v": "{% $states.input.n %}"}, Next="Then"), gives(3), GIVEN, Then=READ),
        case("a null variable", jsonata(Assign={"v": None}, Next="Then"), gives(None), Then=READ),
        case(
            "variables change places in JSONata",
            jsonata(Assign={"a": 1, "b": 2}, Next="Swap"),
            gives([2, 1]),
            Swap=jsonata(Assign={"a": "{% $b %}", "b": "{% $a %}"}, Next="Then"),
            Then=jsonata(Output="{% [$a, $b] %}"),
        ),
        case(
            "an output before the assignment",
            jsonata(Assign={"v": 1}, Next="Then"),
            gives(1),
            Then=jsonata(Assign={"v": 2}, Output="{% $v %}"),
        ),
        case(
            "a variable of a result",
            {**ECHO, "Assign": {"v": "{% $states.result.n %}"}, "Next": "Then"},
            gives(3),
            GIVEN,
            Then=READ,
        ),
        case("a variable of a branch is not seen", parallel(jsonata(Assign={"v": 1}), Next="Then"), WRONG, Then=READ),
        case(
            "a variable across languages",
            {"Assign": {"v.$": "$.n"}, "Next": "Then"},
            gives(3),
            GIVEN,
            Then=READ,
        ),
        case(
            "a variable back in JSONPath",
            jsonata(Assign={"v": "{% 1 + 1 %}"}, Next="Then"),
            gives({"x": 2}),
            Then={"Parameters": {"x.$": "$v"}},
        ),
        case(
            "a variable of a catch in JSONata",
            {**jsonata(**parallel(FAIL)), "Catch": [catch("Mine", Assign={"v": "{% $states.errorOutput.Error %}"})]},
            gives("Mine"),
            Caught=READ,
        ),
    ),
    *resting_on(
        f"{GUIDE}/state-map.html",
        "Items is an array, by default the input; ItemSelector makes an item's input; Output and Assign see the results.",
        case("items", jsonata(Type="Map", Items="{% $states.input.list.k %}", ItemProcessor=ITEM), gives([1, 2]), GIVEN),
        case("constant items", jsonata(Type="Map", Items=[1, "{% 1 + 1 %}"], ItemProcessor=ITEM), gives([1, 2])),
        case("items by default", jsonata(Type="Map", ItemProcessor=ITEM), gives([1]), [1]),
        case("items that are no array", jsonata(Type="Map", ItemProcessor=ITEM), WRONG, {"a": 1}),
        case("items that are a number", jsonata(Type="Map", Items="{% 1 %}", ItemProcessor=ITEM), WRONG),
        case("items that are an object", jsonata(Type="Map", Items="{% {'a': 1} %}", ItemProcessor=ITEM), WRONG),
        case("items of a range of one", jsonata(Type="Map", Items="{% $range(1, 1, 1) %}", ItemProcessor=ITEM), WRONG),
        case(
            "an item selector",
            jsonata(
                Type="Map",
                Items=["a"],
                ItemSelector={"v": "{% $states.context.Map.Item.Value %}", "n": "{% $states.input.n %}"},
                ItemProcessor=ITEM,
            ),
            gives([{"v": "a", "n": 3}]),
            GIVEN,
        ),
        case(
            "an output of a map",
            jsonata(Type="Map", Items=[1, 2], ItemProcessor=ITEM, Output="{% $sum($states.result) %}"),
            gives(3),
        ),
        case(
            "an output of a parallel",
            jsonata(**parallel(jsonata(Output=1), jsonata(Output=2)), Output="{% $states.result[1] %}"),
            gives(2),
        ),
        case("arguments of a parallel", jsonata(**parallel(jsonata()), Arguments={"x": "{% 1 %}"}), gives([{"x": 1}])),
    ),
    *resting_on(
        f"{GUIDE}/state-wait.html",
        "Seconds is a whole number, Timestamp a text with T and a zone; each can be an expression.",
        case("seconds", jsonata(Type="Wait", Seconds="{% $states.input.n %}"), gives(GIVEN, slept=(3,)), GIVEN),
        case("seconds that are a text", jsonata(Type="Wait", Seconds="{% 'x' %}"), WRONG),
        case("negative seconds", jsonata(Type="Wait", Seconds="{% -1 %}"), WRONG),
        case("a part of a second", jsonata(Type="Wait", Seconds="{% 1.5 %}"), WRONG),
        case("a timestamp", jsonata(Type="Wait", Timestamp="{% '2020-01-01T00:00:00Z' %}"), gives({}, slept=())),
        case("a timestamp without a zone", jsonata(Type="Wait", Timestamp="{% '2020-01-01T00:00:00' %}"), WRONG),
    ),
    *resting_on(
        f"{GUIDE}/state-fail.html",
        "Error and Cause can be expressions, which come to texts.",
        case(
            "an error", {"QueryLanguage": "JSONata", "Type": "Fail", "Error": "{% 'E' & $states.input.n %}"}, fails("E3"), GIVEN
        ),
        case(
            "a cause",
            {"QueryLanguage": "JSONata", "Type": "Fail", "Error": "E", "Cause": "{% $states.input.text %}"},
            fails("E", "abc"),
            GIVEN,
        ),
        case("an error that is a number", {"QueryLanguage": "JSONata", "Type": "Fail", "Error": "{% 1 %}"}, WRONG),
    ),
    *resting_on(
        f"{GUIDE}/concepts-error-handling.html",
        "States.QueryEvaluationError can be caught; a Catch's Output and Assign see $states.errorOutput.",
        case(
            "a catch of a wrong argument",
            {**ECHO, "Arguments": "{% 'a' + 1 %}", "Catch": [catch(QUERY)]},
            gives("caught"),
            Caught=CAUGHT,
        ),
        case(
            "a catch of a wrong output",
            {**ECHO, "Output": "{% $nosuch %}", "Catch": [catch("States.ALL")]},
            gives("caught"),
            Caught=CAUGHT,
        ),
        case(
            "an output of a catch",
            {**jsonata(**parallel(FAIL)), "Catch": [catch("Mine", Output="{% $states.errorOutput.Cause %}")]},
            gives("because"),
            Caught={},
        ),
        case(
            "a catch without an output",
            {**jsonata(**parallel(FAIL)), "Catch": [catch("Mine")]},
            gives({"Error": "Mine", "Cause": "because"}),
            Caught={},
        ),
        case(
            "a catch of a map's item",
            map_of(jsonata(Output="{% $nosuch %}"), Catch=[catch(QUERY)]),
            gives("caught"),
            [1],
            Caught=CAUGHT,
        ),
    ),
]
