"""The project's own template, deployed as its users deploy it, and what a test needs around it."""

import io
import itertools
import json
import re
import shutil
import subprocess
import zipfile

from cloud import ACCOUNT, REGION, cloud
from extension import Extension
from support import BUILT, ROOT, TOOLS, differs, once, scratch, until

SAM = TOOLS / "sam" / "bin" / "sam"

PARTNER = "210987654321"
ORGANIZATION = "o-a1b2c3d4e5"
# No word on targets: here it is IAM that keeps the broker to its functions.
ALLOWLIST = [{"id": "partner", "accounts": [PARTNER], "organizations": [ORGANIZATION], "services": ["s3.amazonaws.com"]}]
# The bus for results, and the function that nothing but the sweep takes a grant away from.
BUS = "outcomes"
SWEPT = "orders-swept"
# The default of the parameter EventSource.
SOURCE = "permission-broker"

# What a person answers to `sam deploy --guided`; the other parameters keep their defaults.
ANSWERS = {
    "Allowlist": json.dumps(ALLOWLIST),
    "AllowedPrincipals": f"{PARTNER},s3.amazonaws.com",
    "TargetFunctions": "orders*",
}


@once
def template():
    """What is deployed: what was built, without the kinds of resource that the emulator does not know."""
    differs(
        "MiniStack",
        "it knows no AWS::Logs::QueryDefinition and refuses a template that has one, so the stored queries are left out",
        "they are made with the stack",
    )
    head, resources, outputs = re.split(r"^(?=Resources:$|Outputs:$)", (BUILT / "template.yaml").read_text(), flags=re.MULTILINE)
    each = re.split(r"^(?=  \w+:$)", resources, flags=re.MULTILINE)
    known = [resource for resource in each if "\n    Type: AWS::Logs::QueryDefinition\n" not in resource]
    assert len(known) < len(each), "nothing is left out any more: take this exception away"
    # Beside the other, since the path of the zip is relative.
    path = BUILT / "emulated.yaml"
    path.write_text(head + "".join(known) + outputs)
    return path


def parameters():
    """The names of the template's parameters, in its order."""
    text = (BUILT / "template.yaml").read_text()
    section = text.split("\nParameters:\n")[1].split("\nRules:\n")[0]
    return re.findall(r"^  (\w+):$", section, re.MULTILINE)


class Stack:
    """A deployed stack."""

    def __init__(self, name):
        self.name = name
        described = cloud().client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        assert described["StackStatus"] == "CREATE_COMPLETE", described
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def audit(self, **wanted):
        """The audit lines in the log group with these members, in the order in which they were written."""
        return [line for line in self.logged() if line.get("type") == "audit" and wanted.items() <= line.items()]

    def logged(self):
        """Every line of JSON in the log group."""
        lines = []
        pages = cloud().client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroupName"])
        for page in pages:
            messages = (event["message"] for event in page["events"])
            lines += [json.loads(message) for message in messages if message.startswith("{")]
        return lines

    def group(self):
        """The schedule group of the stack's timed grants."""
        configuration = cloud().client("lambda").get_function_configuration(FunctionName=self.name)
        return configuration["Environment"]["Variables"]["BROKER_SCHEDULE_GROUP"]

    def change(self, **variables):
        """Gives the function further variables; the next invoke has them."""
        functions = cloud().client("lambda")
        before = functions.get_function_configuration(FunctionName=self.name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=self.name, Environment={"Variables": before | variables})
        return before


@once
def stack():
    """The stack that most tests ask, from `sam deploy --guided`."""
    told = guided(ANSWERS)
    made = Stack("permission-broker")
    made.told = told
    _emulated(made)
    return made


@once
def second():
    """A second stack, with layers and organizations and one door; a test says what its broker takes for AWS Lambda."""
    grants = {"LayerGrants": "true", "OrganizationGrants": "true"}
    return deploy("second-broker", {"Allowlist": json.dumps(ALLOWLIST), "Doors": "direct", **grants})


@once
def third():
    """A third stack, with what the template leaves off: an allowlist that is followed, grants that end, results on a bus."""
    cloud().client("events").create_event_bus(Name=BUS)
    make_function(cloud().client("lambda"), cloud().client("iam"), SWEPT)
    differs(
        "MiniStack",
        "it starts no extension out of a layer, so AppConfig's is played: it asks AppConfig, with the credentials of the broker's "
        "role, for what the broker asks it",
        "Lambda starts AWS's extension beside the broker",
    )
    name = layer(cloud().client("lambda"), "AWS-AppConfig-Extension-Arm64")
    switches = {
        "AppConfigExtensionLayer": f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:1",
        "TimedGrants": "true",
        "SweepTargets": f"function:{SWEPT}",
        "ResultBus": BUS,
        "Doors": "direct",
    }
    made = deploy("third-broker", ANSWERS | switches)
    _emulated(made)
    _schedules_and_tells(made)
    made.change(AWS_APPCONFIG_EXTENSION_HTTP_PORT=str(Extension(cloud().client("appconfigdata", role_key(made))).port))
    return made


def invoke(made, document):
    """Hands the broker of a stack a request directly, as automation with that right would; gives its reply."""
    invoked = cloud().client("lambda").invoke(FunctionName=made.name, Payload=json.dumps(document))
    reply = json.loads(invoked["Payload"].read())
    assert "FunctionError" not in invoked, reply
    return reply


def layer(functions, name):
    """Publishes a layer in an emulator, and gives its name."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("shared.txt", name)
    functions.publish_layer_version(LayerName=name, Content={"ZipFile": code.getvalue()})
    return name


def on_layer(operation, name, **more):
    """A request on the first version of a layer."""
    return {"operation": operation, "parameters": {"LayerName": name, "VersionNumber": 1, **more}}


def statements_of_layer(name, functions, version=1):
    """The statements of a layer version's policy, by their ids."""
    try:
        policy = functions.get_layer_version_policy(LayerName=name, VersionNumber=version)["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return {}
    return {statement["Sid"]: statement for statement in json.loads(policy)["Statement"]}


def guided(answers):
    """Answers what `sam deploy --guided` asks, and gives what it showed."""
    # SAM writes the answers into the project's own file; here into a copy.
    config = shutil.copy(ROOT / "samconfig.toml", scratch())
    given = [answers.get(parameter, "") for parameter in parameters()]
    # The stack's name as it is proposed, and the region; then whether to confirm the changes, to let SAM make the role, to keep
    # what failed, and to save the answers, and where.
    words = ["", REGION, *given, "n", "y", "n", "y", str(config), "default"]
    options = ["--template-file", template(), "--config-file", config]
    return _sam(["deploy", "--guided", *options], "\n".join(words) + "\n")


def deploy(name, answers):
    """Deploys without a question, as a pipeline would."""
    # SAM wants YAML here, which JSON is.
    file = scratch() / "parameters.yaml"
    file.write_text(json.dumps(answers))
    options = ["--no-confirm-changeset", "--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--stack-name", name]
    files = ["--template-file", template(), "--parameter-overrides", f"file://{file}"]
    _sam(["deploy", *options, *files], "")
    return Stack(name)


def _sam(arguments, words):
    here = scratch()
    result = subprocess.run(
        [SAM, *arguments], input=words, env=cloud().environment(), cwd=here, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert result.returncode == 0, f"sam ended with {result.returncode}:\n{result.stdout}\n{cloud().log.read_text()[-6000:]}"
    return result.stdout


def _emulated(made):
    """What the emulator cannot do has to be made up for, once it has been seen that it cannot."""
    differs(
        "MiniStack",
        "the condition key lambda:Principal never matches, so that the role's Allow is never in force; a further one is put "
        "beside it, for the same functions",
        "AddPermission carries the key, and the template's own policy decides",
    )
    resource = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders*"
    tried = {"StatementId": "tried"} | request(function())["parameters"]
    _add_right(made, ("lambda", "add_permission", tried), allow("lambda:AddPermission", resource))


def _schedules_and_tells(made):
    """The same for what is off in the first stack."""
    differs(
        "MiniStack",
        "it takes every schedule for one of the group default, so that the role's Allow on its own group is never in force; a "
        "further one is put beside it",
        "a schedule's ARN has its group",
    )
    tried = {"Name": "tried", "GroupName": made.group()}
    actions = ["scheduler:CreateSchedule", "scheduler:GetSchedule"]
    resource = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/*"
    _add_right(made, ("scheduler", "get_schedule", tried), allow(actions, resource))
    differs(
        "MiniStack",
        "the condition key events:source never matches, so that the role's Allow to publish is never in force; a further one is "
        "put beside it, for the same bus",
        "PutEvents carries the key, and the template's own policy decides",
    )
    entry = {"Source": "permission-broker", "DetailType": "tried", "Detail": "{}", "EventBusName": BUS}
    resource = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"
    _add_right(made, ("events", "put_events", {"Entries": [entry]}), allow("events:PutEvents", resource))


def _add_right(made, call, statement):
    """Gives the role of a stack one more right, once it has been seen that what the right is for is refused."""
    service, operation, parameters = call
    client = cloud().client(service, role_key(made))
    try:
        getattr(client, operation)(**parameters)
    except client.exceptions.ClientError as refused:
        assert refused.response["Error"]["Code"] == "AccessDeniedException", refused
    else:
        raise AssertionError(f"MiniStack has learnt what {operation} needs: take this exception away")
    role = made.outputs["RoleArn"].rsplit("/", 1)[1]
    cloud().client("iam").put_role_policy(RoleName=role, PolicyName=f"emulator-{service}", PolicyDocument=document(statement))


def role_key(made):
    """Credentials of a stack's role."""
    taken = cloud().client("sts").assume_role(RoleArn=made.outputs["RoleArn"], RoleSessionName="tried")["Credentials"]
    return taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"]


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


_numbers = itertools.count(1)


def function(name="orders"):
    """A function to grant on, of a name that no other test has, with the alias `live`; gives its name."""
    name = f"{name}-{next(_numbers)}"
    make_function(cloud().client("lambda"), cloud().client("iam"), name)
    return name


def make_function(functions, iam, name):
    """Makes a function with the alias `live` in an emulator."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
    options = {"Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role(iam), "Publish": True}
    functions.create_function(FunctionName=name, Code={"ZipFile": code.getvalue()}, **options)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")


def role(iam):
    """The role of the functions that are shared."""
    try:
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        return iam.create_role(RoleName="shared", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        return iam.get_role(RoleName="shared")["Role"]["Arn"]


def statements(name, functions=None, **qualifier):
    """The statements of a function's policy, by their ids, as any other client of Lambda sees them."""
    functions = functions or cloud().client("lambda")
    try:
        policy = functions.get_policy(FunctionName=name, **qualifier)["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return {}
    listed = json.loads(policy)["Statement"]
    by_id = {statement["Sid"]: statement for statement in listed}
    assert len(by_id) == len(listed), f"an id stands twice: {listed}"
    return by_id


def granted(name, **qualifier):
    """Waits for a grant that was asked for at a door without an answer, and gives the statements."""
    return until(lambda: statements(name, **qualifier), f"a statement on {name}")


def request(name, **more):
    """A request that the allowlist allows."""
    parameters = {"FunctionName": name, "Action": "lambda:InvokeFunction", "Principal": PARTNER} | more
    return {"operation": "AddPermission", "parameters": parameters, "reason": "CHG-1042 partner onboarding"}


def user(name, *allowed):
    """An IAM user who may do this, and a key of theirs."""
    iam = cloud().client("iam")
    name = f"{name}-{next(_numbers)}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if allowed:
        iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=document(*allowed))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return arn, (key["AccessKeyId"], key["SecretAccessKey"])


def allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}
