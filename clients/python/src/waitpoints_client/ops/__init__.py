"""What an operator does with a deployed stack, with AWS credentials of their own. Needs the extra `aws`."""
