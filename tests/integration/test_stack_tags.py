"""The tags of `sam deploy --tags`, which CloudFormation gives a stack's resources whose types it can tag.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-add-tags.html. Each type's schema says it in
its member `tagging`:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-tagging
"""

import re
from collections.abc import Callable

import pytest

from tests.support import figures
from tests.support.in_process.template import ROOT, Template
from tests.support.processed_template import processed, processed_gradually
from tests.support.resource_schemas import create_only, tagging

pytestmark = pytest.mark.slow  # transforms the template


@pytest.mark.parametrize("expanded", [processed, processed_gradually])
def test_every_resource_is_tagged_but_those_of_the_listed_types(expanded: Callable[[], Template]) -> None:
    kinds = [it["Type"] for it in expanded().body["Resources"].values()]
    without = {kind for kind in kinds if not tagging(kind)["taggable"]}
    listed = {f"AWS::{name}" for name in of_page()}
    gradual = {"AWS::Lambda::Alias", "AWS::Lambda::Version"}
    assert without == (listed if expanded is processed_gradually else listed - gradual)
    tagged = sum(kind not in without for kind in kinds)
    figures.show(f"{tagged} of {len(kinds)} resources have the stack's tags")
    assert tagged > len(processed().resources("AWS::Lambda::Function")) * 2  # each function has a role


def of_page() -> list[str]:
    page = (ROOT / "docs" / "operation.md").read_text()
    [listed] = re.findall(r"CloudFormation cannot tag:(.+?)\.\n", page, re.DOTALL)
    return re.findall(r"`(\w+::\w+)`", listed)


def test_other_tags_replace_no_resource() -> None:
    for kind in {it["Type"] for it in processed_gradually().body["Resources"].values()}:
        found = tagging(kind)
        if found["taggable"]:
            assert (found["tagOnCreate"], found["tagUpdatable"]) == (True, True), kind
            assert found["tagProperty"].split("/")[2] not in create_only(kind), kind
