// Asking the broker, on a page that is served: a request is explained, as a dry run, before it can be sent.

const FIELDS = {
  FunctionName: { label: "Function", list: "ask-functions" },
  Qualifier: { label: "Version or alias", optional: true },
  LayerName: { label: "Layer", list: "ask-layers" },
  VersionNumber: { label: "Layer version", number: true },
  StatementId: { label: "Statement id", optional: true },
  Action: { label: "Action" },
  Principal: { label: "Principal", hint: "account, role or user ARN, service, or *" },
  SourceAccount: { label: "Source account", optional: true },
  SourceArn: { label: "Source ARN", optional: true },
  PrincipalOrgID: { label: "Organization", optional: true },
  OrganizationId: { label: "Organization", optional: true },
  FunctionUrlAuthType: { label: "URL auth type" },
  reason: { label: "Reason", optional: true, hint: "for the audit" },
};
const OPERATIONS = {
  AddPermission: ["FunctionName", "Qualifier", "Principal", "Action", "SourceAccount", "SourceArn", "PrincipalOrgID", "StatementId", "reason"],
  AddLayerVersionPermission: ["LayerName", "VersionNumber", "Principal", "Action", "OrganizationId", "StatementId", "reason"],
  GrantFunctionUrl: ["FunctionName", "Qualifier", "Principal", "FunctionUrlAuthType", "PrincipalOrgID", "StatementId", "reason"],
  RemovePermission: ["FunctionName", "Qualifier", "StatementId", "reason"],
  RemoveLayerVersionPermission: ["LayerName", "VersionNumber", "StatementId", "reason"],
};
const FIRST = { AddPermission: { Action: "lambda:InvokeFunction" }, AddLayerVersionPermission: { Action: "lambda:GetLayerVersion" },
  GrantFunctionUrl: { FunctionUrlAuthType: "AWS_IAM" } };

const ask = (id) => document.getElementById(`ask-${id}`);
const given = {}; // what was typed, by field
let explained = null; // the text that was explained last

function drawFields() {
  const operation = ask("operation").value;
  Object.assign(given, FIRST[operation]);
  const old = [...ask("fields").querySelectorAll("[data-field]")];
  old.forEach((label) => label.remove());
  ask("fields").append(...OPERATIONS[operation].map((name) => {
    const { label, list: known, hint, number: whole, optional } = FIELDS[name];
    const input = el("input", { type: "text", name, list: known, inputmode: whole && "numeric", placeholder: hint, autocomplete: "off", spellcheck: "false" });
    input.value = given[name] || "";
    input.addEventListener("input", () => {
      given[name] = input.value;
      writeRequest();
    });
    const removal = name === "StatementId" && operation.startsWith("Remove");
    return el("label", { "data-field": name }, el("span", {}, label, optional && !removal ? el("span", { class: "soft" }, " optional") : ""), input);
  }));
  writeRequest();
}

function writeRequest() {
  const operation = ask("operation").value;
  const request = { operation, parameters: {} };
  for (const name of OPERATIONS[operation]) {
    const text = (given[name] || "").trim();
    if (!text) continue;
    if (name === "reason") request.reason = text;
    else request.parameters[name] = FIELDS[name].number && /^\d+$/.test(text) ? Number(text) : text;
  }
  ask("request").value = JSON.stringify(request, null, 2);
  changed();
}

/** Only what was explained may be sent. */
function changed() {
  ask("send").disabled = explained === null || explained !== ask("request").value;
}

async function post(path, text) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: text });
  const body = await answer.text();
  try {
    return JSON.parse(body);
  } catch {
    return { outcome: "failed", detail: `The server answered ${answer.status}: ${body.slice(0, 200)}` };
  }
}

async function submit(path, title) {
  const text = ask("request").value;
  const buttons = [...document.querySelectorAll("#ask-form button")];
  buttons.forEach((button) => (button.disabled = true));
  let reply;
  try {
    reply = await post(path, text);
  } catch {
    reply = { outcome: "failed", detail: "The broker does not answer. Is it still running?" };
  }
  buttons.forEach((button) => (button.disabled = false));
  explained = path === "explain" && !reply.code && reply.outcome !== "failed" ? text : null;
  changed();
  drawAnswer(title, reply);
  if (path === "grants") await refresh();
}

/** Shows what the policies are now. */
async function refresh() {
  const answer = await fetch("report.json").catch(() => null);
  if (answer && answer.ok) start(await answer.json());
}

const GOOD = /^(granted|already_granted|would_grant|revoked|already_revoked|would_revoke|read)$/;

function drawAnswer(title, reply) {
  const parts = [el("h3", {}, title), el("p", { class: `outcome ${GOOD.test(reply.outcome) ? "good" : "bad"}` },
    String(reply.outcome || "failed").replace(/_/g, " "), reply.rule ? el("span", { class: "soft" }, ` by rule ${reply.rule}`) : "")];
  if (reply.detail) parts.push(el("p", {}, reply.detail));
  if (reply.errors) parts.push(el("ul", { class: "broken" }, reply.errors.map((error) => el("li", {}, el("span", { class: "code" }, error.pointer || "the request"), " ", error.detail))));
  if (reply.rules) parts.push(el("ul", { class: "broken" }, reply.rules.map((rule) => el("li", {}, `rule ${rule.rule}: `, el("span", { class: "code" }, rule.code)))));
  const policy = reply.policy;
  if (policy) {
    const before = policy.bytesBefore === undefined ? "" : `${number.format(policy.bytesBefore)} → `;
    parts.push(el("p", {}, `Policy: ${before}${number.format(policy.bytes)} of ${number.format(policy.limit)} bytes`));
  }
  for (const grant of reply.grants || [reply]) {
    for (const [name, statement] of [["Statement", grant.statement], ["Statement that AWS would be asked to store", grant.wouldStore]]) {
      if (statement) parts.push(el("pre", { tabindex: "0", "aria-label": name }, JSON.stringify(statement, null, 2)));
    }
  }
  ask("answer").replaceChildren(...parts);
}

function known(kind) {
  const names = new Set(report.targets.name.filter((name) => name.startsWith(kind)).map((name) => name.split(":")[1]));
  return [...names].map((name) => el("option", { value: name }));
}

ask("operation").addEventListener("change", drawFields);
ask("request").addEventListener("input", changed);
ask("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit("explain", "It would come to");
});
ask("send").addEventListener("click", () => submit("grants", "It came to"));
ask("functions").append(...known("function:"));
ask("layers").append(...known("layer:"));
drawFields();
