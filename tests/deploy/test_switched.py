"""What the template leaves off, switched on: an allowlist that is followed in AppConfig, grants that end, results on a bus."""

import datetime
import json
import subprocess
import time
import unittest

from botocore.exceptions import ClientError

from cloud import ACCOUNT, REGION, cloud
from readme import blocks
from stack import ALLOWLIST, BUS, PARTNER, SWEPT, allow, function, invoke, request, role_key, stack, statements, third, user
from support import differs, scratch, until

OTHER = "999999999999"


def setUpModule():
    """Asked for before everything else, since a grant lasts for a minute at least."""
    global ending, swept, over, group
    group = third().group()
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=75)
    over = time.monotonic() + 75
    at = {"expiresAt": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    ending = function()
    for name in [ending, SWEPT]:
        reply = invoke(third(), request(name, StatementId="timed") | at)
        assert reply["outcome"] == "granted", third().audit(requestId=reply["requestId"])
    schedules = {json.loads(one["Target"]["Input"])["scheduled"]["parameters"]["FunctionName"]: one for one in scheduled()}
    # One schedule is lost, as if somebody had deleted it.
    cloud().client("scheduler").delete_schedule(Name=schedules[SWEPT]["Name"], GroupName=group)
    swept = schedules


def scheduled():
    """The schedules that the broker has made."""
    scheduler = cloud().client("scheduler")
    names = [one["Name"] for one in scheduler.list_schedules(GroupName=group)["Schedules"]]
    each = (scheduler.get_schedule(Name=name, GroupName=group) for name in names)
    return [one for one in each if one["ScheduleExpression"].startswith("at(")]


class Followed(unittest.TestCase):
    """An allowlist in AppConfig."""

    def outcome(self, principal):
        reply = invoke(third(), request(self.function, Principal=principal) | {"dryRun": True})
        return reply["outcome"], reply["requestId"]

    def setUp(self):
        self.function = function()

    def deploy(self, allowlist):
        """The two commands of the README, as they are written, by somebody who may do just that."""
        ids = third().outputs
        application = f"arn:aws:appconfig:{REGION}:{ACCOUNT}:application/{ids['AllowlistApplicationId']}"
        strategy = f"arn:aws:appconfig:{REGION}:{ACCOUNT}:deploymentstrategy/{ids['AllowlistStrategyId']}"
        profile = f"{application}/configurationprofile/{ids['AllowlistProfileId']}"
        environment = f"{application}/environment/{ids['AllowlistEnvironmentId']}"
        _, key = user(
            "security",
            allow("appconfig:CreateHostedConfigurationVersion", [application, profile]),
            allow("appconfig:StartDeployment", [application, profile, environment, strategy]),
        )
        folder = scratch()
        (folder / "allowlist.json").write_text(allowlist)
        environment = cloud().environment(key, **ids)
        commands = [line for block in blocks("Without a new deployment", "sh") for line in block.splitlines()]
        create, start = [line for line in commands if line.startswith("aws appconfig ")]
        made = self.run_as_written(create, folder, environment)
        self.assertTrue(start.endswith(" --configuration-version 2"))
        started = self.run_as_written(start[:-1] + str(made["VersionNumber"]), folder, environment)
        self.assertEqual(started["ConfigurationVersion"], str(made["VersionNumber"]))

    def run_as_written(self, words, folder, environment):
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 120}
        result = subprocess.run(["bash", "-euc", words], **options)
        self.assertEqual(result.returncode, 0, f"{words}\n{result.stdout}\n{result.stderr}")
        return json.loads(result.stdout)

    def test_a_new_version_decides_and_a_bad_one_does_not(self):
        variables = cloud().client("lambda").get_function_configuration(FunctionName=third().name)["Environment"]["Variables"]
        self.assertNotIn("BROKER_ALLOWLIST", variables)
        allowed, asked = self.outcome(PARTNER)
        self.assertEqual((allowed, self.outcome(OTHER)[0]), ("would_grant", "denied"), "the parameter is the first version")
        [line] = third().audit(requestId=asked, record="outcome")
        self.assertEqual(line["allowlistVersion"], "1")
        self.assertLessEqual(line["allowlistAgeSeconds"], 300)

        self.deploy(json.dumps([ALLOWLIST[0] | {"accounts": [OTHER]}]))
        until(lambda: self.outcome(OTHER)[0] == "would_grant", "the new version decides, without a deployment of the stack", 60)
        denied, asked = self.outcome(PARTNER)
        self.assertEqual(denied, "denied", "and what it does not have is gone")
        [line] = third().audit(requestId=asked, record="outcome")
        self.assertEqual(line["allowlistVersion"], "2")

        differs(
            "MiniStack",
            "AppConfig does not hold a version against the profile's validator, so that a malformed one is deployed; that the "
            "validator refuses it is for cargo test",
            "it is refused",
        )
        self.deploy('[{"id": "partner", "accounts": ["everyone"]}]')
        refused = until(self.refusal, "the broker has seen it", 60)
        self.assertIn("/0/accounts/0", refused["problems"])
        self.assertEqual([self.outcome(OTHER)[0], self.outcome(PARTNER)[0]], ["would_grant", "denied"], "the last good one")

    def refusal(self):
        self.outcome(OTHER)
        lines = [line for line in third().logged() if "the new allowlist is not used" in json.dumps(line)]
        return lines and (lines[0].get("fields") or lines[0])

    def test_the_role_reads_and_does_nothing_else(self):
        ids, config = third().outputs, cloud().client("appconfig", role_key(third()))
        outputs = ("AllowlistApplicationId", "AllowlistEnvironmentId", "AllowlistProfileId")
        names = ("ApplicationIdentifier", "EnvironmentIdentifier", "ConfigurationProfileIdentifier")
        asked = dict(zip(names, (ids[output] for output in outputs)))
        cloud().client("appconfigdata", role_key(third())).start_configuration_session(**asked)
        differs(
            "MiniStack",
            "AppConfig's sessions need no right, so that the role has them anyway; that it has the right is for cargo test",
            "without the template's Allow they are refused",
        )
        # The role of a broker that follows nothing: once it is refused, take this exception away.
        cloud().client("appconfigdata", role_key(stack())).start_configuration_session(**asked)
        application = {"ApplicationId": ids["AllowlistApplicationId"]}
        for call, more in [
            (config.list_applications, {}),
            (config.get_configuration_profile, application | {"ConfigurationProfileId": ids["AllowlistProfileId"]}),
            (config.delete_environment, application | {"EnvironmentId": ids["AllowlistEnvironmentId"]}),
        ]:
            with self.assertRaises(ClientError) as refused:
                call(**more)
            self.assertIn(refused.exception.response["Error"]["Code"], ["AccessDenied", "AccessDeniedException"])


class Results(unittest.TestCase):
    """What became of requests, on a bus of its own."""

    def test_each_change_is_told_and_nothing_else(self):
        events, queues = cloud().client("events"), cloud().client("sqs")
        queue = queues.create_queue(QueueName="told")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name="told", EventBusName=BUS, EventPattern=json.dumps({"source": ["permission-broker"]}))
        events.put_targets(Rule="told", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
        name = function()
        # Last, the one that no allowlist of these tests lets through.
        wishes = [{"operation": "GetPolicy", "parameters": {"FunctionName": name}}, request(name, Principal="111111111111")]
        replies = [invoke(third(), wish) for wish in wishes]
        received = []

        def told():
            got = queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            received.extend(json.loads(one["Body"]) for one in got)
            return any(one["detail"]["requestId"] == replies[-1]["requestId"] for one in received)

        until(told, "the outcome is on the bus")
        of = {one["detail"]["requestId"]: one for one in received}
        self.assertNotIn(replies[0]["requestId"], of, "a read is not told")
        event = of[replies[1]["requestId"]]
        self.assertEqual((event["source"], event["detail-type"]), ("permission-broker", "grant.denied"))
        detail = event["detail"]
        self.assertEqual((detail["outcome"], detail["code"]), ("denied", "principal_not_allowed"))
        self.assertEqual(third().audit(record="publish"), [], "nothing was lost")


class Timed(unittest.TestCase):
    """Grants that end, by their schedule or else by the sweep."""

    def test_the_group_has_the_name_of_this_stack_alone(self):
        [made] = cloud().client("cloudformation").describe_stacks(StackName=third().name)["Stacks"]
        self.assertEqual(group, f"permission-broker-{made['StackId'].split('/')[2]}")

    def test_the_schedule_takes_the_statement_away(self):
        target = swept[ending]["Target"]
        outputs = third().outputs
        self.assertEqual(target["Arn"], outputs["FunctionArn"])
        self.assertNotEqual(target["RoleArn"], outputs["RoleArn"])
        until(lambda: time.monotonic() > over, "the time has passed", 90)
        until(lambda: statements(ending) == {}, "the schedule has fired", 60)
        [line] = third().audit(operation="Expire", record="outcome", outcome="revoked")
        self.assertEqual((line["door"], line["target"].rsplit(":", 1)[1]), ("schedule", ending))
        self.assertNotIn(swept[ending]["Name"], [one["Name"] for one in scheduled()])

    def test_the_sweep_takes_away_what_has_lost_its_schedule(self):
        until(lambda: time.monotonic() > over, "the time has passed", 90)
        self.assertEqual(len(statements(SWEPT)), 1, "nothing else takes it away")
        sweep = cloud().client("scheduler").get_schedule(Name=f"{third().name}-sweep", GroupName=group)
        self.assertEqual((sweep["ScheduleExpression"], sweep["State"]), ("rate(1 day)", "ENABLED"))
        # What the schedule sends once a day.
        event = json.loads(sweep["Target"]["Input"].replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3"))
        self.assertEqual(invoke(third(), event)["operation"], "Sweep")
        # It finds the functions of every test, and goes on a minute later if this machine is too slow for all of them at once.
        until(lambda: statements(SWEPT) == {}, "the sweep has come to it", 200)
        until(lambda: third().audit(operation="Sweep", record="outcome", outcome="revoked"), "it is on record", 60)
        self.assertEqual(invoke(third(), event)["outcome"], "already_revoked")

    def test_the_broker_can_neither_change_nor_delete_a_schedule(self):
        scheduler = cloud().client("scheduler", role_key(third()))
        for call in [scheduler.delete_schedule, scheduler.get_schedule_group]:
            with self.assertRaises(ClientError) as refused:
                of = {"Name": f"{third().name}-sweep", "GroupName": group}
                call(**(of if call == scheduler.delete_schedule else {"Name": group}))
            self.assertIn(refused.exception.response["Error"]["Code"], ["AccessDenied", "AccessDeniedException"])
