"""What the handlers share. Nothing outside this package knows boto3, DynamoDB's JSON or an HTTP status."""
