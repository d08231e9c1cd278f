"""The queue for many requests at once, and where those end that cannot be done."""

import json
import unittest

from cloud import cloud
from stack import allow, function, granted, request, stack, statements, user
from support import until


class Queue(unittest.TestCase):
    def setUp(self):
        outputs = stack().outputs
        self.queue, self.letters = outputs["RequestsQueueUrl"], outputs["RequestDeadLettersUrl"]
        # MiniStack asks for an action of its own, sqs:SendMessageBatch; on AWS a batch needs sqs:SendMessage alone.
        _, key = user("bulk", allow(["sqs:SendMessage", "sqs:SendMessageBatch"], outputs["RequestsQueueArn"]))
        self.sqs = cloud().client("sqs", key)

    def send(self, *bodies):
        entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies)]
        sent = self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)
        self.assertEqual(sent.get("Failed", []), [])
        return [one["MessageId"] for one in sent["Successful"]]

    def outcome(self, message):
        lines = until(lambda: stack().audit(eventId=message, record="outcome"), f"an outcome of message {message}")
        return lines[-1]

    def test_what_can_be_decided_is_decided_and_gone(self):
        one, other, denied = (function() for _ in range(3))
        messages = self.send(
            json.dumps(request(one, StatementId="queued")),
            "no request at all",
            json.dumps(request(denied, Principal="999999999999")),
            json.dumps(request(other, StatementId="queued")),
        )
        for name in [one, other]:
            self.assertEqual(list(granted(name)), ["queued"])
        endings = [(line["outcome"], line.get("code")) for line in map(self.outcome, messages)]
        refused = [("rejected", "not_json"), ("denied", "principal_not_allowed")]
        self.assertEqual(endings, [("granted", None), *refused, ("granted", None)])
        self.assertEqual(statements(denied), {})
        until(lambda: self.waiting(self.queue) == 0, "no message is left")
        self.assertEqual(self.waiting(self.letters), 0, "a refusal is final, and no dead letter")

    def test_what_cannot_be_done_ends_as_a_dead_letter(self):
        name = function()
        body = json.dumps(request(name))
        admin = cloud().client("sqs")
        names = ["RedrivePolicy", "VisibilityTimeout"]
        deployed = admin.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        redrive = json.loads(deployed["RedrivePolicy"])
        self.assertEqual((deployed["VisibilityTimeout"], int(redrive["maxReceiveCount"])), ("90", 20))
        # Twenty rounds of 90 s are for an outage of half an hour; here it is over sooner.
        short = {"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive | {"maxReceiveCount": 2})}
        admin.set_queue_attributes(QueueUrl=self.queue, Attributes=short)
        # An outage: nobody listens where the broker is told that Lambda's API is.
        before = stack().change(AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:9")
        try:
            [message] = self.send(body)
            letters = until(lambda: admin.receive_message(QueueUrl=self.letters).get("Messages"), "a dead letter", 60)
        finally:
            cloud().client("lambda").update_function_configuration(FunctionName=stack().name, Environment={"Variables": before})
            admin.set_queue_attributes(QueueUrl=self.queue, Attributes=deployed)
        self.assertEqual([letter["Body"] for letter in letters], [body], "the request is kept as it was sent")
        tries = stack().audit(eventId=message, record="outcome")
        self.assertEqual([(line["code"], line["retryable"]) for line in tries], [("unavailable", True)] * 2)
        self.assertEqual(statements(name), {})
        # After the outage the message is sent back to where it came from, as the AWS console's redrive does.
        [letter] = letters
        [again] = self.send(letter["Body"])
        self.assertEqual(self.outcome(again)["outcome"], "granted")
        admin.delete_message(QueueUrl=self.letters, ReceiptHandle=letter["ReceiptHandle"])

    def waiting(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = cloud().client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def test_without_tls_the_queue_hears_nothing(self):
        arn = stack().outputs["RequestsQueueArn"]
        policy = cloud().client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["Policy"])
        [deny] = json.loads(policy["Attributes"]["Policy"])["Statement"]
        self.assertEqual((deny["Effect"], deny["Resource"]), ("Deny", arn))
        self.assertEqual(deny["Condition"], {"Bool": {"aws:SecureTransport": "false"}})
