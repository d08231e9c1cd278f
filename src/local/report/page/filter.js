// Which statements are shown. A word is looked for in every value once, not in every statement.

const state = { query: "", finding: "", kind: "", view: "targets", sort: "findings", down: true };
let shown; // one byte for each statement
let found; // { statements, targets: [numbers], per: statements found of each target }

/** For each place of a column whether the value there has the word. */
function having(column, word, text) {
  const hits = new Map();
  for (const place of column) {
    if (!hits.has(place)) hits.set(place, wordsOf(place, text).includes(word));
  }
  return hits;
}

const partyText = (value) => value.join(" ");
const actionText = (value) => list(value).join(" ");
const conditionText = (value) => conditionLines(value).map((line) => line.join(" ")).join(" ");

/** Keeps of the statements shown those that have a word somewhere. */
function keep(word) {
  const { statements, targets } = report;
  const columns = [
    [statements.principal, principalText],
    [statements.action, actionText],
    [statements.condition, conditionText],
    [statements.parties, partyText],
    [statements.verdict, verdictText],
  ].map(([column, text]) => [column, having(column, word, text)]);
  for (let t = 0; t < targets.name.length; t++) {
    if (targets.name[t].toLowerCase().includes(word)) continue;
    for (let i = offsets[t]; i < offsets[t + 1]; i++) {
      if (!shown[i] || statements.sid[i].toLowerCase().includes(word)) continue;
      let hit = false;
      for (let c = 0; c < columns.length && !hit; c++) hit = columns[c][1].get(columns[c][0][i]);
      if (!hit) shown[i] = 0;
    }
  }
}

/** Works out what the filter shows. */
function filter() {
  const { statements, targets } = report;
  const all = statements.sid.length;
  shown = new Uint8Array(all).fill(1);
  const bit = BITS[state.finding];
  for (let t = 0; t < targets.name.length; t++) {
    const wrongKind = state.kind && targetKind(t) !== state.kind;
    const hasRoom = state.finding === "full" && targets.bytes[t] < report.nearlyFull;
    if (wrongKind || hasRoom) shown.fill(0, offsets[t], offsets[t + 1]);
  }
  if (bit) for (let i = 0; i < all; i++) if (!(statements.findings[i] & bit)) shown[i] = 0;
  state.query.toLowerCase().split(/\s+/).filter(Boolean).forEach(keep);
  found = { statements: 0, targets: [], per: new Uint32Array(targets.name.length) };
  for (let t = 0; t < targets.name.length; t++) {
    let count = 0;
    for (let i = offsets[t]; i < offsets[t + 1]; i++) count += shown[i];
    found.per[t] = count;
    found.statements += count;
    if (count) found.targets.push(t);
  }
}

const LOOK = ["public", "unconfined", "dead", "noRule", "form"];

/** How many of some statements have each finding. */
function tally(from, to) {
  const counts = {};
  LOOK.forEach((name) => (counts[name] = 0));
  for (let i = from; i < to; i++) {
    const bits = report.statements.findings[i];
    if (!shown[i] || !bits) continue;
    for (const name of LOOK) if (bits & BITS[name]) counts[name]++;
  }
  return counts;
}

/** The graver a finding, the higher: what everybody reaches comes before what nobody reaches any more. */
const weight = (counts) =>
  counts.public * 1e12 + counts.unconfined * 1e8 + counts.dead * 1e4 + counts.noRule;

/** Everybody that the statements found name, with what each reaches. */
function partiesFound() {
  const parties = new Map();
  for (const t of found.targets) {
    for (let i = offsets[t]; i < offsets[t + 1]; i++) {
      if (!shown[i] || report.statements.findings[i] & BITS.deny) continue;
      for (const id of partyIds.get(report.statements.parties[i])) {
        let party = parties.get(id);
        if (!party) parties.set(id, (party = { id, name: partyNames[id], functions: 0, layers: 0, last: -1, statements: [], refused: 0 }));
        if (party.last !== t) {
          party.last = t;
          if (targetKind(t) === "layer") party.layers++; else party.functions++;
        }
        party.statements.push(i);
        if (report.statements.findings[i] & BITS.noRule) party.refused++;
      }
    }
  }
  return [...parties.values()];
}
