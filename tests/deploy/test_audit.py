"""What stands in the log group after requests of every kind."""

import json
import unittest

from cloud import cloud
from stack import PARTNER, allow, function, request, stack, user
from test_api import ask

# Not a value that anything else here has.
TOKEN = "amzn1.ask.skill.0d5a1c2e-never-shown"


class Audit(unittest.TestCase):
    def test_tells_each_request_and_no_secret(self):
        _, key = user("ci", allow("execute-api:Invoke", stack().outputs["GrantsInvokeArn"]))
        name = function()
        skill = {"Principal": "s3.amazonaws.com", "SourceAccount": PARTNER, "EventSourceToken": TOKEN}
        replies = [
            ask("POST", request(name, StatementId="plain"), key)[2],
            ask("POST", request(name, StatementId="secret", **skill), key)[2],
            ask("POST", request(name, Principal="999999999999"), key)[2],
            ask("GET", key=key, query=f"?FunctionName={name}")[2],
            ask("POST", {"operation": "AddPermission"}, key)[2],
        ]
        self.assertEqual([reply["outcome"] for reply in replies], ["granted", "granted", "denied", "read", "rejected"])
        records = [[line["record"] for line in stack().audit(requestId=reply["requestId"])] for reply in replies]
        change, other = ["intent", "outcome"], ["outcome"]
        self.assertEqual(records, [change, change, other, other, other])
        intent, outcome = stack().audit(requestId=replies[1]["requestId"])
        self.assertEqual([intent["eventSourceToken"], outcome["eventSourceToken"]], ["present"] * 2)
        self.assertEqual((outcome["outcome"], outcome["attempts"], outcome["sourceAccount"]), ("granted", 1, PARTNER))
        self.assertRegex(outcome["awsRequestId"], "^[0-9a-f-]{36}$")
        logged = json.dumps(stack().logged())
        for secret in [TOKEN, key[1]]:
            self.assertNotIn(secret, logged)

    def test_is_kept_for_a_year_in_a_group_of_its_own(self):
        group = stack().outputs["LogGroupName"]
        [described] = cloud().client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        self.assertEqual((described["logGroupName"], described["retentionInDays"]), (group, 365))
        function = cloud().client("lambda").get_function_configuration(FunctionName=stack().name)
        self.assertEqual(function["LoggingConfig"]["LogGroup"], group)
