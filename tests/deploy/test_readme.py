"""The commands of the README's section on deploying, run as they are written by somebody who may do just that."""

import json
import os
import re
import subprocess
import unittest

from cloud import ACCOUNT, REGION, cloud
from readme import blocks, command, section
from stack import allow, document, make_function, stack, statements
from support import ROOT, scratch, until


class Deploy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The function of the examples.
        make_function(cloud().client("lambda"), cloud().client("iam"), "orders")
        outputs = stack().outputs
        may = [
            allow("execute-api:Invoke", outputs["GrantsInvokeArn"]),
            allow("sqs:SendMessage", outputs["RequestsQueueArn"]),
            allow("events:PutEvents", outputs["EventBusArn"]),
            allow("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack().name}/*"),
        ]
        iam = cloud().client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
        role = iam.create_role(RoleName="developer", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName="developer", PolicyName="may", PolicyDocument=document(*may))
        # Most people have keys that end, with a token.
        key = cloud().client("sts").assume_role(RoleArn=role, RoleSessionName="alice")["Credentials"]
        cls.environment = cloud().environment((key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"]), **outputs)
        cls.folder = scratch()
        os.symlink(ROOT / "events", cls.folder / "events")
        [entries] = [block for block in blocks("Deploy", "json") if "DetailType" in block]
        (cls.folder / "entries.json").write_text(entries)

    def run_as_written(self, words):
        options = {"cwd": self.folder, "env": self.environment, "capture_output": True, "text": True, "timeout": 120}
        result = subprocess.run(["bash", "-euc", words], **options)
        self.assertEqual(result.returncode, 0, f"{words}\n{result.stdout}\n{result.stderr}")
        return json.loads(result.stdout)

    def outcomes(self, id):
        return until(lambda: [line["outcome"] for line in stack().audit(eventId=id, record="outcome")], f"an outcome of {id}")

    def test_the_policy_of_people_who_may_ask_is_the_outputs(self):
        [policy] = [json.loads(block) for block in blocks("Deploy", "json") if "execute-api:Invoke" in block]
        shape = re.sub(r"[a-z0-9]+(?=/\*/\*/grants)", "API", policy["Statement"][0]["Resource"])
        self.assertEqual(re.sub(r"[a-z0-9]+(?=/\*/\*/grants)", "API", stack().outputs["GrantsInvokeArn"]), shape)

    def test_curl_asks(self):
        reply = self.run_as_written(command("Deploy", "curl "))
        # Whichever of these tests comes first grants it.
        self.assertIn(reply["outcome"], ["granted", "already_granted"])
        self.assertIn("partner-invoke", statements("orders", Qualifier="live"))
        lines = stack().audit(requestId=reply["requestId"])
        self.assertEqual({line["requester"] for line in lines}, {f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/alice"})

    def test_the_command_line_of_aws_sends_a_message(self):
        # For this service the first major version of the AWS CLI overlooks AWS_ENDPOINT_URL.
        sent = self.run_as_written(command("Deploy", "aws sqs ") + ' --endpoint-url "$AWS_ENDPOINT_URL"')
        self.assertIn(self.outcomes(sent["MessageId"]), [["granted"], ["already_granted"]])

    def test_the_command_line_of_aws_puts_an_event(self):
        put = self.run_as_written(command("Deploy", "aws events "))
        self.assertEqual(put["FailedEntryCount"], 0)
        self.assertEqual(self.outcomes(put["Entries"][0]["EventId"]), ["granted"])
        # Without a qualifier MiniStack shows the statements on aliases too; AWS keeps a policy for each.
        unqualified = [one for one in statements("orders").values() if one["Resource"].endswith(":orders")]
        self.assertEqual(len(unqualified), 1)

    def test_the_command_line_of_aws_shows_the_outputs(self):
        words = re.search(r"`(aws cloudformation describe-stacks [^`]+)`", section("Deploy"))[1]
        [shown] = self.run_as_written(words)["Stacks"]
        self.assertEqual({one["OutputKey"]: one["OutputValue"] for one in shown["Outputs"]}, stack().outputs)
