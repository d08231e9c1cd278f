"""The six operations against moto: another emulator of Lambda's control plane, written by others, and without IAM.

What the broker stored is compared with what boto3 stores for the same parameters. MiniStack runs the broker, and moto is what it
takes for AWS Lambda.
"""

import json
import unittest

import cloud
from stack import ORGANIZATION, PARTNER, invoke, layer, make_function, on_layer, request, second, statements, statements_of_layer
from support import differs

KEY = ("moto", "moto")
BUCKET = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": PARTNER}


class Moto(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        second().change(AWS_ENDPOINT_URL_LAMBDA=cloud.moto())
        cls.functions = cloud.client("lambda", cloud.moto(), KEY)
        cls.iam = cloud.client("iam", cloud.moto(), KEY)

    def function(self, name):
        make_function(self.functions, self.iam, name)
        return name

    def ask(self, document):
        return invoke(second(), document)

    def not_as_aws(self, reply):
        """The broker calls nothing its grant that it cannot read, however it came there."""
        self.assertEqual((reply["outcome"], reply["code"]), ("conflict", "statement_conflict"), reply)
        lines = second().audit(requestId=reply["requestId"], record="outcome")
        self.assertEqual([line["attempts"] for line in lines], [1], "and it sends nothing twice")

    def test_add_permission_stores_what_boto3_stores(self):
        organization = {"Principal": "*", "PrincipalOrgID": ORGANIZATION}
        url = {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM"}
        differs(
            "moto",
            "it stores an account as a bare text, in which the broker does not see its grant",
            'a principal stands under "AWS", an account as its root',
        )
        for kind, wish, as_aws in [
            ("service", BUCKET, True),
            ("organization", organization, True),
            ("account", {}, False),
            ("url", url, False),
        ]:
            with self.subTest(kind):
                ours, theirs = self.function(f"orders-{kind}"), self.function(f"boto3-{kind}")
                document = request(ours, StatementId="partner", **wish)
                reply = self.ask(document)
                if as_aws:
                    self.assertEqual((reply["outcome"], reply["rule"]), ("granted", "partner"), reply)
                else:
                    self.not_as_aws(reply)
                self.functions.add_permission(**document["parameters"] | {"FunctionName": theirs})
                [written], [expected] = (statements(name, self.functions).values() for name in (ours, theirs))
                self.assertEqual(json.loads(json.dumps(written).replace(ours, theirs)), expected)

    def test_get_and_remove_permission(self):
        name = self.function("orders-removed")
        self.ask(request(name, StatementId="one", **BUCKET))
        # What the broker sees there it does not send again. moto would store it a second time, where AWS refuses.
        self.assertEqual(self.ask(request(name, StatementId="one", **BUCKET))["outcome"], "already_granted")
        other = BUCKET | {"SourceAccount": "999999999999"}
        self.functions.add_permission(**request(name, StatementId="other", **other)["parameters"])
        read = self.ask({"operation": "GetPolicy", "parameters": {"FunctionName": name}})
        rules = {one["statement"]["Sid"]: one.get("rule") for one in read["statements"]}
        self.assertEqual(rules, {"one": "partner", "other": None}, "what somebody else wrote is told from what is allowed")
        revoke = {"operation": "RemovePermission", "parameters": {"FunctionName": name, "StatementId": "one"}}
        self.assertEqual([self.ask(revoke)["outcome"] for _ in range(2)], ["revoked", "already_revoked"])
        self.assertEqual(list(statements(name, self.functions)), ["other"])

    def test_a_revision_that_is_gone_is_refused(self):
        name = self.function("orders-revision")
        self.ask(request(name, StatementId="one", **BUCKET))
        revision = self.functions.get_policy(FunctionName=name)["RevisionId"]
        reply = self.ask(request(name, StatementId="two", RevisionId=revision, **BUCKET))
        self.assertEqual(reply["outcome"], "granted", reply)
        reply = self.ask(request(name, StatementId="three", RevisionId=revision, **BUCKET))
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "revision_changed"), reply)
        self.assertEqual(list(statements(name, self.functions)), ["one", "two"])

    def test_the_three_operations_on_layers(self):
        differs(
            "moto",
            "it stores an account as a bare text, and the organization of a layer's statement beside the condition, where it "
            "holds nobody off",
            'a principal stands under "AWS", and the condition aws:PrincipalOrgID in the statement; see test_layers',
        )
        wishes = {"partner": {"Principal": PARTNER}, "company": {"Principal": "*", "OrganizationId": ORGANIZATION}}
        for id, wish in wishes.items():
            with self.subTest(id):
                ours, theirs = layer(self.functions, f"common-{id}"), layer(self.functions, f"boto3-{id}")
                wish = {"StatementId": id, "Action": "lambda:GetLayerVersion", **wish}
                self.not_as_aws(self.ask(on_layer("AddLayerVersionPermission", ours, **wish)))
                self.functions.add_layer_version_permission(LayerName=theirs, VersionNumber=1, **wish)
                written, expected = (statements_of_layer(name, self.functions) for name in (ours, theirs))
                self.assertEqual(json.loads(json.dumps(written).replace(ours, theirs)), expected)
                self.assertEqual(list(written), [id])
                reply = self.ask(on_layer("GetLayerVersionPolicy", ours))
                self.assertEqual((reply["outcome"], len(reply["statements"])), ("read", 1), reply)
                self.assertNotIn("rule", reply["statements"][0], "no rule allows what it is not sure of")
                reply = self.ask(on_layer("RemoveLayerVersionPermission", ours, StatementId=id))
                self.assertEqual(reply["outcome"], "revoked", reply)
                self.assertEqual(statements_of_layer(ours, self.functions), {})

    def test_of_a_function_url_that_is_not_as_asked_for_the_rest_is_not_written(self):
        differs(
            "moto",
            "it stores the auth type of a function URL outside of a condition, where it holds nobody off, so that the broker does "
            "not see its grant and goes no further",
            "the condition lambda:FunctionUrlAuthType; both statements stand",
        )
        name = self.function("orders-page")
        parameters = {"FunctionName": name, "StatementId": "page", "Principal": "*", "PrincipalOrgID": ORGANIZATION}
        wish = {"operation": "GrantFunctionUrl", "parameters": parameters | {"FunctionUrlAuthType": "AWS_IAM"}}
        self.assertEqual(self.ask(wish | {"dryRun": True})["outcome"], "would_grant")
        reply = self.ask(wish)
        self.assertEqual((reply["outcome"], reply["code"]), ("conflict", "statement_conflict"), reply)
        self.assertEqual(list(statements(name, self.functions)), ["page"])

    def test_what_is_not_there_is_said_so(self):
        reply = self.ask(request("orders-nowhere"))
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "target_not_found"), reply)
        reply = self.ask(on_layer("GetLayerVersionPolicy", "nowhere"))
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "target_not_found"), reply)
