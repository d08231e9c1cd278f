"""EventBridge: through the rule, and past it."""

import json
import unittest

from cloud import ACCOUNT, cloud
from stack import SOURCE, allow, function, granted, request, stack, statements, user
from support import until


class Events(unittest.TestCase):
    def put(self, detail, key, source=SOURCE, kind="Grant Requested"):
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": "default"}
        put = cloud().client("events", key).put_events(Entries=[entry])
        self.assertEqual(put["FailedEntryCount"], 0, put)
        return put["Entries"][0]["EventId"]

    def setUp(self):
        _, self.key = user("automation", allow("events:PutEvents", stack().outputs["EventBusArn"]))

    def test_the_rule_hands_over_what_it_is_for(self):
        name = function()
        event = self.put(request(name, StatementId="event"), self.key)
        self.assertEqual(list(granted(name)), ["event"])
        # The second record follows the write, which is what has been waited for.
        lines = until(lambda: two(stack().audit(eventId=event)), "an intent and an outcome")
        for line in lines:
            self.assertEqual((line["door"], line["requester"]), ("eventbridge", f"eventbridge:{ACCOUNT}:{SOURCE}"))
        self.assertEqual([line["record"] for line in lines], ["intent", "outcome"])

    def test_the_rule_hands_over_nothing_else(self):
        name = function()
        self.put(request(name, StatementId="source"), self.key, source="com.example.other")
        self.put(request(name, StatementId="kind"), self.key, kind="Grant Denied")
        # Sent last, so that the others would have arrived.
        self.put(request(name, StatementId="event"), self.key)
        self.assertEqual(list(granted(name)), ["event"])

    def test_a_refusal_is_final_and_recorded(self):
        name = function()
        event = self.put(request(name, Principal="999999999999"), self.key)
        [line] = until(lambda: stack().audit(eventId=event), "the outcome")
        self.assertEqual((line["outcome"], line["code"]), ("denied", "principal_not_allowed"))
        self.assertEqual(statements(name), {})


def two(lines):
    return lines if len(lines) == 2 else None
