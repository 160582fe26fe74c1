"""What the handlers share. Nothing outside this package knows boto3, DynamoDB's JSON or an HTTP status."""

import gc
import os

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # Nothing becomes garbage while a function starts, and looking for it is a tenth of the cold start.
    # `wiring.Services.build_at_start`, which every handler calls once it has imported all, turns the collector on again.
    gc.disable()
