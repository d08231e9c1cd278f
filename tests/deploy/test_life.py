"""A grant from the question to its end, at the HTTP API: explained, given, counted, late revokes, and whose it is that stands in the way."""

import unittest

from cloud import cloud
from stack import PARTNER, allow, function, request, stack, statements, user
from test_api import ask

MOST_BYTES = 20480


class Life(unittest.TestCase):
    def setUp(self):
        self.function = function()
        _, self.key = user("ci", allow("execute-api:Invoke", stack().outputs["GrantsInvokeArn"]))

    def ask(self, document):
        status, _, reply = ask("POST", document, self.key)
        return status, reply

    def revoke(self, **more):
        return {"operation": "RemovePermission", "parameters": {"FunctionName": self.function, "StatementId": "partner"}, **more}

    def test_a_dry_run_says_what_comes_true(self):
        wish = request(self.function, StatementId="partner")
        status, told = self.ask(wish | {"dryRun": True})
        self.assertEqual((status, told["outcome"], told["rule"]), (200, "would_grant", "partner"), told)
        self.assertEqual(statements(self.function), {}, "nothing is written")
        _, given = self.ask(wish)
        self.assertEqual(given["outcome"], "granted", given)
        self.assertEqual(given["fingerprint"], told["fingerprint"])
        _, again = self.ask(wish | {"dryRun": True})
        self.assertEqual(again["outcome"], "already_granted", again)
        _, other = self.ask(request(self.function, StatementId="partner", Qualifier="live") | {"dryRun": True})
        self.assertEqual(other["outcome"], "would_grant", "another target has another policy")
        _, gone = self.ask(self.revoke(dryRun=True))
        self.assertEqual((gone["outcome"], list(statements(self.function))), ("would_revoke", ["partner"]))
        _, denied = self.ask(request(self.function, Principal="999999999999", Action="lambda:GetFunction") | {"dryRun": True})
        self.assertEqual(denied["outcome"], "denied")
        self.assertEqual([rule["rule"] for rule in denied["rules"]], ["partner"], "every rule, and why it does not allow this")
        self.assertEqual(list(statements(self.function)), ["partner"])

    def test_a_late_revoke_spares_a_newer_grant(self):
        _, first = self.ask(request(self.function, StatementId="partner"))
        self.assertEqual(self.ask(self.revoke(fingerprint=first["fingerprint"]))[1]["outcome"], "revoked")
        bucket = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": PARTNER}
        _, newer = self.ask(request(self.function, StatementId="partner", **bucket))
        self.assertEqual(newer["outcome"], "granted", newer)
        status, late = self.ask(self.revoke(fingerprint=first["fingerprint"]))
        self.assertEqual((status, late["code"]), (409, "statement_conflict"), late)
        self.assertEqual(list(statements(self.function)), ["partner"])

    def test_a_full_policy_is_refused_with_advice_and_without_a_write(self):
        add, written = cloud().client("lambda").add_permission, 0
        while written < MOST_BYTES:
            # Somebody else's statements: they differ in nothing but their id and the bucket.
            number = len(statements(self.function))
            for number in range(number, number + 12):
                bucket = {"SourceArn": f"arn:aws:s3:::uploads-{number:03}-{'x' * 40}", "SourceAccount": PARTNER}
                wish = {"FunctionName": self.function, "StatementId": f"uploads-{number}", "Principal": "s3.amazonaws.com"}
                add(Action="lambda:InvokeFunction", **wish, **bucket)
            written = len(cloud().client("lambda").get_policy(FunctionName=self.function)["Policy"])
        before = statements(self.function)
        status, reply = self.ask(request(self.function))
        self.assertEqual((status, reply["outcome"], reply["code"]), (409, "failed", "policy_full"), reply)
        self.assertGreaterEqual(reply["policy"]["bytes"], MOST_BYTES * 0.9)
        self.assertIn("use_one_source_arn", str(reply["policy"]["advice"]))
        [line] = stack().audit(requestId=reply["requestId"], record="outcome")
        self.assertEqual((line["code"], line["policyBytes"]), ("policy_full", reply["policy"]["bytes"]))
        self.assertEqual(statements(self.function), before)

    def test_a_principal_that_is_no_more_is_blamed(self):
        # What AWS makes of a statement when the user whom it names is deleted.
        gone = {"StatementId": "left", "Action": "lambda:InvokeFunction", "Principal": "AIDACKCEVSQ6C2EXAMPLE"}
        cloud().client("lambda").add_permission(FunctionName=self.function, **gone)
        status, reply = self.ask(request(self.function) | {"dryRun": True})
        self.assertEqual((status, reply["code"], reply["blamed"]), (409, "dead_principal", ["left"]), reply)
        status, _, read = ask("GET", key=self.key, query=f"?FunctionName={self.function}")
        [statement] = read["statements"]
        self.assertEqual((status, statement["statement"]["Principal"]), (200, {"AWS": gone["Principal"]}), statement)
