"""AWS's list prices in us-east-1, in dollars for a million of something unless a name or a comment says otherwise.

Without the free tier. Of the prices that fall with the quantity, the HTTP API's is the first to do so; the others begin to
fall far above what `make costs` is asked for (Lambda's at 7.5 billion GB-seconds a month, logs' at 10 TB).
docs/costs.md says where each price was read.
"""

HTTP_REQUEST, HTTP_REQUEST_OVER_TIER, HTTP_TIER = 1.00, 0.90, 300e6  # requests a month
HTTP_METERED = 512 * 1024  # bytes: each begun part of a request counts as one
INVOCATION, GB_SECOND = 0.20, 13.3334  # arm64
WRITE_UNIT, READ_UNIT = 0.625, 0.125  # on demand
SQS_REQUEST, SCHEDULED = 0.40, 1.00
TRANSITION, DURABLE_OPERATION = 25.00, 8.00
PUT_OBJECT, GET_OBJECT = 5.00, 0.40
SECRET_READ = 5.00
MAIL = 100.00
EVENT, EVENT_METERED = 1.00, 64 * 1024  # bytes: each begun part of an event counts as one

# dollars for a GB, and for a GB kept for a month
LOG_GB, OUT_GB = 0.50, 0.09
TABLE_GB_MONTH, BACKUP_GB_MONTH, OBJECT_GB_MONTH = 0.25, 0.20, 0.023

# dollars a month for one
SECRET_MONTH, ALARM_METRIC, DASHBOARD_MONTH = 0.40, 0.10, 3.00
METRIC = 0.30
SECRET, ALARM, DASHBOARD = "AWS::SecretsManager::Secret", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"

# What every account has free each month, without an end. That of the HTTP API and of S3 ends after a year, or is a credit
FREE_INVOCATIONS, FREE_GB_SECONDS, FREE_SQS = 1e6, 400_000, 1e6
FREE_METRICS, FREE_ALARM_METRICS = 10, 10
FREE_LOG_GB, FREE_OUT_GB, FREE_TABLE_GB = 5, 100, 25


def http_requests(requests: float) -> float:
    """Return the dollars for the HTTP API's requests of a month."""
    over = max(0.0, requests - HTTP_TIER)
    return ((requests - over) * HTTP_REQUEST + over * HTTP_REQUEST_OVER_TIER) / 1e6
