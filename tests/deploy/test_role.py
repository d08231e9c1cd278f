"""The broker's role, as SAM deployed it: what IAM stops where the broker's own rules would not."""

import unittest

from botocore.exceptions import ClientError

from cloud import cloud
from stack import PARTNER, allow, document, function, request, role_key, stack, statements, user
from test_api import ask


class Role(unittest.TestCase):
    """Whoever holds the role's credentials, and not the broker's binary."""

    @classmethod
    def setUpClass(cls):
        cls.key = role_key(stack())

    def client(self, service):
        return cloud().client(service, self.key)

    def denied(self, call, **parameters):
        with self.assertRaises(ClientError) as refused:
            call(**parameters)
        self.assertIn(refused.exception.response["Error"]["Code"], ["AccessDenied", "AccessDeniedException"])

    def grant(self, name):
        action = {"Action": "lambda:InvokeFunction", "Principal": PARTNER}
        return {"FunctionName": name, "StatementId": "tried", **action}

    def test_may_grant_within_its_prefix(self):
        name = function("orders")
        self.client("lambda").add_permission(**self.grant(name))
        self.assertEqual(list(statements(name)), ["tried"])
        self.client("lambda").remove_permission(FunctionName=name, StatementId="tried")
        self.assertEqual(statements(name), {})

    def test_may_not_grant_beyond_its_prefix(self):
        name = function("payroll")
        self.denied(self.client("lambda").add_permission, **self.grant(name))
        self.assertEqual(statements(name), {})

    def test_may_not_grant_on_the_broker(self):
        broker = stack().outputs["FunctionArn"]
        before = statements(broker)
        # Even with an Allow for everything beside it: the template's Deny holds against each.
        role, iam = stack().outputs["RoleArn"].rsplit("/", 1)[1], cloud().client("iam")
        every = document(allow("*", "*"))
        iam.put_role_policy(RoleName=role, PolicyName="mistake", PolicyDocument=every)
        try:
            self.denied(self.client("lambda").add_permission, **self.grant(broker))
            self.denied(self.client("lambda").add_permission, Qualifier="live", **self.grant(broker))
            self.denied(self.client("lambda").remove_permission, FunctionName=broker, StatementId=next(iter(before)))
            self.denied(self.client("lambda").list_functions)
            self.denied(self.client("iam").create_user, UserName="more")
            self.denied(self.client("s3").list_buckets)
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="mistake")
        self.assertEqual(statements(broker), before)

    def test_may_not_do_anything_else(self):
        self.denied(self.client("lambda").delete_function, FunctionName=function())
        self.denied(self.client("iam").list_users)
        self.denied(self.client("sqs").send_message, QueueUrl=stack().outputs["RequestsQueueUrl"], MessageBody="{}")
        self.denied(self.client("logs").delete_log_group, logGroupName=stack().outputs["LogGroupName"])


class Broker(unittest.TestCase):
    """The deployed broker, asked for more than its role may do."""

    def setUp(self):
        _, self.key = user("ci", allow("execute-api:Invoke", stack().outputs["GrantsInvokeArn"]))

    def test_beyond_its_prefix_iam_denies_what_the_allowlist_would_allow(self):
        name = function("payroll")
        status, _, reply = ask("POST", request(name), self.key)
        self.assertEqual((status, reply["outcome"], reply["code"]), (500, "failed", "access_denied"), reply)
        self.assertEqual(statements(name), {})
        outcome = stack().audit(requestId=reply["requestId"], record="outcome")[-1]
        self.assertEqual((outcome["code"], outcome["retryable"], outcome["level"]), ("access_denied", False, "ERROR"))

    def test_on_itself_it_denies_before_it_asks_aws(self):
        broker = stack().outputs["FunctionArn"]
        before = statements(broker)
        status, _, reply = ask("POST", request(broker), self.key)
        self.assertEqual((status, reply["outcome"], reply["code"]), (403, "denied", "target_not_allowed"), reply)
        [line] = stack().audit(requestId=reply["requestId"])
        self.assertNotIn("calls", line)
        self.assertEqual(statements(broker), before)

    def test_the_doors_alone_may_invoke_it(self):
        principals = {statement["Principal"]["Service"] for statement in statements(stack().name).values()}
        self.assertEqual(principals, {"apigateway.amazonaws.com", "events.amazonaws.com"})
