"""What no schema can say of a request: that the end of a grant is yet to come, and before the year 10000."""

import re

import schemathesis


@schemathesis.hook
def map_body(context, body):
    """Moves an end that is well written into the years when it is right; what is badly written stays as it is."""
    if isinstance(body, dict):
        end, length = body.get("expiresAt"), body.get("duration")
        if isinstance(end, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", end):
            # A leap year, so that every date that the schema takes is one.
            body["expiresAt"] = "2996" + end[4:]
        if isinstance(length, str) and re.fullmatch(r"P(\d+[WD])?(T[\dHMS]+)?", length):
            body["duration"] = "P30D"
    return body
