"""Other people's clients of Lambda against `cargo run -- serve`: as somebody who checks what the broker wrote, and who writes beside it."""

import contextlib
import json
import re
import subprocess
import unittest

import boto3
from botocore.config import Config

from readme import command
from support import ROOT, environment, scratch, start, until

REGION = "us-east-1"
PARTNER = "210987654321"


class Served:
    """`cargo run -- serve`, as the README starts it, at free ports."""

    def __init__(self):
        folder = scratch()
        words = command("Try it", "cargo run -- serve ")
        # cargo answers late when something else builds; the binary is the one that it would start.
        words = words.replace("cargo run --", str(ROOT / "target" / "debug" / "broker"))
        self.state = folder / "broker-state.json"
        for fixed, free in [("8080", "0"), ("8081", "0"), ("broker-state.json", str(self.state))]:
            assert words.count(fixed) == 1, f"{fixed} stands once in {words}"
            words = words.replace(fixed, free)
        log = folder / "serve.log"
        start(words.split(), log, env=environment(), cwd=ROOT)
        ready = until(lambda: re.findall(r"http://(127\.0\.0\.1:\d+)", log.read_text())[:2], "both addresses", 60)
        self.api, self.control_plane = until(lambda: ready if len(ready) == 2 else None, "both addresses")
        keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}
        self.environment = environment(**keys)

    def shell(self, words):
        """Runs a command of the README, with the addresses that are really there."""
        words = words.replace("127.0.0.1:8080", self.api).replace("127.0.0.1:8081", self.control_plane)
        options = {"cwd": ROOT, "env": self.environment, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(["bash", "-euc", words], **options)

    def curl(self, document):
        words = f"curl -s http://127.0.0.1:8080/grants -d {json.dumps(json.dumps(document)).replace('$', chr(92) + '$')}"
        return json.loads(self.shell(words).stdout)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = Served()
        cls.boto3 = boto3.client(
            "lambda",
            endpoint_url=f"http://{cls.served.control_plane}",
            region_name=REGION,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def aws(self, words):
        """The AWS CLI on Lambda, at the served control plane: its exit status, and the document or the error that it shows."""
        result = self.served.shell(f"aws lambda {words} --endpoint-url http://127.0.0.1:8081")
        return result.returncode, json.loads(result.stdout or "null"), result.stderr

    def ask(self, operation, dry=False, **parameters):
        return self.served.curl({"operation": operation, "parameters": parameters, "dryRun": dry})

    def statements(self, **function):
        with contextlib.suppress(self.boto3.exceptions.ResourceNotFoundException):
            return {one["Sid"]: one for one in json.loads(self.boto3.get_policy(**function)["Policy"])["Statement"]}
        return {}

    def test_the_commands_of_the_readme(self):
        granted = json.loads(self.served.shell(command("Try it", "curl ")).stdout)
        self.assertEqual((granted["outcome"], granted["statementId"]), ("granted", "partner-invoke"))
        shown = self.served.shell(command("Try it", "aws "))
        self.assertEqual(shown.returncode, 0, shown.stderr)
        policy = json.loads(json.loads(shown.stdout)["Policy"])
        self.assertEqual((policy["Version"], policy["Statement"]), ("2012-10-17", [granted["statement"]]))
        same = self.boto3.get_policy(FunctionName="orders", Qualifier="live")
        self.assertEqual(json.loads(same["Policy"]), policy)
        self.assertEqual(same["RevisionId"], json.loads(shown.stdout)["RevisionId"])
        self.assertIn("partner-invoke", self.served.state.read_text(), "the policies stay on disk")

    def test_what_a_client_wrote_the_broker_knows(self):
        words = "--function-name billing --statement-id partner --action lambda:InvokeFunction --principal"
        status, shown, errors = self.aws(f"add-permission {words} {PARTNER}")
        self.assertEqual(status, 0, errors)
        self.assertEqual(json.loads(shown["Statement"])["Principal"], {"AWS": f"arn:aws:iam::{PARTNER}:root"})
        wish = {"FunctionName": "billing", "StatementId": "partner", "Action": "lambda:InvokeFunction", "Principal": PARTNER}
        self.assertEqual(self.ask("AddPermission", **wish)["outcome"], "already_granted")
        reply = self.ask("AddPermission", **wish | {"Principal": "123456789012"})
        self.assertEqual((reply["outcome"], reply["code"]), ("conflict", "statement_conflict"))
        [read] = self.ask("GetPolicy", FunctionName="billing")["statements"]
        self.assertEqual((read["rule"], read["byBroker"]), ("partner", "unknown"))
        status, _, errors = self.aws(f"add-permission {words} 999999999999")
        self.assertIn("ResourceConflictException", errors)
        status, _, errors = self.aws("remove-permission --function-name billing --statement-id partner")
        self.assertEqual((status, self.statements(FunctionName="billing")), (0, {}), errors)
        reply = self.ask("RemovePermission", FunctionName="billing", StatementId="partner")
        self.assertEqual(reply["outcome"], "already_revoked")

    def test_what_the_broker_wrote_a_client_takes_away(self):
        bucket = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": PARTNER}
        organization = {"Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5"}
        url = {"Action": "lambda:InvokeFunctionUrl", "Principal": PARTNER, "FunctionUrlAuthType": "AWS_IAM"}
        for id, wish in [("bucket", bucket), ("organization", organization), ("url", url)]:
            wish = {"FunctionName": "invoices-api", "StatementId": id, "Action": "lambda:InvokeFunction"} | wish
            self.assertEqual(self.ask("AddPermission", **wish)["outcome"], "granted")
        stored = self.statements(FunctionName="invoices-api")
        conditions = {
            "bucket": {"StringEquals": {"AWS:SourceAccount": PARTNER}, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::uploads"}},
            "organization": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
            "url": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        }
        self.assertEqual({id: statement["Condition"] for id, statement in stored.items()}, conditions)
        # Somebody who removes with an old revision is told so; with the one of today it works.
        revision = self.boto3.get_policy(FunctionName="invoices-api")["RevisionId"]
        for id in ["bucket", "organization"]:
            self.boto3.remove_permission(FunctionName="invoices-api", StatementId=id, RevisionId=revision)
            with self.assertRaises(self.boto3.exceptions.PreconditionFailedException):
                self.boto3.remove_permission(FunctionName="invoices-api", StatementId="url", RevisionId=revision)
            revision = self.boto3.get_policy(FunctionName="invoices-api")["RevisionId"]
        self.assertEqual(list(self.statements(FunctionName="invoices-api")), ["url"])
        self.boto3.remove_permission(FunctionName="invoices-api", StatementId="url")
        with self.assertRaises(self.boto3.exceptions.ResourceNotFoundException):
            self.boto3.get_policy(FunctionName="invoices-api")
        with self.assertRaises(self.boto3.exceptions.ResourceNotFoundException):
            self.boto3.remove_permission(FunctionName="invoices-api", StatementId="url")

    def test_layers(self):
        version = {"LayerName": "tracing", "VersionNumber": 2}
        wish = {**version, "StatementId": "partner", "Action": "lambda:GetLayerVersion", "Principal": PARTNER}
        self.assertEqual(self.ask("AddLayerVersionPermission", **wish)["outcome"], "granted")
        words = "--layer-name tracing --version-number 2"
        status, shown, errors = self.aws(f"get-layer-version-policy {words}")
        self.assertEqual(status, 0, errors)
        [statement] = json.loads(shown["Policy"])["Statement"]
        self.assertEqual((statement["Sid"], statement["Action"]), ("partner", "lambda:GetLayerVersion"))
        self.assertEqual(json.loads(self.boto3.get_layer_version_policy(**version)["Policy"])["Statement"], [statement])
        wider = "--statement-id everyone --action lambda:GetLayerVersion --principal '*' --organization-id o-a1b2c3d4e5"
        status, _, errors = self.aws(f"add-layer-version-permission {words} {wider}")
        self.assertEqual(status, 0, errors)
        read = self.ask("GetLayerVersionPolicy", **version)["statements"]
        self.assertEqual({one["statement"]["Sid"]: one["rule"] for one in read}, {"partner": "partner", "everyone": "partner"})
        with self.assertRaises(self.boto3.exceptions.ResourceConflictException):
            self.boto3.add_layer_version_permission(**wish)
        status, _, errors = self.aws(f"remove-layer-version-permission {words} --statement-id partner")
        self.assertEqual(status, 0, errors)
        self.boto3.remove_layer_version_permission(**version, StatementId="everyone")
        status, _, errors = self.aws(f"get-layer-version-policy {words}")
        self.assertNotEqual(status, 0)
        self.assertIn("ResourceNotFoundException", errors)

    def test_a_full_policy_is_full_for_everybody(self):
        wish = {"FunctionName": "reports", "Action": "lambda:InvokeFunction", "Principal": PARTNER}
        with self.assertRaises(self.boto3.exceptions.PolicyLengthExceededException):
            for number in range(200):
                self.boto3.add_permission(StatementId=f"partner-{number}", **wish)
        reply = self.ask("AddPermission", StatementId="one-more", **wish)
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "policy_full"))
        for id in self.statements(FunctionName="reports"):
            self.boto3.remove_permission(FunctionName="reports", StatementId=id)

    def test_what_is_not_there_is_an_error_that_clients_know(self):
        status, _, errors = self.aws("get-policy --function-name nowhere")
        self.assertNotEqual(status, 0)
        self.assertIn("ResourceNotFoundException", errors)
        with self.assertRaises(self.boto3.exceptions.InvalidParameterValueException):
            self.boto3.add_permission(FunctionName="billing", StatementId="a", Action="lambda:InvokeFunction", Principal="nobody")
        status, _, errors = self.aws("add-permission --function-name billing --statement-id a,b --action lambda:InvokeFunction --principal s3.amazonaws.com")
        self.assertIn("ValidationException", errors)
