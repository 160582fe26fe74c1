"""What a domain, and an API without an address of its own, change in template.yaml as CloudFormation gets it."""

import json
import re
from typing import Any

import pytest

from tests.support.in_process.template import SIGN_IN, Template
from tests.support.processed_template import attributes, made, processed
from tests.support.resource_schemas import errors

DOMAIN = {
    "DomainName": "hooks.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/0b5f4a7e-0000-4000-8000-000000000000",
}
ZONE = {**DOMAIN, "HostedZoneId": "Z0123456789ABCDEFGHIJ"}
ONE_DOOR = {**DOMAIN, "DefaultEndpoint": "off"}
MUTUAL = {**ONE_DOOR, "TruststoreUri": "s3://certificates/authorities.pem"}
BEHIND = {**MUTUAL, "BehindCloudFront": "on"}
ALL = {**BEHIND, **ZONE}
RECORDS = {"ApiDomainRecord": "A", "ApiDomainRecordIpv6": "AAAA"}


def outputs(**parameters: str) -> dict[str, str]:
    template = Template(processed().body, parameters)
    having = {
        name: it["Value"]
        for name, it in template.body["Outputs"].items()
        if "Condition" not in it or template.resolve({"Condition": it["Condition"]}, {})
    }
    return template.resolve(having, attributes())


def differences(before: Any, after: Any, path: str = "") -> dict[str, Any]:
    """What differs in the second of two values, by its path."""
    if isinstance(before, dict) and isinstance(after, dict):
        found: dict[str, Any] = {}
        for name in before.keys() | after.keys():
            found |= differences(before.get(name), after.get(name), f"{path}/{name}")
        return found
    return {} if before == after else {path: after}


class TestAStackWithoutADomain:
    def test_has_nothing_of_it(self) -> None:
        """But the default of API Gateway said aloud, as SAM cannot leave it out in some stacks only."""
        text = json.dumps(made())
        setting = '"servers": [{"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": false}}], '
        assert text.count(setting) == 1
        assert (
            re.findall(r"domain|certificate|route53|truststore|cloudfront|disable\w*endpoint", text.replace(setting, ""), re.I)
            == []
        )
        assert not [name for name in outputs() if "Domain" in name]

    def test_has_the_urls_of_the_request(self) -> None:
        functions = [it for it in made().values() if it["Type"] == "AWS::Lambda::Function"]
        assert {it["Properties"]["Environment"]["Variables"]["BASE_URL"] for it in functions} == {""}


class TestADomain:
    def test_makes_the_domain_and_its_mapping_and_changes_only_urls_and_the_access_log(self) -> None:
        found = differences(made(), made(**DOMAIN))
        log = "/ApiApiGatewayDefaultStage/Properties/AccessLogSettings/Format"
        assert '"domain": "$context.domainName"}' in found.pop(log)
        added = {path: found.pop(path) for path in ("/ApiDomain", "/ApiDomainMapping")}
        assert set(found.values()) == {"https://hooks.example.com"}
        del found["/ApiUrlParameter/Properties/Value"]
        assert {path.rpartition("/")[2] for path in found} == {"BASE_URL"}
        assert added["/ApiDomainMapping"]["Properties"] == {
            "DomainName": "waitpoints-ApiDomain",
            "ApiId": "waitpoints-Api",
            "Stage": "waitpoints-ApiApiGatewayDefaultStage",
        }
        [configuration] = added["/ApiDomain"]["Properties"].pop("DomainNameConfigurations")
        assert added["/ApiDomain"]["Properties"] == {"DomainName": DOMAIN["DomainName"]}
        assert configuration["CertificateArn"] == DOMAIN["CertificateArn"]

    def test_takes_ipv6_too_since_its_records_say_so(self) -> None:
        """The default is IPv4 only.

        docs.aws.amazon.com/apigateway/latest/developerguide/http-api-custom-domain-names-ip-address-type.html
        """
        [configuration] = made(**DOMAIN)["ApiDomain"]["Properties"]["DomainNameConfigurations"]
        assert (configuration["IpAddressType"], configuration["EndpointType"]) == ("dualstack", "REGIONAL")

    def test_has_its_records_only_in_a_zone_that_is_given(self) -> None:
        found = differences(made(**DOMAIN), made(**ZONE))
        assert {path.removeprefix("/"): it["Properties"]["Type"] for path, it in found.items()} == RECORDS
        for record in found.values():
            assert (record["Properties"]["HostedZoneId"], record["Properties"]["Name"]) == (
                ZONE["HostedZoneId"],
                ZONE["DomainName"],
            )
            assert record["Properties"]["AliasTarget"] == {
                "DNSName": "waitpoints-ApiDomain.RegionalDomainName",
                "HostedZoneId": "waitpoints-ApiDomain.RegionalHostedZoneId",
            }

    @pytest.mark.parametrize(
        ("parameters", "url"),
        [
            ({}, "waitpoints-Api.ApiEndpoint"),
            (DOMAIN, "https://hooks.example.com"),
            ({"PublicBaseUrl": "https://public.example.com"}, "https://public.example.com"),
            ({**DOMAIN, "PublicBaseUrl": "https://public.example.com"}, "https://public.example.com"),
        ],
    )
    def test_is_the_public_base_url_unless_another_is_given(self, parameters: dict[str, str], url: str) -> None:
        """Clients and operators take it from the output; functions give callback URLs from the variable."""
        assert outputs(**parameters)["ApiUrl"] == url
        assert outputs(**parameters)["ConsoleUrl"] == f"{url}/console"
        functions = [it for it in made(**parameters).values() if it["Type"] == "AWS::Lambda::Function"]
        given = {it["Properties"]["Environment"]["Variables"]["BASE_URL"] for it in functions}
        assert given == {url if parameters else ""}

    def test_says_what_its_records_point_to(self) -> None:
        assert outputs(**DOMAIN).keys() - outputs().keys() == {"DomainTarget"}
        assert outputs(**DOMAIN)["DomainTarget"] == "waitpoints-ApiDomain.RegionalDomainName"


class TestOneDoor:
    def test_turns_off_the_apis_own_address_and_changes_nothing_else(self) -> None:
        """SAM's integration tests deploy both values: its http_api_with_disable_execute_api_endpoint_{true,false}.yaml."""
        found = differences(made(**DOMAIN), made(**ONE_DOOR))
        [setting] = found.pop("/Api/Properties/Body/servers")
        assert setting == {"x-amazon-apigateway-endpoint-configuration": {"disableExecuteApiEndpoint": True}}
        assert found == {}

    def test_may_ask_for_a_certificate(self) -> None:
        found = differences(made(**ONE_DOOR), made(**MUTUAL))
        assert found == {"/ApiDomain/Properties/MutualTlsAuthentication": {"TruststoreUri": MUTUAL["TruststoreUri"]}}

    def test_may_be_cloudfronts(self) -> None:
        found = differences(made(**MUTUAL), made(**BEHIND))
        assert set(found.values()) == {"on"}
        assert {path.rpartition("/")[2] for path in found} == {"BEHIND_CLOUDFRONT"}


@pytest.mark.parametrize("parameters", [{}, DOMAIN, ZONE, ONE_DOOR, ALL], ids=["none", "domain", "zone", "one door", "all"])
def test_what_a_domain_touches_fits_its_schema(parameters: dict[str, str]) -> None:
    kinds = ("AWS::ApiGatewayV2::", "AWS::Route53::")
    found = {name: it for name, it in made(**parameters).items() if it["Type"].startswith(kinds)}
    assert len(found) == 2 + 2 * ("DomainName" in parameters) + 2 * ("HostedZoneId" in parameters)
    assert [error for it in found.values() for error in errors(it["Type"], it["Properties"])] == []


def test_what_does_not_fit_its_schema_is_found() -> None:
    domain = made(**DOMAIN)["ApiDomain"]["Properties"]
    wrong = {**domain, "DomainNameConfigurations": [{"Certificate": "x"}], "RegionalDomainName": "x"}
    assert len(errors("AWS::ApiGatewayV2::DomainName", wrong)) == 2


def refusals(**parameters: str) -> list[str]:
    """What CloudFormation says to a stack with these parameters.

    docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
    """
    template = Template(processed().body, parameters)
    broken = [rule for rule in template.body["Rules"].values() if template.resolve(rule["RuleCondition"], {})]
    asserted = [it for rule in broken for it in rule["Assertions"]]
    return [it["AssertDescription"].partition(":")[0] for it in asserted if not template.resolve(it["Assert"], {})]


@pytest.mark.parametrize(
    "parameters", [{}, DOMAIN, ZONE, ONE_DOOR, MUTUAL, BEHIND, ALL, {"PublicBaseUrl": "https://a.example"}]
)
def test_parameters_that_fit_are_accepted(parameters: dict[str, str]) -> None:
    assert refusals(**parameters) == []


@pytest.mark.parametrize(
    ("parameters", "refused"),
    [
        ({"DefaultEndpoint": "off"}, "DefaultEndpoint=off needs DomainName"),
        ({"DefaultEndpoint": "off", "PublicBaseUrl": "https://a.example"}, "DefaultEndpoint=off needs DomainName"),
        ({"DomainName": DOMAIN["DomainName"]}, "DomainName needs CertificateArn"),
        ({"CertificateArn": DOMAIN["CertificateArn"]}, "CertificateArn needs DomainName"),
        ({"HostedZoneId": ZONE["HostedZoneId"]}, "HostedZoneId needs DomainName"),
        ({**DOMAIN, "TruststoreUri": MUTUAL["TruststoreUri"]}, "TruststoreUri needs DefaultEndpoint=off"),
        ({**ONE_DOOR, "BehindCloudFront": "on"}, "BehindCloudFront=on needs TruststoreUri"),
        ({**SIGN_IN, "OidcClientId": ""}, "OidcIssuer needs OidcClientId"),
        ({**SIGN_IN, "PublicBaseUrl": ""}, "OidcIssuer needs DomainName or PublicBaseUrl"),
        ({"SignIn": "required"}, "SignIn=required needs OidcIssuer"),
    ],
)
def test_half_a_set_of_parameters_is_refused(parameters: dict[str, str], refused: str) -> None:
    assert refusals(**parameters) == [refused]


def test_a_rule_has_only_functions_that_rules_take() -> None:
    """docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html"""
    found = set(re.findall(r'"(Ref|Condition|Fn::\w+)"', json.dumps(processed().body["Rules"])))
    assert found == {"Ref", "Fn::Equals", "Fn::Not", "Fn::Or"}
