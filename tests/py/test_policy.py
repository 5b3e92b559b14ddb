"""`kannuki policy` as it is used: the README's examples, the fixture folder, a dialogue with a generator, exit codes."""

import json
import re
import subprocess
import xml.etree.ElementTree

import pytest

from conftest import env_client
from region import ROOT, binary
from test_readme import printed

README = (ROOT / "README.md").read_text()
FILES = re.compile(r"```(?:json|toml) (\w+\.\w+)\n(.*?)```", re.DOTALL)
SCRIPTS = re.compile(r"```sh policies\n(.*?)```\n+```text\n(.*?)```", re.DOTALL)
FIXTURES = ROOT / "tests/fixtures/policies"
CASE = {
    "id": "a",
    "request": {"principal": "arn:aws:iam::111122223333:user/ana", "action": "kms:ListKeys", "resource": "*"},
    "identity_policies": [{"Statement": {"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}}],
}


def policy(*arguments, text="", folder=ROOT):
    command = [binary(), "policy", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=folder, timeout=120)


def test_the_readme(tmp_path):
    files = dict(FILES.findall(README))
    assert {"endpoint.json", "perimeter.toml"} <= set(files)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    scripts = SCRIPTS.findall(README)
    assert len(scripts) == 2
    for script, shown in scripts:
        script = script.replace("kannuki policy", f"'{binary()}' policy")
        done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        missing = [line for line in shown.splitlines() if not printed(line, done.stdout + done.stderr)]
        assert not missing, f"{script}\nprinted\n{done.stdout}{done.stderr}\nand not\n" + "\n".join(missing)


def test_the_fixture_folder_passes(tmp_path):
    report = tmp_path / "report.xml"
    done = policy("test", FIXTURES, "--junit", report, "--against", FIXTURES)
    assert done.returncode == 0, done.stdout
    root = xml.etree.ElementTree.parse(report).getroot()
    assert int(root.get("tests")) > 600 and root.get("failures") == "0"
    assert len(root.findall("testsuite")) == len(list(FIXTURES.glob("*.toml")))
    assert done.stdout.count("\n0 requests flip against") == len(list(FIXTURES.glob("*.toml")))


def test_a_failure_quotes_the_statement_that_decided(tmp_path):
    text = (FIXTURES / "endpoint_policies.toml").read_text()
    (tmp_path / "a.toml").write_text(text.replace('"NobodyDeletesFromHere"\n', '"AnotherSid"\n'))
    done = policy("test", tmp_path / "a.toml", "--junit", tmp_path / "report.xml")
    assert done.returncode == 1
    assert "expected statement `AnotherSid` to decide, not vpce: `all but deletion`" in done.stdout
    assert '"Sid": "NobodyDeletesFromHere",' in done.stdout
    assert int(xml.etree.ElementTree.parse(tmp_path / "report.xml").getroot().get("failures")) > 0


@pytest.mark.parametrize(
    "text, said",
    [
        ("[[request]]\ncaller = 'x'\naction = 'kms:A'\nexpect = 'Allowed'\n", "there is no caller `x`"),
        ("[[request]]\ncaller = 'x'\nexpect = 'Allowed'\n", "`action` is missing"),
        ("[[document]]\nname = 'd'\njson = '{}'\n[[caller]]\narn = 's3.amazonaws.com'\npolicies = ['d']\n", "is no identity policy"),
        ("= 1", "a.toml:1:1"),
    ],
)
def test_a_fixture_that_is_wrong_is_refused(tmp_path, text, said):
    (tmp_path / "a.toml").write_text(text)
    done = policy("test", tmp_path / "a.toml")
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_decide_answers_in_order_and_goes_on_after_a_bad_line():
    lines = [json.dumps({**CASE, "id": number}) for number in range(500)]
    lines[7] = '{"id": 7}'
    done = policy("decide", text="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(500))
    assert "error" in answers[7] and all(answer["decision"] == "Allowed" for answer in answers if answer["id"] != 7)
    assert done.returncode == 1
    assert policy("decide", text=json.dumps(CASE)).returncode == 0


def test_decide_speaks_line_by_line():
    process = subprocess.Popen([binary(), "policy", "decide"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        for number in range(5):
            process.stdin.write(json.dumps({**CASE, "id": number}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_lint(tmp_path):
    good = {"Statement": {"Effect": "Allow", "Action": "kms:List*", "Resource": "*"}}
    bad = {"Statement": {"Effect": "Allow", "Action": "kms:Lisst", "Resource": "*"}}
    for name, document in (("good", good), ("bad", bad)):
        (tmp_path / name).write_text(json.dumps(document))
    assert policy("lint", "good", folder=tmp_path).returncode == 0
    done = policy("lint", "--json", "good", "bad", folder=tmp_path)
    (finding,) = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert (finding["file"], finding["line"], finding["rule"]) == ("bad", 1, "unknown-action")
    assert policy("lint", "--kind", "key", "good", folder=tmp_path).returncode == 1
    assert policy("lint", "absent", folder=tmp_path).returncode == 2


def test_replay_of_a_live_audit_log(demo, demo_env, tmp_path):
    """What the demo's endpoint policy let through, under one that lets nothing through."""
    kms = env_client(demo_env)
    kms.describe_key(KeyId="alias/demo")
    audit = demo.data / "audit"
    records = [json.loads(line) for file in audit.glob("*.jsonl") for line in file.read_text().splitlines()]
    endpoint = next(record["vpcEndpointId"] for record in records if record.get("eventName") == "DescribeKey")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    (tmp_path / "shut.json").write_text(json.dumps({"Statement": statement}))
    done = policy("replay", audit, "--with", f"{endpoint}={tmp_path / 'shut.json'}")
    assert done.returncode == 1, done.stderr
    assert re.search(r"^FLIP +Allowed -> ExplicitlyDenied .*kms:DescribeKey on arn:aws:kms:", done.stdout, re.MULTILINE)
    statement["Effect"] = "Allow"
    (tmp_path / "open.json").write_text(json.dumps({"Statement": statement}))
    listing = {"VpcEndpoints": [{"VpcEndpointId": endpoint, "PolicyDocument": json.dumps({"Statement": statement})}]}
    (tmp_path / "listing.json").write_text(json.dumps(listing))
    for given in (f"{endpoint}={tmp_path / 'open.json'}", str(tmp_path / "listing.json")):
        done = policy("replay", audit, "--all", "--with", given)
        assert " 0 flip, " in done.stdout and "DescribeKey" in done.stdout, done.stdout
