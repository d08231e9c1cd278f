"use strict";
// The data, and what is worked out of it once.

const BITS = {};
let report, offsets, partyIds, partyNames, columns, names, sids;

/** Takes a report; the page is drawn from it afterwards. */
function take(json) {
  report = json;
  report.findings.forEach((name, i) => (BITS[name] = 1 << i));
  const counts = report.targets.statements;
  offsets = new Uint32Array(counts.length + 1);
  counts.forEach((count, i) => (offsets[i + 1] = offsets[i] + count));
  // Every party gets a number, and every list of parties the list of their numbers.
  const numbers = new Map();
  partyNames = [];
  partyIds = new Map();
  for (const place of report.statements.parties) {
    if (partyIds.has(place)) continue;
    partyIds.set(place, report.values[place].map((name) => {
      if (!numbers.has(name)) numbers.set(name, partyNames.push(name) - 1);
      return numbers.get(name);
    }));
  }
  // Filled in when somebody first looks for a word.
  columns = sids = null;
  names = report.targets.name.map((name) => name.toLowerCase());
}

/** A column, as what people look for in it: each value once, in lower case, and where it stands. */
function searched(places, text) {
  const order = new Map();
  const at = Uint32Array.from(places, (place) => {
    if (!order.has(place)) order.set(place, order.size);
    return order.get(place);
  });
  return { at, words: [...order.keys()].map((place) => text(report.values[place]).toLowerCase()) };
}

function index() {
  const { statements } = report;
  columns = [
    searched(statements.principal, principalText),
    searched(statements.action, (value) => (value && value.NotAction ? actionText(value) : list(value).join(" "))),
    searched(statements.condition, (value) => conditionLines(value).map((line) => line.join(" ")).join(" ")),
    searched(statements.parties, (value) => value.join(" ")),
    searched(statements.verdict, verdictText),
  ];
  sids = statements.sid.map((sid) => sid.toLowerCase());
}

function targetKind(target) {
  return report.targets.name[target].startsWith("layer:") ? "layer" : "function";
}

/** The target of a statement. */
function targetOf(statement) {
  let low = 0, high = offsets.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (offsets[middle] <= statement) low = middle; else high = middle;
  }
  return low;
}

const list = (value) => (Array.isArray(value) ? value : [value]);

/** A principal as people say it: a whole account by its number. */
function principalText(value) {
  if (value === null || value === undefined) return "nobody";
  if (typeof value === "string") return value;
  if (value.NotPrincipal) return `everyone but ${principalText(value.NotPrincipal)}`;
  return Object.entries(value).flatMap(([kind, texts]) => list(texts).map((text) => {
    const root = /^arn:[^:]*:iam::(\d{12}):root$/.exec(text);
    return root ? root[1] : kind === "AWS" || kind === "Service" ? text : `${kind} ${text}`;
  })).join(", ");
}

/** What may be done, as people say it. */
function actionText(value) {
  if (value && value.NotAction) return `anything but ${actionText(value.NotAction)}`;
  return list(value || "anything else").map((action) => action.replace(/^lambda:/, "")).join(", ");
}

const KEYS = {
  "aws:sourceaccount": "source account",
  "aws:sourcearn": "source",
  "aws:sourceorgid": "source organization",
  "aws:sourcevpc": "VPC",
  "aws:sourcevpce": "VPC endpoint",
  "aws:principalaccount": "caller's account",
  "aws:principalarn": "caller",
  "aws:principalorgid": "organization",
  "lambda:eventsourcetoken": "token",
  "lambda:functionurlauthtype": "URL auth",
  "lambda:invokedviafunctionurl": "via function URL",
};

/** What a condition demands, one line for each key: the name of what it demands, and the value. */
function conditionLines(value) {
  return Object.entries(value || {}).flatMap(([operator, keys]) => Object.entries(keys || {}).map(([key, texts]) => {
    const usual = /^(StringEquals|ArnLike|Bool)$/i.test(operator) && KEYS[key.toLowerCase()];
    return [usual || `${key} ${operator}`, list(texts).join(", ")];
  }));
}

function verdictText(value) {
  return typeof value === "string" ? `rule ${value}` : value.map((error) => error.code).join(" ");
}

/** The statement as AWS has it. */
function statementOf(i) {
  const { statements, values, targets } = report;
  if (statements.whole[i]) return values[statements.whole[i]];
  const name = targets.name[targetOf(i)];
  const statement = {
    Sid: statements.sid[i],
    Effect: "Allow",
    Principal: values[statements.principal[i]],
    Action: values[statements.action[i]],
    Resource: `arn:${report.partition}:lambda:${report.region}:${report.account}:${name}`,
  };
  const condition = values[statements.condition[i]];
  if (condition) statement.Condition = condition;
  return statement;
}

/** The request that takes a statement away, bound to what it means today. */
function revokeOf(i) {
  const [kind, name, end] = report.targets.name[targetOf(i)].split(":");
  const parameters = kind === "layer" ? { LayerName: name, VersionNumber: Number(end) } : { FunctionName: name };
  if (kind === "function" && end) parameters.Qualifier = end;
  parameters.StatementId = report.statements.sid[i];
  const operation = kind === "layer" ? "RemoveLayerVersionPermission" : "RemovePermission";
  return { operation, parameters, fingerprint: report.statements.fingerprint[i] };
}
