"""The operator's commands and stacks that are found by name need boto3, which comes with the extra `aws`."""

from importlib.util import find_spec

OF_AWS = ["ops", "cli/test_secrets.py", "cli/test_versions.py", "test_from_stack.py"]
collect_ignore = [] if find_spec("boto3") else OF_AWS
