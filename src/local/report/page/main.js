// The page as a whole: what stands at its head, what a person does, and printing.

const field = document.getElementById("filter");

function say(id, ...content) {
  document.getElementById(id).replaceChildren(...content);
}

function drawHead() {
  const { counts } = report;
  say("place", `Account ${report.account || "unknown"}, ${report.region || "no region"}`);
  document.title = `Permission report ${report.account} ${report.region}`;
  const made = report.made.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC");
  const read = [count(counts.functions, "function"), count(counts.aliases, "alias", "aliases"),
    report.withVersions && count(counts.versions, "version"), count(counts.layerVersions, "layer version")];
  const facts = [["Read", made], ["Judged by", `${report.allowlist}, ${count(report.rules, "rule")}`],
    ["Looked at", read.filter(Boolean).join(", ")]];
  if (report.prefix) facts.push(["Names that begin with", report.prefix]);
  say("facts", ...facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  say("footer", el("p", {}, report.withVersions ? "" : "Policies of published versions of functions were not read; --versions reads them. ",
    "A target without a statement is not listed. Tokens are shown as present."));
}

/** The figures; each shows only its own. */
function drawFindings() {
  const { statements, targets } = report;
  const of = (name) => statements.findings.reduce((sum, bits) => sum + (bits & BITS[name] ? 1 : 0), 0);
  const nearly = targets.bytes.filter((bytes) => bytes >= report.nearlyFull).length;
  const figures = [
    ["", statements.sid.length, "statements", `on ${count(targets.name.length, "target")}`],
    ["public", of("public"), "open to everyone", "nothing narrows them"],
    ["unconfined", of("unconfined"), "no confined source", "a service for any customer"],
    ["dead", of("dead"), "dead principals", "deleted users and roles"],
    ["noRule", of("noRule"), "no rule today", "the allowlist would refuse"],
    ["full", nearly, "policies nearly full", `from ${Math.round((100 * report.nearlyFull) / report.limit)} % of ${number.format(report.limit)} B`],
  ];
  say("findings", ...figures.map(([name, figure, label, hint]) => el("li", {},
    el("button", { type: "button", class: `figure ${name || "all"}`, "data-finding": name, "data-zero": !figure,
      "aria-pressed": String(state.finding === name), onclick: () => look(name) },
    el("span", { class: "value" }, number.format(figure)), " ", el("span", { class: "label" }, label), " ",
    el("span", { class: "hint" }, hint)))));
}

function drawUnread() {
  document.getElementById("unread-section").hidden = !report.unread.length;
  const notice = document.getElementById("notice");
  notice.hidden = !report.unread.length;
  notice.replaceChildren(`${count(report.unread.length, "call")} failed, so this page is not complete: `,
    el("a", { href: "#unread-title" }, "what was not read"), ".");
  const line = (entry) => el("tr", {}, el("th", { scope: "row", class: "code" }, entry.target),
    el("td", { class: "code" }, entry.operation), el("td", {}, entry.code));
  say("unread", report.unread.length ? el("table", { class: "unread" }, el("caption", { class: "unseen" }, "What could not be read"),
    el("thead", {}, el("tr", {}, head("Target"), head("Call"), head("Why"))), el("tbody", {}, report.unread.map(line))) : "");
}

/** Filters and draws anew. */
function update() {
  filter();
  draw();
  const all = report.statements.sid.length;
  const statements = found.statements === all ? count(all, "statement") : `${number.format(found.statements)} of ${count(all, "statement")}`;
  const targets = `${count(found.targets.length, "target")}`;
  say("count", `${statements} on ${targets}${state.view === "parties" ? `, ${count(rows.length, "party", "parties")}` : ""}`);
}

function look(finding) {
  state.finding = state.finding === finding ? "" : finding;
  for (const button of document.querySelectorAll("[data-finding]")) {
    button.setAttribute("aria-pressed", String(button.dataset.finding === state.finding));
  }
  update();
}

function start(json) {
  take(json);
  drawHead();
  drawFindings();
  drawUnread();
  update();
}

field.addEventListener("input", () => {
  state.query = field.value;
  update();
});
for (const name of ["view", "kind"]) {
  document.getElementById(name).addEventListener("change", (event) => {
    state[name] = event.target.value;
    update();
  });
}
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "radio";
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape" && event.target === field && field.value) {
    field.value = state.query = "";
    update();
  }
});
new IntersectionObserver((entries) => {
  if (!more.hidden && entries.some((entry) => entry.isIntersecting)) more.click();
}, { rootMargin: "600px" }).observe(more);
// Paper has no button to show more.
addEventListener("beforeprint", () => {
  printing = true;
  draw();
});
addEventListener("afterprint", () => {
  printing = false;
  draw();
});

start(JSON.parse(document.getElementById("data").textContent));
performance.mark("rows");
// Before the first word is typed, and after the first rows are seen.
(window.requestIdleCallback || setTimeout)(() => columns || index());
