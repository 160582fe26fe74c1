"""Which table `waitpoints restore` takes."""

from collections.abc import Iterator

import boto3
import pytest
from waitpoints_client.ops import restore
from waitpoints_client.ops.deployed import Deployed, NotFound


class TestTheTableToRestore:
    @pytest.fixture
    def tables(self) -> Iterator[Deployed]:
        from moto import mock_aws

        with mock_aws():
            deployed = Deployed("s", boto3.Session(region_name="eu-west-1"))
            key = [{"AttributeName": "other", "KeyType": "HASH"}]
            attributes = [{"AttributeName": "other", "AttributeType": "S"}]
            deployed.client("dynamodb").create_table(
                TableName="other", KeySchema=key, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
            )
            yield deployed
            deployed.client("dynamodb").delete_table(TableName="other")  # within another mock_aws it would stay

    def test_must_exist(self, tables: Deployed) -> None:
        with pytest.raises(NotFound, match=r"^No table NoTable in eu-west-1 of this account: check its name, and --region$"):
            restore.check(tables, "NoTable")
        with pytest.raises(NotFound, match=r"^No table other in us-east-2 of this account"):
            restore.check(tables, "other", "us-east-2")

    def test_must_be_of_a_stack(self, tables: Deployed) -> None:
        restore.check(tables, "other")  # it is empty
        tables.client("dynamodb").put_item(TableName="other", Item={"other": {"S": "1"}})
        with pytest.raises(NotFound, match=r"^The table other is of something else"):
            restore.check(tables, "other")
