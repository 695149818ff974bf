// The pages work without this file, by links and forms. This adds keys, selection, undo, and news of others.
// Nothing here makes elements of strings: text goes in by textContent alone.

const body = document.body;
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const acts = "acts" in body.dataset;
let seq = Number(body.dataset.seq);
let batch = sessionStorage.getItem("batch") ?? "";

function element(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

// A name, with what does not show made visible, as the server does it.
function named(text) {
  const e = element("bdi", "");
  for (const part of String(text).split(/([\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]|^ | $)/u)) {
    if (/^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]$|^ $/u.test(part)) e.append(element("span", "ctl", `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
    else e.append(part.length > 120 ? `${part.slice(0, 119)}…` : part);
  }
  return e;
}

function toast(text, { strong = null, undo = "", bad = false } = {}) {
  const line = element("span", "", text);
  if (strong !== null) line.append(element("b", "", strong));
  const t = element("div", bad ? "toast bad" : "toast", line);
  if (undo) {
    const b = element("button", "", "Undo ", element("kbd", "", "U"));
    b.type = "button";
    b.addEventListener("click", () => { t.remove(); takeBack(undo); });
    t.append(b);
  }
  $(".toasts").replaceChildren(t);
  setTimeout(() => t.remove(), bad ? 15000 : 8000);
}

async function send(path, value) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value ?? {}) });
  } catch {
    toast("The server does not answer. Nothing was changed.", { bad: true });
    return null;
  }
  const result = await answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
  if (result.conflicts || result.effect && !answer.ok) return result;
  if (answer.ok) return result;
  if (answer.status === 401) location.reload();
  toast(`${result.error}. Nothing was changed.`.replace("..", "."), { bad: true });
  return null;
}

function ask(id, fill) {
  const dialog = $(id);
  fill(dialog);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

const remember = (b) => { batch = b; sessionStorage.setItem("batch", b); };
const rowOf = (id) => $(`tr[data-key="${CSS.escape(id)}"]`);
const target = (e) => ({ id: e.dataset.key, rev: e.dataset.rev });
const fewer = (x) => String(Number(x));

function chip(score) {
  if (score === null) return element("span", "score none", "–");
  return element("span", `score s${Math.min(3, Math.max(0, Math.ceil(score)))}`, fewer(score));
}

// show marks what was decided about an item of the list.
function show(made) {
  const row = rowOf(made.id);
  if (!row) return;
  if (made.rev) {
    row.dataset.rev = made.rev;
    const box = $(".sel input", row);
    if (box) box.value = `${made.id} ${made.rev}`;
    $$("[name=quick]", row).forEach((b) => { b.value = `${b.dataset.score} ${made.id} ${made.rev}`; });
  }
  const done = made.action !== "undo" && made.action !== "withdraw";
  row.classList.toggle("done", done);
  const cell = $(".made", row);
  cell.hidden = !done;
  cell.replaceChildren(made.action === "score" ? chip(made.score) : element("small", "", made.action === "snooze" ? "snoozed" : made.action), " ", element("small", "", named(made.by)));
}

function settle(result) {
  result.decisions.forEach(show);
  counts(result);
}

function counts({ open, unpublished }) {
  $$("[data-open]").forEach((e) => { e.textContent = open.toLocaleString("en").replaceAll(",", "\u2009"); });
  $$("[data-unpublished]").forEach((e) => { e.textContent = unpublished; e.closest(".chip").classList.toggle("due", unpublished > 0); });
}

const did = { score: "Scored ", snooze: "Snoozed: ", close: "Closed: ", mute: "Muted: ", withdraw: "Score withdrawn: " };

// decide asks again if somebody else decided meanwhile, or if it settles more than shows.
async function decide(items, change) {
  const result = await send("/api/decisions", { items, ...change });
  if (!result) return null;
  if (result.effect) {
    const sure = await ask("#confirm", (d) => $("[data-effect]", d).replaceChildren(element("p", "", result.effect.sentence)));
    return sure === "yes" ? decide(items, { ...change, confirm: true }) : null;
  }
  if (result.conflicts) {
    const mine = await ask("#conflict", (d) => {
      const lines = result.conflicts.slice(0, 8).map((c) => {
        const p = element("p", "", element("b", "", named(c.event)), `: ${c.what}`, c.by ? " by " : "", c.by ? element("b", "", named(c.by)) : "");
        if (c.why) p.append(element("br"), "“", named(c.why), "”");
        return p;
      });
      $("[data-conflicts]", d).replaceChildren(...lines, element("p", "", "Nothing was changed."));
      $("[value=mine]", d).hidden = result.conflicts.some((c) => !c.rev);
    });
    if (mine === "mine") {
      const now = new Map(result.conflicts.map((c) => [c.id, c.rev]));
      return decide(items.map((i) => ({ id: i.id, rev: now.get(i.id) ?? i.rev, patterns: i.patterns })), change);
    }
    result.conflicts.forEach((c) => c.rev && show({ id: c.id, rev: c.rev, action: "score", score: c.score, by: c.by ?? "" }));
    return null;
  }
  remember(result.batch);
  settle(result);
  const many = result.decisions.length;
  return { text: change.action === "score" ? `Scored ${fewer(change.score)}: ` : did[change.action], event: many === 1 ? result.decisions[0].event : `${many} items`, batch: result.batch };
}

async function takeBack(b) {
  if (!b) return toast("There is nothing to undo here. The page Decisions undoes older ones.");
  const result = await send("/api/undo", { batch: b });
  if (!result) return;
  if (result.conflicts) return toast("Not undone: somebody decided again since. ", { strong: named(result.conflicts.map((c) => c.event || c.id).join(", ")), bad: true });
  remember("");
  settle(result);
  toast("Undone: ", { strong: result.decisions.length === 1 ? named(result.decisions[0].event) : `${result.decisions.length} decisions` });
  page.undone?.(result.decisions[0]?.id);
}

// ---- the queue

function queuePage() {
  const rows = $$("tr[data-key]");
  let at = -1;
  let anchor = -1;
  let turn = Promise.resolve();
  const go = (n, focus = true) => {
    if (n < 0 || n >= rows.length) return;
    rows[at]?.classList.remove("at");
    at = n;
    rows[at].classList.add("at");
    if (focus) {
      $(".ev", rows[at]).focus({ preventScroll: true });
      rows[at].scrollIntoView({ block: "nearest" });
    }
    sessionStorage.setItem("at", rows[at].dataset.key);
  };
  const box = (row) => $(".sel input", row);
  const picked = () => rows.filter((r) => box(r)?.checked);
  const pick = (row, on) => { if (box(row)) box(row).checked = on; };
  const update = () => {
    const p = picked();
    if (!$(".bulk")) return;
    $("[data-selected]").textContent = `${p.length} selected`;
    $("[data-selected-rate]").textContent = `${Math.round(p.reduce((s, r) => s + Number(r.dataset.rate), 0))} alerts a day`;
    const all = $("[data-all]");
    all.checked = p.length > 0 && p.length === rows.length;
    all.indeterminate = p.length > 0 && p.length < rows.length;
  };
  const clear = () => { picked().forEach((r) => pick(r, false)); update(); };
  const next = () => { for (let n = at + 1; n < rows.length; n++) if (!rows[n].classList.contains("done")) return go(n); };
  const act = (change, row) => { turn = turn.then(() => actNow(change, row)); }; // keys that come before the answer are for the next item
  const actNow = async (change, row) => {
    if (!acts) return;
    const p = row ? [row] : picked();
    const of = p.length ? p : rows[at] ? [rows[at]] : [];
    if (!of.length) return;
    const done = await decide(of.map(target), { why: !row && p.length ? $(".bulk [name=why]").value : "", ...change });
    if (!done) return;
    toast(done.text, { strong: named(done.event), undo: done.batch });
    clear();
    if (row) at = rows.indexOf(row);
    next();
  };
  const upTo = (n, on) => rows.slice(Math.min(anchor, n), Math.max(anchor, n) + 1).forEach((r) => pick(r, on));
  if (rows.length) go(Math.max(0, rows.findIndex((r) => r.dataset.key === sessionStorage.getItem("at"))), false);
  update();
  $("#rows")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const b = event.submitter;
    if (!b || b.dataset.score === undefined && b.name !== "score") return;
    act({ action: "score", score: Number(b.dataset.score ?? b.value) }, b.closest("tr"));
  });
  $("[data-queue]")?.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-key]");
    if (event.target.matches("[type=checkbox]")) {
      const n = rows.indexOf(row);
      if (!row) rows.forEach((r) => pick(r, event.target.checked));
      else if (event.shiftKey && anchor >= 0) upTo(n, event.target.checked);
      if (row) anchor = n;
      return update();
    }
    if (row && !event.target.closest("a, button")) go(rows.indexOf(row));
  });
  $("[data-queue]")?.addEventListener("focusin", (event) => {
    const n = rows.indexOf(event.target.closest("tr[data-key]"));
    if (n >= 0 && n !== at) go(n, false);
  });
  $("[data-clear]")?.addEventListener("click", clear);
  $(".sort select").addEventListener("change", (event) => event.target.form.submit());
  const open = () => $(".ev", rows[at])?.click();
  return {
    keys: {
      j: () => go(at + 1), k: () => go(at - 1), arrowdown: () => go(at + 1), arrowup: () => go(at - 1), o: open,
      x: (event) => {
        if (at < 0) return;
        if (event.shiftKey && anchor >= 0) upTo(at, true);
        else { anchor = at; pick(rows[at], !box(rows[at])?.checked); }
        update();
      },
      y: () => rows[at]?.dataset.near ? act({ action: "score", score: Number(rows[at].dataset.near) }, rows[at]) : toast("No scored cluster is near this one."),
      c: () => picked().length ? $(".bulk [name=why]").focus() : open(),
      s: () => rows[at] && act({ action: "snooze", more: Number(rows[at].dataset.more) }, rows[at]),
      escape: clear,
    },
    score: (n) => act({ action: "score", score: n }),
    undone: (id) => { const n = rows.findIndex((r) => r.dataset.key === id); if (n >= 0) go(n); },
  };
}

// ---- a question or a case

function itemPage() {
  const item = $("[data-item]");
  const form = $("[data-decide]");
  const fields = form.elements;
  const go = (rel) => { const a = $(`.crumbs a[rel=${rel}]`); if (a) location.href = a.href; };
  const items = () => $$("[name=item]", form).filter((i) => i.type === "hidden" || i.checked).map((i) => { const [id, rev] = i.value.split(" "); return { id, rev }; });
  const chosen = () => $$("[name=pattern]:checked").map((i) => i.value);
  const targets = (c) => {
    const [first, ...others] = items();
    const patterns = ["snooze", "close"].includes(c.action) ? [] : chosen();
    return [patterns.length ? { ...first, patterns } : first, ...others];
  };
  const change = (c) => {
    const mute = c.action === "mute" && fields.mute_scope;
    return { scope: (mute ? fields.mute_scope : $("[name=scope]", form))?.value ?? "", expires: c.action === "score" || c.action === "mute" ? $("[name=expires]", form)?.value ?? "" : "", why: fields.why?.value ?? "", ...c };
  };
  let busy = false;
  const act = async (c) => {
    if (!acts || busy) return;
    busy = true;
    try {
      await actNow(c);
    } finally {
      busy = false;
    }
  };
  const actNow = async (c) => {
    const cluster = item.dataset.key.startsWith("c");
    const full = change(c);
    if (cluster && c.action !== "mute") { full.scope = ""; full.expires = ""; }
    const done = await decide(targets(c), full);
    if (!done) return;
    sessionStorage.setItem("said", JSON.stringify(done));
    location.href = chosen().length ? location.pathname : fields.next.value;
  };
  const snooze = () => act({ action: "snooze", more: Number(fields.more.value) });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const b = event.submitter;
    if (b?.name === "score") act({ action: "score", score: Number(b.value) });
    else if (b?.value === "snooze") snooze();
    else if (b) act({ action: b.value });
  });
  const more = () => { const d = $("[data-more]"); if (d) d.open = !d.open; };
  const effect = $("[data-effect-now]", form);
  const preview = async () => {
    const result = await send("/api/preview", { items: targets({}), ...change({ action: "score", score: 0 }) });
    if (result?.sentence) effect.textContent = result.sentence;
  };
  $("[data-scope] select", form)?.addEventListener("change", preview);
  $("[data-scope]", form)?.addEventListener("toggle", (event) => event.target.open && preview());
  sessionStorage.setItem("at", item.dataset.key);
  return {
    keys: {
      j: () => go("next"), k: () => go("prev"), e: more, c: () => fields.why?.focus(), y: () => $("[data-like]") ? $("[data-like]").click() : toast("No scored cluster is near this one."), s: snooze,
    },
    score: (n) => act({ action: "score", score: n }),
    undone: (id) => { if (id) location.href = id.startsWith("k") ? `/cases/${encodeURIComponent(id)}` : `/questions/${encodeURIComponent(id)}`; },
  };
}

const page = { queue: queuePage, question: itemPage, case: itemPage }[body.dataset.page]?.() ?? { keys: {}, undone: () => location.reload() };

const said = JSON.parse(sessionStorage.getItem("said") ?? "null");
if (said) {
  sessionStorage.removeItem("said");
  toast(said.text, { strong: named(said.event), undo: said.batch });
}

// ---- everywhere

const publish = async () => {
  if (!$("[data-publish]")) return toast("Publishing needs the role publish.");
  const result = await send("/api/publish");
  if (!result) return;
  counts({ open: Number($("[data-open]").textContent.replace(/\D/g, "")), unpublished: result.unpublished });
  toast("Published: version ", { strong: result.version });
};
$("[data-publish]")?.addEventListener("submit", (event) => { event.preventDefault(); publish(); });

const keysOn = $("[data-keys-on]");
keysOn.checked = localStorage.getItem("keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
const help = () => $("#help").showModal();
$("[data-help]").addEventListener("click", help);
const everywhere = { "?": help, u: () => takeBack(batch), p: publish, b: () => { location.href = "/queue"; }, "/": () => { const s = $("input[type=search]"); if (s) { s.focus(); s.select(); } else location.href = "/queue"; } };
const places = { q: "/queue", d: "/decisions", o: "/overview", m: "/models" };
let went = -Infinity;

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  if (event.key === "Escape" && typing) return event.target.blur();
  if ($("dialog[open]")) return;
  const chord = event.ctrlKey || event.metaKey;
  if (chord && event.key === "z" && !typing && !event.shiftKey) { event.preventDefault(); return takeBack(batch); }
  if (chord && event.key === "Enter" && event.target.matches("textarea")) return event.target.blur();
  if (typing || chord || event.altKey || !keysOn.checked && event.key.length === 1) return;
  if (event.repeat && !/^(j|k|ArrowDown|ArrowUp)$/i.test(event.key)) return;
  const key = event.key.toLowerCase();
  if (event.timeStamp - went < 1500 && places[key]) { location.href = places[key]; return; }
  went = key === "g" ? event.timeStamp : -Infinity;
  if (/^[0-9]$/.test(key) && page.score) {
    event.preventDefault();
    if (!acts) return toast("You can read, but not decide.");
    return $$(".sc").some((b) => (b.dataset.score ?? b.value) === key) ? page.score(Number(key)) : toast(`${key} is not one of the scores here.`);
  }
  if (key === "enter" && event.target === body) return page.keys.o?.();
  const f = page.keys[key] ?? everywhere[key];
  if (f) { event.preventDefault(); f(event); }
});

// ---- the others

async function news() {
  if (document.hidden) return;
  const at = $("[data-item]")?.dataset.key ?? "";
  const answer = await fetch(`/api/changes?since=${seq}&at=${encodeURIComponent(at)}`).then((r) => r.ok ? r.json() : null).catch(() => null);
  const gone = $(".problems .gone");
  if (!answer) {
    if (!gone) $(".problems").append(element("p", "gone", "The server does not answer. What you see may be old."));
    return;
  }
  gone?.remove();
  $(".problems").replaceChildren(...(answer.problems ?? []).map((p) => element("p", "", p)));
  for (const d of answer.decisions ?? []) {
    if (d.by === body.dataset.who) continue;
    if (d.id === at) toast("Somebody has just decided this: ", { strong: named(d.by), bad: true });
    else show({ ...d, rev: "" }); // the row keeps the revision that was seen: whoever decides on it now is told of the conflict
  }
  seq = answer.seq;
  counts(answer);
  const others = $("[data-others]");
  if (others) {
    const names = answer.others ?? [];
    others.hidden = names.length === 0;
    others.replaceChildren(...names.flatMap((n, i) => [i ? ", " : "", named(n)]), names.length > 1 ? " look at this, too" : " looks at this, too");
  }
}
setInterval(news, 5000);

body.dataset.ready = "yes";
