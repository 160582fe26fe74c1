"""All cases of the table, by what they are about."""

from tests.states_language import choices, composite, data_flow, errors, functions, jsonata_cases

GROUPS = {
    "paths": data_flow.PATHS,
    "payload templates": data_flow.TEMPLATES,
    "context object and callbacks": data_flow.CONTEXT,
    "variables": data_flow.VARIABLES,
    "choices": choices.COMPARISONS,
    "intrinsic functions": functions.FUNCTIONS,
    "JSONata expressions": jsonata_cases.EXPRESSIONS,
    "fields in JSONata": jsonata_cases.FIELDS,
    "catch": errors.CATCHES,
    "retry": errors.RETRIES,
    "timeouts": errors.TIMEOUTS,
    "fail": errors.FAILURES,
    "parallel": composite.PARALLEL,
    "map": composite.MAPS,
    "distributed map": composite.DISTRIBUTED,
    "wait": composite.WAITS,
    "limits": composite.LIMITS,
    "time": errors.TIME,
}
