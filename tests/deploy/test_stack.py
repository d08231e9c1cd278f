"""The zip and the deployment: what SAM builds, asks, makes and tells."""

import json
import platform
import re
import struct
import unittest

from cloud import cloud
from stack import parameters, stack, third
from support import BUILT, ROOT

# What Lambda's `provided.al2023` has.
NEWEST_GLIBC = (2, 34)
# ELF's numbers of the two architectures.
MACHINES = {"x86_64": 62, "aarch64": 183, "arm64": 183}


class Zip(unittest.TestCase):
    """What `sam deploy` zips and uploads."""

    def setUp(self):
        self.files = [file for file in (BUILT / "Broker").rglob("*") if file.is_file()]
        self.binary = (BUILT / "Broker" / "bootstrap").read_bytes()

    def test_holds_the_binary_and_nothing_else(self):
        self.assertEqual([file.name for file in self.files], ["bootstrap"])
        self.assertTrue(self.files[0].stat().st_mode & 0o111, "it can be executed")
        magic, machine = self.binary[:4], struct.unpack_from("<H", self.binary, 18)[0]
        self.assertEqual((magic, machine), (b"\x7fELF", MACHINES[platform.machine()]))

    def test_starts_with_the_c_library_that_lambda_has(self):
        wanted = {tuple(map(int, version.split(b"."))) for version in re.findall(rb"\x00GLIBC_([0-9.]+)(?=\x00)", self.binary)}
        self.assertTrue(wanted, "it names what it wants")
        self.assertLessEqual(max(wanted), NEWEST_GLIBC)

    def test_has_no_local_mode(self):
        self.assertIn(b"BROKER_ALLOWLIST_FILE", self.binary, "its texts can be found")
        for text in ["broker-state.json", "Open the API door", "AKIAIOSFODNN7EXAMPLE"]:
            self.assertNotIn(text.encode(), self.binary)


class Guided(unittest.TestCase):
    """`sam deploy --guided`."""

    def test_asks_for_the_parameters_and_nothing_that_takes_a_study(self):
        asked = re.findall(r"Parameter (\w+)", stack().told.split("Saved arguments")[0])
        self.assertEqual(asked, parameters())
        self.assertNotIn("has no authentication", stack().told)

    def test_the_default_of_each_parameter_is_an_answer(self):
        # Everything but the four answers was left as it was proposed, and the broker works: the other tests ask it.
        made = cloud().client("cloudformation").describe_stacks(StackName=stack().name)["Stacks"][0]
        self.assertEqual([given["ParameterKey"] for given in made["Parameters"]], parameters())


class Outputs(unittest.TestCase):
    """What the stack tells leads to something."""

    def test_are_those_of_the_template(self):
        section = (ROOT / "template.yaml").read_text().split("\nOutputs:\n")[1]
        each = re.findall(r"^  (\w+):\n(    Condition: Followed\n)?", section, re.MULTILINE)
        self.assertEqual(sorted(stack().outputs), sorted(name for name, condition in each if not condition))
        self.assertEqual(sorted(third().outputs), sorted(name for name, _ in each))

    def test_name_what_exists(self):
        outputs, client = stack().outputs, cloud().client
        arn = client("lambda").get_function(FunctionName=outputs["FunctionArn"])["Configuration"]
        self.assertEqual((arn["Role"], arn["Timeout"], arn["MemorySize"]), (outputs["RoleArn"], 15, 256))
        queue = client("sqs").get_queue_attributes(QueueUrl=outputs["RequestsQueueUrl"], AttributeNames=["QueueArn"])
        self.assertEqual(queue["Attributes"]["QueueArn"], outputs["RequestsQueueArn"])
        for letters in ["RequestDeadLettersUrl", "InvokeDeadLettersUrl", "RuleDeadLettersUrl"]:
            client("sqs").get_queue_attributes(QueueUrl=outputs[letters], AttributeNames=["QueueArn"])
        self.assertEqual(client("events").describe_event_bus(Name="default")["Arn"], outputs["EventBusArn"])
        client("sns").get_topic_attributes(TopicArn=outputs["AlarmTopicArn"])
        self.assertRegex(outputs["GrantsUrl"], r"^https?://[a-z0-9]+\.execute-api\..+/grants$")

    def test_the_pattern_is_the_rules_own(self):
        events = cloud().client("events")
        [rule] = events.list_rule_names_by_target(TargetArn=stack().outputs["FunctionArn"])["RuleNames"]
        pattern = events.describe_rule(Name=rule)["EventPattern"]
        self.assertEqual(json.loads(pattern), json.loads(stack().outputs["EventPattern"]))
