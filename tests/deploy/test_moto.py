"""The six operations against moto: another emulator of Lambda's control plane, written by others, and without IAM.

The broker is deployed a second time, with layers and organizations. MiniStack runs it, and moto is what it takes for AWS Lambda.
"""

import io
import json
import unittest
import zipfile

import cloud
from stack import ALLOWLIST, ORGANIZATION, PARTNER, deploy, make_function, request, statements
from support import differs

KEY = ("moto", "moto")


class Moto(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        answers = {"Allowlist": json.dumps(ALLOWLIST), "Doors": "direct", "LayerGrants": "true", "OrganizationGrants": "true"}
        cls.stack = deploy("second-broker", answers)
        cls.stack.change(AWS_ENDPOINT_URL_LAMBDA=cloud.moto())
        cls.functions = cloud.client("lambda", cloud.moto(), KEY)
        cls.iam = cloud.client("iam", cloud.moto(), KEY)

    def function(self, name):
        make_function(self.functions, self.iam, name)
        return name

    def layer(self, name):
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("shared.txt", name)
        self.functions.publish_layer_version(LayerName=name, Content={"ZipFile": code.getvalue()})
        return name

    def ask(self, document):
        """Invokes the broker directly, as automation with that right would."""
        invoked = cloud.cloud().client("lambda").invoke(FunctionName=self.stack.name, Payload=json.dumps(document))
        reply = json.loads(invoked["Payload"].read())
        self.assertNotIn("FunctionError", invoked, reply)
        return reply

    def on_layer(self, operation, name, **more):
        parameters = {"LayerName": name, "VersionNumber": 1} | more
        return self.ask({"operation": operation, "parameters": parameters})

    def stored_on_layer(self, name):
        try:
            policy = self.functions.get_layer_version_policy(LayerName=name, VersionNumber=1)["Policy"]
        except self.functions.exceptions.ResourceNotFoundException:
            return []
        return json.loads(policy)["Statement"]

    def test_add_permission_writes_what_boto3_writes(self):
        wishes = {
            "account": {},
            "organization": {"Principal": "*", "PrincipalOrgID": ORGANIZATION},
            "service": {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": PARTNER},
            "url": {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM"},
        }
        for kind, wish in wishes.items():
            with self.subTest(kind):
                ours, theirs = self.function(f"orders-{kind}"), self.function(f"boto3-{kind}")
                document = request(ours, StatementId="partner", **wish)
                reply = self.ask(document)
                self.functions.add_permission(**(document["parameters"] | {"FunctionName": theirs}))
                written, expected = (statements(name, self.functions)["partner"] for name in (ours, theirs))
                self.assertEqual(json.loads(json.dumps(written).replace(ours, theirs)), expected)
                if kind == "url":
                    self.assertEqual((reply["outcome"], reply["code"]), ("failed", "statement_differs"), reply)
                    differs(
                        "moto",
                        "it loses the condition on the URL's auth type, and the broker notices that something else was stored",
                        "the condition lambda:FunctionUrlAuthType stands in the statement",
                    )
                else:
                    self.assertEqual(reply["outcome"], "granted", reply)

    def test_get_and_remove_permission(self):
        name = self.function("orders-removed")
        self.ask(request(name, StatementId="one"))
        # What the broker knows to be there it does not send again. moto would store it a second time, where AWS refuses.
        self.assertEqual(self.ask(request(name, StatementId="one"))["outcome"], "already_granted")
        self.functions.add_permission(**request(name, StatementId="other", Principal="999999999999")["parameters"])
        read = self.ask({"operation": "GetPolicy", "parameters": {"FunctionName": name}})
        rules = {one["statement"]["Sid"]: one.get("rule") for one in read["statements"]}
        self.assertEqual(rules, {"one": "partner", "other": None}, "what somebody else wrote is told from what is allowed")
        revoke = {"operation": "RemovePermission", "parameters": {"FunctionName": name, "StatementId": "one"}}
        self.assertEqual(self.ask(revoke)["outcome"], "revoked")
        self.assertEqual(list(statements(name, self.functions)), ["other"])
        self.assertEqual(self.ask(revoke)["outcome"], "already_revoked")

    def test_a_revision_that_is_gone_is_refused(self):
        name = self.function("orders-revision")
        self.ask(request(name, StatementId="one"))
        revision = self.functions.get_policy(FunctionName=name)["RevisionId"]
        self.assertEqual(self.ask(request(name, StatementId="two", RevisionId=revision))["outcome"], "granted")
        reply = self.ask(request(name, StatementId="three", RevisionId=revision))
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "revision_changed"), reply)
        self.assertEqual(sorted(statements(name, self.functions)), ["one", "two"])

    def test_the_three_operations_on_layers(self):
        name = self.layer("common")
        wish = {"StatementId": "partner", "Action": "lambda:GetLayerVersion", "Principal": PARTNER}
        reply = self.on_layer("AddLayerVersionPermission", name, **wish)
        self.assertEqual(reply["outcome"], "granted", reply)
        [stored] = self.stored_on_layer(name)
        self.assertEqual((stored["Sid"], stored["Action"]), ("partner", "lambda:GetLayerVersion"))
        self.assertIn(PARTNER, str(stored["Principal"]))
        [read] = self.on_layer("GetLayerVersionPolicy", name)["statements"]
        self.assertEqual((read["statement"]["Sid"], read["rule"]), ("partner", "partner"))
        reply = self.on_layer("RemoveLayerVersionPermission", name, StatementId="partner")
        self.assertEqual(reply["outcome"], "revoked", reply)
        self.assertEqual(self.stored_on_layer(name), [])

    def test_a_layer_for_an_organization(self):
        name = self.layer("company")
        wish = {"StatementId": "everyone", "Action": "lambda:GetLayerVersion", "Principal": "*"}
        reply = self.on_layer("AddLayerVersionPermission", name, OrganizationId=ORGANIZATION, **wish)
        differs(
            "moto",
            "it stores the organization of a layer's statement beside the condition, which would let everybody in, and the "
            "broker notices",
            "the condition aws:PrincipalOrgID stands in the statement",
        )
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "statement_differs"), reply)

    def test_what_is_not_there_is_said_so(self):
        reply = self.ask(request("orders-nowhere"))
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "target_not_found"), reply)
        reply = self.on_layer("GetLayerVersionPolicy", "nowhere")
        self.assertEqual((reply["outcome"], reply["code"]), ("failed", "target_not_found"), reply)
