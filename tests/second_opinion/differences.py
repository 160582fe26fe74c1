"""Where the local engine and its check judge otherwise than the others, and why. Patterns are searched in their messages."""

EXPRESSIONS = {
    "$string(1234567890123456)": "JSONata for Java and its port to Python write an exponent from 1e15 on. No record.",
}
"""JSONata that comes to something else here than in its reference implementation."""

THEY_REFUSE = {
    r'"States.Array\(\)": The value for the field must be': "AWS takes it: intrinsic_functions/test_array.py, test_array_0.",
}
"""What AWS's language service finds wrong in definitions in which we find nothing."""

WE_REFUSE = {
    "cannot use JSONPath in a state machine that uses JSONata": 'Guide, "Transforming data with JSONata".',
    r"Unsupported declaration in QueryLanguage=JSONata block": "scenarios/test_base_scenarios.py, test_wait_timestamp_invalid.",
    r"There is no argument at": "scenarios/test_base_scenarios.py, test_illegal_escapes.",
    r"not recognized\. The value is not a valid resource|Unknown service": "services/test_dynamodb_task_service.py, "
    "test_invalid_integration. The language service knows no services.",
    r"INVALID_JSONATA_EXPRESSION": "The language service does not parse expressions.",
    r"HeartbeatSeconds must be smaller than TimeoutSeconds": 'States Language, "Timeouts and heartbeats".',
    r"cannot wait for the end of a job": 'Guide, "Integrating services", "Run a Job".',
    r"States\.ALL must": 'States Language, "Retrying after error".',
    r"the variable states is reserved": 'Guide, "Passing data between states with variables", "Reserved variable".',
    r"\$states\.(result|errorOutput) in": "As above.",
    r'This cannot stand here: .*"Parameters": 7': 'States Language, "Payload Template": "must be a JSON object".',
    r"its name has over 80 characters": 'Guide, "State machine structure": state names.',
}
"""What we find wrong in definitions in which AWS's language service finds nothing: recorded tests, or what documents say."""
