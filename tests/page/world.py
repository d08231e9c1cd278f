"""A large account for the page: 1,000 functions with 50 statements each, of every sort that the page tells apart."""

import json
import sys

ACCOUNT, REGION = "123456789012", "us-east-1"
FUNCTIONS, STATEMENTS = 1000, 50
# What stands once in every policy, and so can be counted.
DEAD, PUBLIC, UNCONFINED = 10, 20, 30


def statement(function: int, n: int) -> dict:
    resource = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:service-{function:04}"
    other = f"{300000000000 + (function * 37 + n * 101) % 2000:012}"
    principal, condition = {"AWS": f"arn:aws:iam::{other}:root"}, {}
    if n == DEAD:
        principal = {"AWS": f"AROA{function:017}"}
    elif n == PUBLIC:
        principal = "*"
    elif n == UNCONFINED:
        principal = {"Service": "s3.amazonaws.com"}
    elif n % 5 == 1:
        principal = {"Service": "events.amazonaws.com"}
        condition = {"ArnLike": {"AWS:SourceArn": f"arn:aws:events:{REGION}:{other}:rule/rule-{function}-{n}"}}
    elif n % 5 == 2:
        principal, condition = "*", {"StringEquals": {"aws:PrincipalOrgID": f"o-{function % 40:010}"}}
    made = {"Sid": f"statement-{function:04}-{n:02}", "Effect": "Allow", "Principal": principal}
    made |= {"Action": "lambda:InvokeFunction", "Resource": resource}
    return made | ({"Condition": condition} if condition else {})


def world() -> dict:
    names = range(FUNCTIONS)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:service-"
    policies = {f"{arn}{f:04}": {"statements": [statement(f, n) for n in range(STATEMENTS)]} for f in names}
    place = {"partition": "aws", "region": REGION, "account": ACCOUNT}
    return place | {"functions": {f"service-{f:04}": {} for f in names}, "policies": policies}


if __name__ == "__main__":
    json.dump(world(), sys.stdout)
