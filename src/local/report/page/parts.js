// Small parts of the page. Text becomes text nodes; no part takes markup.

function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  const said = children.flat().filter((child) => child !== null && child !== undefined && child !== "");
  node.append(...said.map((child) => (child instanceof Node ? child : plain(String(child)))));
  return node;
}

/** Spells out what has no shape of its own or turns the writing around: `\u202egnp.evil` would read `live.png`. */
function plain(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const number = new Intl.NumberFormat("en-US");
const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many || one + "s"}`;

const FINDINGS = {
  public: ["open to everyone", "Everyone may use it: no account, organization, network or source narrows it."],
  unconfined: ["no confined source", "A service may use it for any customer of AWS: no account or organization narrows its source."],
  dead: ["dead principal", "Its user or role was deleted; AWS refuses further statements in this policy."],
  noRule: ["no rule today", "No rule of the allowlist would give it today."],
  form: ["foreign form", "No request to the broker makes a statement of this form."],
  deny: ["denies", "It takes access away."],
};

/** A finding, with how often if that says something. */
function chip(name, times) {
  const [label, why] = FINDINGS[name];
  return el("span", { class: `chip ${name}`, title: why }, times > 1 ? `${number.format(times)} ${label}` : label);
}

function chips(counts) {
  const found = LOOK.filter((name) => counts[name] && name !== "form");
  return found.length ? found.map((name) => chip(name, counts[name])) : el("span", { class: "none" }, "none");
}

/** How full a policy is. */
function meter(bytes) {
  const part = Math.min(1, bytes / report.limit);
  const fill = el("span", { class: bytes >= report.nearlyFull ? "fill nearly" : "fill" });
  fill.style.width = `${(part * 100).toFixed(1)}%`;
  const text = el("span", { class: "num" }, `${Math.round(part * 100)} %`);
  return el("span", { class: "meter", title: `${number.format(bytes)} of ${number.format(report.limit)} bytes` },
    el("span", { class: "track", "aria-hidden": "true" }, fill), text,
    el("span", { class: "unseen" }, ` full, ${number.format(bytes)} bytes`));
}

/** What the allowlist would give today, and what not. */
function share(allowed, refused) {
  const bar = el("span", { class: "track share", "aria-hidden": "true" });
  for (const [name, part] of [["allowed", allowed], ["refused", refused]]) {
    if (!part) continue;
    const fill = el("span", { class: `fill ${name}` });
    fill.style.width = `${(100 * part) / (allowed + refused)}%`;
    bar.append(fill);
  }
  const said = refused ? `${number.format(refused)} of ${number.format(allowed + refused)} without a rule` : "all by a rule";
  return el("span", { class: "meter" }, bar, el("span", { class: "said" }, said));
}

/** `function:orders:live`, with what matters most in full ink. */
function targetName(target) {
  const [kind, name, end] = report.targets.name[target].split(":");
  return el("span", { class: "target" }, el("span", { class: "tag" }, kind), el("span", { class: "name" }, name),
    end ? el("span", { class: "end" }, `:${end}`) : "");
}

const PARTIES = { account: 0, organization: 1, service: 2, network: 3, everyone: 4, deleted: 5, other: 6 };
const PARTY_WORDS = { network: "whoever comes through", deleted: "deleted user or role", other: "other principal" };
const PARTY_MANY = { network: "networks", deleted: "deleted users and roles" };

function partyParts(name) {
  const at = name.indexOf(":");
  return at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at + 1)];
}

/** How many of each kind the statements found of a target name. */
function reach(target) {
  const kinds = new Map();
  const seen = new Set();
  for (let i = offsets[target]; i < offsets[target + 1]; i++) {
    if (!shown[i]) continue;
    for (const id of partyIds.get(report.statements.parties[i])) {
      if (seen.has(id)) continue;
      seen.add(id);
      const [kind] = partyParts(partyNames[id]);
      kinds.set(kind, (kinds.get(kind) || []).concat(id));
    }
  }
  const order = [...kinds].sort(([a], [b]) => PARTIES[a] - PARTIES[b]);
  return order.map(([kind, ids]) => {
    if (kind === "everyone") return "everyone";
    if (ids.length > 2) return count(ids.length, PARTY_WORDS[kind] || kind, PARTY_MANY[kind]);
    return ids.map((id) => partyParts(partyNames[id])[1]).join(", ");
  }).join(" · ");
}

/** What a party reaches: how much, and what comes first. */
function reached(targets) {
  const layers = targets.filter((t) => targetKind(t) === "layer").length;
  const functions = targets.length - layers;
  const counts = [functions && count(functions, "function"), layers && count(layers, "layer version")];
  const names = targets.slice(0, 6).map((t) => report.targets.name[t].replace(/^[^:]*:/, "")).join(", ");
  return el("div", { class: "reached" }, el("span", {}, counts.filter(Boolean).join(" · ")),
    el("span", { class: "names code" }, targets.length > 6 ? `${names}, …` : names));
}

/** A button that opens what belongs to it. */
function toggle(content, open, act) {
  return el("button", { type: "button", class: "toggle", "aria-expanded": String(open), onclick: act }, content);
}

/** A head cell that sorts by its column. */
function sorter(key, label, props) {
  const sorted = state.sort === key;
  const button = el("button", { type: "button", onclick: () => sortBy(key) }, label);
  return el("th", { scope: "col", "data-sort": key, "aria-sort": sorted ? (state.down ? "descending" : "ascending") : undefined, ...props }, button);
}

const head = (label, props) => el("th", { scope: "col", ...props }, label);
