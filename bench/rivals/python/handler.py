"""The broker as it is usually written in Python: boto3 with its defaults, a few checks, one call, one log line."""

import json
import re

import boto3

PLAIN = re.compile(r"[A-Za-z0-9_-]+")
CONDITIONS = ("Qualifier", "SourceArn", "SourceAccount")

client = boto3.client("lambda")


def log(level, message, wanted):
    print(json.dumps({"level": level, "message": message, "statementId": wanted["StatementId"]}), flush=True)


def is_allowed(wanted):
    return (
        wanted["Action"] == "lambda:InvokeFunction"
        and wanted["Principal"] in ("events.amazonaws.com", "s3.amazonaws.com")
        and wanted.get("SourceAccount") == "123456789012"
        and PLAIN.fullmatch(wanted["FunctionName"])
        and PLAIN.fullmatch(wanted["StatementId"])
    )


def answer(event, context):
    request = json.loads(event["body"]) if "body" in event else event
    wanted = request["parameters"]
    if not is_allowed(wanted):
        log("WARN", "denied", wanted)
        return {"statusCode": 403, "body": json.dumps({"outcome": "denied"})}
    given = {name: wanted[name] for name in CONDITIONS if name in wanted}
    added = client.add_permission(
        FunctionName=wanted["FunctionName"],
        StatementId=wanted["StatementId"],
        Action=wanted["Action"],
        Principal=wanted["Principal"],
        **given,
    )
    log("INFO", "granted", wanted)
    return {"statusCode": 201, "body": json.dumps({"outcome": "granted", "statement": added["Statement"]})}
