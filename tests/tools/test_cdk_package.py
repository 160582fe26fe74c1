"""The package for CDK: the template without SAM, the types made of it, and the files that both name."""

import json
import re
import tarfile
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import pytest

from tests.support.in_process.template import EVERYTHING, Template
from tests.support.processed_template import attributes, process
from tools.release import npm_package
from tools.release.archive import LAYERS
from tools.release.cdk_package import FOLDER, MACHINE, template
from tools.release.cdk_types import in_properties, types
from tools.release.translation import BUCKET, SECTIONS
from waitpoints_local.stack import STACK_NAME


@cache
def translated() -> dict[str, Any]:
    return template()


@cache
def typed() -> str:
    return types(translated())


STATEFUL = {  # a stack loses what they hold if a release names them otherwise
    "Table": "AWS::DynamoDB::Table",
    "OutputBucket": "AWS::S3::Bucket",
    "ApiKey": "AWS::SecretsManager::Secret",
    "SigningKey": "AWS::SecretsManager::Secret",
    "SessionKey": "AWS::SecretsManager::Secret",
    "DeadLetterQueue": "AWS::SQS::Queue",
    "TimerQueue": "AWS::SQS::Queue",
    "NoticeQueue": "AWS::SQS::Queue",
    "LogGroup": "AWS::Logs::LogGroup",
    "AccessLogGroup": "AWS::Logs::LogGroup",
    "Api": "AWS::ApiGatewayV2::Api",
    "ApiDomain": "AWS::ApiGatewayV2::DomainName",
}


def another(name: str, parameter: Mapping[str, Any]) -> str:
    """A value that a parameter does not have by default."""
    values = parameter.get("AllowedValues", [EVERYTHING.get(name, "1")])
    return next(str(value) for value in values if value != parameter["Default"])


MADE = {name: another(name, it) for name, it in Template.load().body["Parameters"].items()}


class TestTheTemplate:
    def test_has_no_sam_in_it(self) -> None:
        assert tuple(translated()) == SECTIONS
        assert not re.search(r"AWS::Serverless|AWS::Include|BuildMethod|SamResourceId", json.dumps(translated()["Resources"]))

    def test_names_what_is_stateful_as_every_release(self) -> None:
        found = {name: it["Type"] for name, it in translated()["Resources"].items() if it["Type"] in STATEFUL.values()}
        assert found == STATEFUL

    @pytest.mark.parametrize("parameters", [{}, MADE], ids=["none", "all"])
    def test_makes_what_sam_makes_in_each_partition(self, parameters: dict[str, str]) -> None:
        """SAM decides what depends on `Tracing` itself, so it gets the parameters too."""
        of_sam = process(Template.load().body, parameters)
        assert without_files(made(translated(), parameters)) == without_files(made(of_sam, parameters))
        assert not re.search(r'(?<!such as )"arn:aws:', json.dumps(translated()["Resources"]))

    def test_names_each_file_that_the_package_has(self) -> None:
        keys = re.findall(rf'"(?:S3)?Bucket": "{BUCKET}", "(?:S3)?Key": "([^"]+)"', json.dumps(translated()))
        assert set(keys) == {"functions.zip", "console.zip", MACHINE, *(f"{layer}.zip" for layer in LAYERS)}
        console = translated()["Resources"]["ShowConsole"]["Properties"]
        assert console["Code"]["S3Key"] == "console.zip"

    def test_refuses_in_words_of_the_properties(self) -> None:
        told = [it["AssertDescription"] for rule in translated()["Rules"].values() for it in rule["Assertions"]]
        assert "domainName needs certificateArn" in told

    def test_has_patterns_that_javascript_reads_as_cloudformation_does(self) -> None:
        """No group, class or flag that one of them knows alone."""
        patterns = [it["AllowedPattern"] for it in translated()["Parameters"].values() if "AllowedPattern" in it]
        assert len(patterns) > 5
        assert not [it for it in patterns if re.search(r"\(\?[^:]|\\[pPAzZGQEhRX]|\[\[|&&|[*+?}]\+", it)]


def made(body: Mapping[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """The resources of a stack, by ids without the hash of a layer's content."""
    known = {plain(name): values for name, values in attributes().items()}
    found = Template(json.loads(plain(json.dumps(body))), parameters)
    return {
        name: found.resolve({key: value for key, value in it.items() if key not in ("Metadata", "Condition")}, known)
        for name, it in found.body["Resources"].items()
        if found.has(name)
    }


def plain(text: str) -> str:
    return re.sub(r"(\w+Layer)[0-9a-f]{10}\b", r"\1", text)


def without_files(part: Any) -> Any:
    if isinstance(part, list):
        return [without_files(it) for it in part]
    if not isinstance(part, dict):
        return part
    if part.keys() in ({"S3Bucket", "S3Key"}, {"Bucket", "Key"}):
        return "a file"
    return {name: without_files(it) for name, it in part.items()}


class TestTheTypes:
    def test_have_a_property_for_each_parameter_and_an_attribute_for_each_output(self) -> None:
        props, _, outputs = typed().partition("export interface WaitpointsOutputs")
        for members, section in ((props, "Parameters"), (outputs, "Outputs")):
            named = re.findall(r"^  readonly (\w+)", members, re.MULTILINE)
            assert [name[0].upper() + name[1:] for name in named] == list(translated()[section])

    @pytest.mark.parametrize(
        "line",
        [
            'readonly architecture?: "arm64" | "x86_64";',
            "readonly domainName?: string;",
            "readonly retentionDays?: number;",
            "readonly logRetentionDays?: 1 | 3 | 5 | 7 | 14 | 30 | 60 | 90 | 180 | 365;",
            '   * @default "arm64"',
            "readonly apiUrl: string;",
            "readonly dashboardUrl?: string;",
        ],
    )
    def test_say_what_is_allowed(self, line: str) -> None:
        assert line in typed()

    def test_have_each_description(self) -> None:
        """Which names other properties as a program writes them."""
        words = " ".join(re.sub(r"^ *(/\*\*|\*/|\*)| \*/$", "", typed(), flags=re.MULTILINE).split())
        for name, parameter in translated()["Parameters"].items():
            assert in_properties(" ".join(parameter["Description"].split()), translated()["Parameters"]) in words, name
        assert "It needs certificateArn." in words

    def test_leave_words_as_they_are(self) -> None:
        told = in_properties("Console: DomainName, MyDomainName, DomainNames", ["Console", "DomainName"])
        assert told == "Console: domainName, MyDomainName, DomainNames"


def test_the_page_names_the_one_stack_whose_urls_lead_to_it_on_this_machine() -> None:
    """Another name deploys, and then its links and keys are refused, as they reach this stack."""
    page = (FOLDER / "README.md").read_text()
    assert f"name the stack `{STACK_NAME}`" in page
    assert f'new Stack(new App(), "{STACK_NAME}")' in page


def test_a_package_is_the_same_whatever_the_order_of_its_files() -> None:
    one = npm_package.packed({"package.json": b"{}", "lib/index.js": b"1"})
    assert one == npm_package.packed({"lib/index.js": b"1", "package.json": b"{}"})
    with tarfile.open(fileobj=BytesIO(one)) as package:
        members = package.getmembers()
        assert [it.name for it in members] == ["package/lib/index.js", "package/package.json"]
        assert {(it.mode, it.uid, it.uname, it.mtime) for it in members} == {(0o644, 0, "", npm_package.TIME)}
