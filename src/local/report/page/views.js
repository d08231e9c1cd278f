// The two views: what may be reached, and who reaches. Rows are drawn as far as somebody looks.

const ROWS = 50;
const MOST_OPENED = 60;
// On paper: so many statements are printed whole. Of more only rows are, and statements that were opened by hand; what is
// left out is said there. A browser lays out a page of paper at a time, and is not to stand still for it.
const MOST_PRINTED = 2000;
const MOST_PRINTED_ROWS = 500;
const opened = new Set(); // what was opened by hand, by view and name
let rows = []; // what the view would show, in order
let drawn = 0;
let body; // the table's body
let printing = false;
let whole; // whether everything that was found fits on paper
let room; // for how many statements more there is room on paper

const access = document.getElementById("access");
const more = document.getElementById("more");

function sortBy(key) {
  state.down = state.sort === key ? !state.down : key !== "name";
  state.sort = key;
  draw();
  const button = access.querySelector(`th[data-sort="${key}"] button`);
  if (button) button.focus();
}

function arrange(items, keys) {
  const by = keys[state.sort] || keys.findings;
  const turn = state.down ? -1 : 1;
  const keyed = items.map((item) => [by(item), keys.name(item), item]);
  const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  keyed.sort((a, b) => turn * order(a[0], b[0]) || order(a[1], b[1]));
  return keyed.map((entry) => entry[2]);
}

/** Draws what the filter found. */
function draw() {
  const targets = state.view === "targets";
  const view = targets ? targetView() : partyView();
  rows = view.rows;
  whole = view.statements <= MOST_PRINTED;
  room = MOST_PRINTED;
  drawn = 0;
  body = el("tbody");
  const caption = el("caption", { class: "unseen" }, view.caption);
  access.replaceChildren(rows.length
    ? el("table", { class: `main ${state.view}` }, caption, el("thead", {}, el("tr", {}, view.head)), body)
    : el("p", { class: "empty" }, report.statements.sid.length ? "No statement matches." : "There is no statement."));
  drawMore(view.row);
  more.onclick = () => drawMore(view.row);
  if (printing && !whole) access.prepend(leftOut(view));
}

/** What paper does not have, for whoever holds it. */
function leftOut(view) {
  const [one, many] = state.view === "targets" ? ["target", "targets"] : ["party", "parties"];
  const rest = drawn < rows.length ? `the first ${number.format(drawn)} of ${count(rows.length, one, many)}` : count(drawn, one, many);
  return el("p", { class: "notice" }, `Not everything is printed: ${rest}, and of ${count(view.statements, "statement")} ` +
    `${number.format(MOST_PRINTED - room)}, which were opened. Up to ${number.format(MOST_PRINTED)} statements are printed whole: filter for fewer.`);
}

function drawMore(row) {
  const until = Math.min(rows.length, printing ? (whole ? rows.length : MOST_PRINTED_ROWS) : drawn + ROWS);
  const parts = document.createDocumentFragment();
  for (; drawn < until; drawn++) parts.append(...row(rows[drawn]));
  body.append(parts);
  more.hidden = drawn >= rows.length;
  more.textContent = `Show more: ${number.format(drawn)} of ${number.format(rows.length)} are shown`;
}

/** A row and, if it is open, the row with what belongs to it. */
function openable(key, open, title, cells, detail, before = []) {
  const row = el("tr");
  const columns = before.length + 1 + cells.length;
  const makeDetail = () => el("tr", { class: "detail" }, el("td", { colspan: columns }, detail()));
  let under = open ? makeDetail() : null;
  const button = toggle(title, open, () => {
    if (under) {
      under.remove();
      under = null;
      opened.delete(key);
    } else {
      row.after((under = makeDetail()));
      opened.add(key);
    }
    button.setAttribute("aria-expanded", String(Boolean(under)));
  });
  row.append(...before, el("th", { scope: "row" }, button), ...cells);
  return under ? [row, under] : [row];
}

const opens = (key) =>
  opened.has(key) || (printing ? whole : state.query !== "" && found.statements <= MOST_OPENED);

function targetView() {
  const tallies = new Map(found.targets.map((t) => [t, tally(offsets[t], offsets[t + 1])]));
  const keys = {
    name: (t) => report.targets.name[t],
    statements: (t) => found.per[t],
    findings: (t) => weight(tallies.get(t)),
    size: (t) => report.targets.bytes[t],
  };
  const row = (t) => {
    const all = report.targets.statements[t];
    const of = found.per[t] === all ? number.format(all) : `${number.format(found.per[t])} of ${number.format(all)}`;
    const cells = [
      el("td", { class: "reach" }, reach(t)),
      el("td", { class: "num" }, of),
      el("td", {}, chips(tallies.get(t))),
      el("td", { class: "size" }, meter(report.targets.bytes[t])),
    ];
    const key = report.targets.name[t];
    return openable(key, opens(key), targetName(t), cells, () => statementTable(statementsOf(t), false));
  };
  return {
    caption: "Functions and layer versions with a policy",
    statements: found.statements,
    head: [sorter("name", "Target"), head("Reached by"), sorter("statements", "Statements", { class: "num" }),
      sorter("findings", "Findings"), sorter("size", "Policy", { class: "size" })],
    rows: arrange(found.targets, keys),
    row,
  };
}

function statementsOf(target) {
  const numbers = [];
  for (let i = offsets[target]; i < offsets[target + 1]; i++) if (shown[i]) numbers.push(i);
  return numbers;
}

function partyView() {
  const keys = {
    name: (party) => `${PARTIES[partyParts(party.name)[0]]}${party.name}`,
    statements: (party) => party.statements.length,
    findings: (party) => (party.name === "everyone" ? 1e9 : party.refused),
    size: (party) => party.targets.length,
  };
  const row = (party) => {
    const [kind, text] = partyParts(party.name);
    const title = el("span", { class: "target" }, el("span", { class: "tag" }, PARTY_WORDS[kind] || kind),
      el("span", { class: "name" }, text || "anybody at all"));
    const cells = [
      el("td", {}, reached(party.targets)),
      el("td", { class: "num" }, number.format(party.statements.length)),
      el("td", { class: "size" }, share(party.statements.length - party.refused, party.refused)),
    ];
    return openable(party.name, opens(party.name), title, cells, () => statementTable(party.statements, true));
  };
  const parties = partiesFound();
  return {
    caption: "Accounts, organizations, services and others that statements name",
    // One that names several stands under each of them.
    statements: parties.reduce((sum, party) => sum + party.statements.length, 0),
    head: [sorter("name", "Party"), sorter("size", "Reaches"), sorter("statements", "Statements", { class: "num" }),
      sorter("findings", "By today's allowlist", { class: "size" })],
    rows: arrange(parties, keys),
    row,
  };
}

/** Statements, some at a time. */
function statementTable(numbers, withTarget) {
  const under = el("tbody");
  const columns = [withTarget && head("Target"), head("Statement"), !withTarget && head("Who"), head("May"),
    head("Only with"), head("Today")].filter(Boolean);
  const table = el("table", { class: "statements" }, el("caption", { class: "unseen" }, "Statements"),
    el("thead", {}, el("tr", {}, columns)), under);
  let done = 0;
  const button = el("button", { type: "button", class: "more" });
  const next = () => {
    const until = Math.min(numbers.length, printing ? room : done + ROWS);
    for (; done < until; done++) under.append(...statementRow(numbers[done], withTarget));
    if (printing) room -= done;
    button.hidden = done >= numbers.length;
    button.textContent = `Show more: ${number.format(done)} of ${number.format(numbers.length)} are shown`;
  };
  button.addEventListener("click", next);
  next();
  const cut = printing && done < numbers.length;
  return [table, cut ? el("p", {}, `${count(numbers.length - done, "more statement")} not printed.`) : button];
}

function statementRow(i, withTarget) {
  const { statements, values } = report;
  const sid = statements.sid[i] || "(no id)";
  const bits = statements.findings[i];
  const conditions = conditionLines(values[statements.condition[i]]);
  const cells = [
    !withTarget && el("td", { class: "code" }, principalText(values[statements.principal[i]])),
    el("td", { class: "code" }, actionText(values[statements.action[i]])),
    el("td", {}, conditions.length
      ? el("ul", { class: "conditions" }, conditions.map(([key, value]) => el("li", {}, el("span", { class: "key" }, key), " ", el("span", { class: "code" }, value))))
      : el("span", { class: "none" }, "no condition")),
    el("td", { class: "today" }, today(i, bits)),
  ].filter(Boolean);
  const target = withTarget ? [el("td", {}, targetName(targetOf(i)))] : [];
  return openable(`${i}`, false, el("span", { class: "code" }, sid), cells, () => statementDetail(i), target);
}

function today(i, bits) {
  const verdict = report.values[report.statements.verdict[i]];
  if (typeof verdict === "string") {
    return [el("span", { class: "ruled" }, el("span", { "aria-hidden": "true" }, "✓ "), "rule ", el("b", {}, verdict)),
      bits & BITS.byBroker ? el("span", { class: "by" }, "likely by the broker") : ""];
  }
  const tags = ["public", "unconfined", "dead", "deny", "noRule"].filter((name) => bits & BITS[name]);
  // What is graver says that there is no rule.
  const telling = tags.length > 1 ? tags.filter((name) => name !== "noRule") : tags;
  return [el("span", { class: "tags" }, telling.map((name) => chip(name))),
    el("ul", { class: "why" }, verdict.map((error) => el("li", { title: `${error.code} ${error.pointer}` }, error.detail)))];
}

function statementDetail(i) {
  const block = (label, value) => [el("h3", {}, label), el("pre", { tabindex: "0", "aria-label": label }, JSON.stringify(value, null, 2))];
  const print = report.statements.fingerprint[i];
  return el("div", { class: "whole" }, el("div", {}, block("Statement", statementOf(i))),
    print ? el("div", {}, block("Request that revokes it", revokeOf(i))) : "");
}
