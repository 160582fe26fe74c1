"""The code that the handlers share."""

import gc
import os

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # A starting function makes no garbage, and collecting it would take a tenth of the cold start.
    # `wiring.Services.build_at_start`, which every handler calls after its imports, turns collection back on.
    gc.disable()
