"""How a path of a state machine is read. What each leads to on AWS is in tests/states_language/data_flow.py."""

from typing import Any

import pytest

from waitpoints_local.json_paths import NoSuchValue, UnreadablePath, end_of_path, is_of, same_json, value_at

GIVEN = {"n": 3, "null": None, "err-x": 5, "o": {"a": 1, "b": [10, 20]}, "list": [{"k": 1, "v": "x"}, {"k": 2, "v": "y"}]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", GIVEN),
        ("$.null", None),
        ("$.err-x", 5),
        ("$.['n']", 3),
        ('$["o"].b[1]', 20),
        ("$.o.b[-2]", 10),
        ("$.o.b[0,9]", [10]),
        ("$.list[*].k", [1, 2]),
        ("$.list[*].no", []),
        ("$..b[0]", [10]),
        ("$.list[?(!(@.k==1) || @.v=='q')].k", [2]),
        ("$.list[?(@.k >= $.n)]", []),
        ("$.list[?(@.k<2&&@.v!=null)].v", ["x"]),
        ("$.list[?(@.v > 1)]", []),
        ("$.o[?(@.a)].a", [1]),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: Any) -> None:
    assert same_json(value_at(path, GIVEN), value)


@pytest.mark.parametrize("path", ["$.no", "$.n.x", "$.null.x", "$.n[0]", "$.o.b[9]", "$.o.b[-4]", "$['o']['c']", "$.no[*]"])
def test_a_definite_path_may_lead_to_nothing(path: str) -> None:
    with pytest.raises(NoSuchValue):
        value_at(path, GIVEN)


@pytest.mark.parametrize(
    "path", ["", "n", "$.", "$[", "$.a b", "$n", "$.list.length()", "$.list[?(@.v =~ /x/)]", "$['a','b']", "$[?@.k]"]
)
def test_what_is_not_read_is_said(path: str) -> None:
    with pytest.raises(UnreadablePath):
        value_at(path, GIVEN)


@pytest.mark.parametrize(
    ("text", "path"), [("f($.a, 1)", "$.a"), ("f($['a,b)'])", "$['a,b)']"), ("f($.l[?((@.k > 1))].v)", "$.l[?((@.k > 1))].v")]
)
def test_a_path_within_a_function_ends_where_it_does(text: str, path: str) -> None:
    assert text[2 : end_of_path(text, 2)] == path


def test_true_does_not_equal_one() -> None:
    assert not same_json([True], [1])
    assert not same_json({"a": 0}, {"a": False})
    assert same_json({"a": [1.0]}, {"a": [1]})


def test_true_is_no_number() -> None:
    assert [is_of(value, int) for value in (1, True)] == [True, False]
    assert is_of(True, bool)
    assert is_of(True, object)
