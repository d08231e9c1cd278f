// Which statements are shown. A word is looked for in every value once, not in every statement.

const state = { query: "", finding: "", kind: "", view: "targets", sort: "findings", down: true };
let shown; // one byte for each statement
let found; // { statements, targets: [numbers], per: statements found of each target }

/** Keeps of the statements shown those that have a word somewhere. */
function keep(word) {
  if (!columns) index();
  const hits = columns.map(({ words }) => Uint8Array.from(words, (text) => text.includes(word)));
  const useful = columns.map((_, c) => c).filter((c) => hits[c].includes(1));
  for (let t = 0; t < names.length; t++) {
    if (names[t].includes(word)) continue;
    for (let i = offsets[t]; i < offsets[t + 1]; i++) {
      if (!shown[i]) continue;
      let hit = false;
      for (const c of useful) hit = hit || hits[c][columns[c].at[i]] === 1;
      if (!hit && !sids[i].includes(word)) shown[i] = 0;
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

/** How many of some statements have each finding; of one without a rule only what is not graver. */
function tally(from, to) {
  const counts = { public: 0, unconfined: 0, dead: 0, noRule: 0, form: 0 };
  const graver = BITS.public | BITS.unconfined | BITS.dead;
  for (let i = from; i < to; i++) {
    const bits = report.statements.findings[i];
    if (!shown[i] || !bits) continue;
    if (bits & BITS.public) counts.public++;
    if (bits & BITS.unconfined) counts.unconfined++;
    if (bits & BITS.dead) counts.dead++;
    if (bits & BITS.noRule && !(bits & graver)) counts.noRule++;
    if (bits & BITS.form) counts.form++;
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
        if (!party) parties.set(id, (party = { id, name: partyNames[id], targets: [], statements: [], refused: 0 }));
        if (party.targets.at(-1) !== t) party.targets.push(t);
        party.statements.push(i);
        if (report.statements.findings[i] & BITS.noRule) party.refused++;
      }
    }
  }
  return [...parties.values()];
}
