"""Layers, in an emulator that stores their statements as AWS does but cannot check a role's rights on them.

The broker is deployed a second time, with layers and organizations, and takes another MiniStack for AWS Lambda, where IAM is off.
"""

import unittest

import cloud
from stack import ORGANIZATION, PARTNER, invoke, layer, on_layer, second, statements_of_layer
from support import differs


class Layers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        differs(
            "MiniStack",
            "it takes AddLayerVersionPermission for PublishLayerVersion and GetLayerVersionPolicy for ListLayers, so that the "
            "template's policy is refused; layers are tried without IAM",
            "each of the three operations needs the right of its own name",
        )
        second().change(AWS_ENDPOINT_URL_LAMBDA=cloud.without_iam().url)
        cls.functions = cloud.without_iam().client("lambda")

    def test_the_three_operations(self):
        name = layer(self.functions, "common")
        wishes = {"partner": {"Principal": PARTNER}, "company": {"Principal": "*", "OrganizationId": ORGANIZATION}}
        for id, wish in wishes.items():
            add = on_layer("AddLayerVersionPermission", name, StatementId=id, Action="lambda:GetLayerVersion", **wish)
            for outcome in ["granted", "already_granted"]:
                reply = invoke(second(), add)
                self.assertEqual((reply["outcome"], reply.get("rule")), (outcome, "partner"), reply)
        stored = statements_of_layer(name, self.functions)
        self.assertEqual(list(stored), ["partner", "company"])
        self.assertIn(PARTNER, stored["partner"]["Principal"]["AWS"])
        self.assertEqual(stored["company"]["Condition"], {"StringEquals": {"aws:PrincipalOrgID": ORGANIZATION}})
        read = invoke(second(), on_layer("GetLayerVersionPolicy", name))["statements"]
        self.assertEqual({one["statement"]["Sid"]: one["rule"] for one in read}, {"partner": "partner", "company": "partner"})
        remove = on_layer("RemoveLayerVersionPermission", name, StatementId="company")
        self.assertEqual([invoke(second(), remove)["outcome"] for _ in range(2)], ["revoked", "already_revoked"])
        self.assertEqual(list(statements_of_layer(name, self.functions)), ["partner"])

    def test_a_new_version_gets_what_the_allowlist_allows(self):
        name = layer(self.functions, "carried")
        theirs = {"partner": PARTNER, "stranger": "999999999999"}
        for id, principal in theirs.items():
            wish = {"StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": principal}
            self.functions.add_layer_version_permission(LayerName=name, VersionNumber=1, **wish)
        layer(self.functions, name)
        carry = {"operation": "CarryLayerForward", "parameters": {"LayerName": name, "VersionNumber": 2}}
        reply = invoke(second(), carry | {"dryRun": True})
        self.assertEqual(reply["outcome"], "would_grant", reply)
        self.assertEqual(statements_of_layer(name, self.functions, 2), {})
        stranger = {"stranger": ("denied", "principal_not_allowed")}
        for outcome, told in [("granted", {"partner": ("granted", None)}), ("denied", {})]:
            reply = invoke(second(), carry)
            of = {one["statementId"]: (one["outcome"], one.get("code")) for one in reply["grants"]}
            self.assertEqual((reply["outcome"], of), (outcome, told | stranger), reply)
            self.assertEqual(list(statements_of_layer(name, self.functions, 2)), ["partner"])
        self.assertEqual(list(statements_of_layer(name, self.functions)), list(theirs), "the version before keeps what it has")

    def test_to_everybody_never(self):
        name = layer(self.functions, "tracing")
        add = on_layer("AddLayerVersionPermission", name, StatementId="all", Action="lambda:GetLayerVersion", Principal="*")
        reply = invoke(second(), add)
        self.assertEqual((reply["outcome"], reply["code"]), ("denied", "public_grant"), reply)
        self.assertEqual(statements_of_layer(name, self.functions), {})
