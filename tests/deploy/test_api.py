"""The HTTP API, with requests signed by Signature Version 4."""

import contextlib
import http.client
import json
import ssl
import unittest
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloud import ACCOUNT, REGION, cloud
from stack import PARTNER, allow, function, request, stack, statements, user


def ask(method, body=None, key=None, query="", path="/grants"):
    """Sends a request to the deployed API; with a key, signed. Gives status, headers and document."""
    host = urllib.parse.urlsplit(stack().outputs["GrantsUrl"]).netloc
    url = f"https://{host}{path}{query}"
    data = None if body is None else json.dumps(body).encode()
    headers = {"Host": host, "Content-Type": "application/json"}
    if key:
        signed = AWSRequest(method, url, data=data, headers=headers)
        SigV4Auth(Credentials(*key), "execute-api", REGION).add_auth(signed)
        headers = dict(signed.headers)
    # Not every resolver knows names below `localhost`, so the connection goes to the address.
    context = ssl.create_default_context(cafile=str(cloud().authority))
    with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", cloud().port, context=context, timeout=30)) as connection:
        connection.request(method, path + query, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())


class Api(unittest.TestCase):
    def setUp(self):
        self.function = function()
        resource = stack().outputs["GrantsInvokeArn"]
        self.arn, self.key = user("ci", allow("execute-api:Invoke", resource))

    def refused_at_the_door(self, answer, reason):
        """Neither the broker nor the policy has heard of it."""
        self.assertEqual(answer[0], 403, answer[2])
        self.assertNotIn("outcome", answer[2], "it is API Gateway that answers")
        self.assertRegex(str(answer[2]), reason)
        self.assertEqual(statements(self.function), {})
        self.assertEqual(stack().audit(target=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function}"), [])

    def test_grants_reads_and_revokes_for_whoever_may_ask(self):
        status, _, reply = ask("POST", request(self.function, StatementId="partner"), self.key)
        self.assertEqual((status, reply["outcome"], reply["rule"]), (201, "granted", "partner"), reply)
        [stored] = statements(self.function).values()
        self.assertEqual((stored["Sid"], stored["Effect"], stored["Action"]), ("partner", "Allow", "lambda:InvokeFunction"))
        # MiniStack keeps the account as it was given, where AWS writes its root; the broker takes both for the same.
        self.assertIn(stored["Principal"]["AWS"], [PARTNER, f"arn:aws:iam::{PARTNER}:root"])
        self.assertTrue(stored["Resource"].endswith(f":function:{self.function}"), stored)

        status, _, reply = ask("POST", request(self.function, StatementId="partner"), self.key)
        self.assertEqual((status, reply["outcome"]), (200, "already_granted"), reply)

        status, _, reply = ask("GET", key=self.key, query=f"?FunctionName={self.function}")
        [read] = reply["statements"]
        self.assertEqual((status, reply["outcome"], read["rule"]), (200, "read", "partner"), reply)

        parameters = {"FunctionName": self.function, "StatementId": "partner"}
        revoke = {"operation": "RemovePermission", "parameters": parameters, "fingerprint": read["fingerprint"]}
        status, _, reply = ask("POST", revoke, self.key)
        self.assertEqual((status, reply["outcome"]), (200, "revoked"), reply)
        self.assertEqual(statements(self.function), {})

    def test_tells_the_broker_who_has_signed(self):
        _, _, reply = ask("POST", request(self.function), self.key)
        intent, outcome = stack().audit(requestId=reply["requestId"])
        for line in [intent, outcome]:
            self.assertEqual((line["door"], line["requester"]), ("api-gateway", self.arn))

    def test_shows_problems_as_such(self):
        status, headers, reply = ask("POST", request(self.function, Principal="999999999999"), self.key)
        self.assertEqual((status, reply["outcome"], reply["code"]), (403, "denied", "principal_not_allowed"))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        status, _, reply = ask("POST", request(self.function, Principal="partner", Qualifier="no such"), self.key)
        pointers = {error["pointer"] for error in reply["errors"]}
        self.assertEqual((status, pointers), (400, {"/parameters/Principal", "/parameters/Qualifier"}))
        self.assertEqual(statements(self.function), {})

    def test_grants_on_an_alias_and_to_a_service(self):
        bucket = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::uploads", "SourceAccount": PARTNER}
        status, _, reply = ask("POST", request(self.function, Qualifier="live", StatementId="uploads", **bucket), self.key)
        self.assertEqual((status, reply["outcome"]), (201, "granted"), reply)
        stored = statements(self.function, Qualifier="live")["uploads"]
        conditions = {name.lower(): value for kind in stored["Condition"].values() for name, value in kind.items()}
        self.assertEqual(conditions, {"aws:sourcearn": "arn:aws:s3:::uploads", "aws:sourceaccount": PARTNER})
        self.assertEqual(stored["Principal"], {"Service": "s3.amazonaws.com"})
        self.assertTrue(stored["Resource"].endswith(f":{self.function}:live"), stored)

    def test_unsigned_it_goes_no_further_than_the_door(self):
        self.refused_at_the_door(ask("POST", request(self.function)), "(?i)forbidden|missing authentication")

    def test_with_a_wrong_secret_it_goes_no_further(self):
        key = (self.key[0], self.key[1][::-1])
        self.refused_at_the_door(ask("POST", request(self.function), key), "(?i)signature")

    def test_without_execute_api_invoke_it_goes_no_further(self):
        _, key = user("stranger", allow("execute-api:Invoke", "arn:aws:execute-api:*:*:elsewhere/*"))
        self.refused_at_the_door(ask("POST", request(self.function), key), "(?i)forbidden|not authorized")

    def test_whoever_may_only_look_cannot_ask(self):
        resource = stack().outputs["GrantsInvokeArn"].replace("/*/*/", "/*/GET/")
        _, key = user("auditor", allow("execute-api:Invoke", resource))
        self.refused_at_the_door(ask("POST", request(self.function), key), "(?i)forbidden|not authorized")
        ask("POST", request(self.function), self.key)
        status, _, reply = ask("GET", key=key, query=f"?FunctionName={self.function}")
        self.assertEqual((status, reply["outcome"]), (200, "read"))

    def test_describes_itself_to_whoever_may_ask_for_that(self):
        resource = stack().outputs["GrantsInvokeArn"].replace("/*/*/grants", "/*/GET/openapi.json")
        _, key = user("reader", allow("execute-api:Invoke", resource))
        status, _, description = ask("GET", key=key, path="/openapi.json")
        self.assertEqual((status, description["openapi"][:4]), (200, "3.1."))
        self.assertIn("/grants", description["paths"])
        for nobody in [None, self.key]:
            self.assertEqual(ask("GET", key=nobody, path="/openapi.json")[0], 403)
