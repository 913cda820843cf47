import { byId, foldable, list, make, say, terms } from "./dom.js";
import { Plan } from "./map.js";
import { Plot } from "./plot.js";
import { Refused, listen } from "./stream.js";
import { ago, bytes, count, counts, lasted, plain, rate, seconds, short } from "./words.js";

const POINTS = 300;
const FULL = 0.9; // of a lane

const throughput = new Plot(byId("throughput"), ["received", "published", "dead letters"], short, 1);
const latency = new Plot(byId("latency"), ["median", "99th percentile"], seconds, 4);
const plan = new Plan(byId("map"));
let points = [];

function show(now) {
  if (now.point && now.point[0] !== points.at(-1)?.[0]) points = [...points, now.point].slice(-POINTS);
  byId("figures").hidden = false;
  say(byId("tenant"), now.tenant);
  say(byId("since"), `up ${lasted(now.uptime)}`);
  say(byId("version"), `Headrace ${now.version}`);
  judge(now.verdict.kind, now.verdict.words, now.verdict.reasons);
  tiles(now);
  throughput.show(points);
  latency.show(points);
  fates(now);
  feeds(now);
  silent(now);
  deadLetters(now);
  faulty(now);
  connectors(now);
  kafka(now);
  lorawan(now);
  plan.show(now.entities, now.time);
}

const last = (column) => points.slice(-10).map((point) => point[column]).findLast((value) => value !== null);
const summed = (column, n) => points.slice(-n).reduce((sum, point) => sum + point[column], 0);

function judge(kind, words, reasons) {
  const element = byId("verdict");
  element.className = `verdict ${kind}`;
  say(element.querySelector("h2"), words);
  list(element.querySelector("ul"), reasons, (text) => text, (text) => make("li", {}, text), () => {});
  document.title = `${kind === "good" ? "" : "⚠ "}Headrace${byId("tenant").textContent ? ` ${byId("tenant").textContent}` : ""}`;
}

function tiles(now) {
  const dead = Math.round(summed(3, POINTS));
  terms(byId("tiles"), [
    ["From the feeds, messages/s", rate(last(1) ?? 0)],
    ["Published, messages/s", rate(last(2) ?? 0)],
    ["Latency, median", seconds(last(4))],
    ["Latency, 99th percentile", seconds(last(5))],
    ["In flight", count(now.in_flight)],
    ["Devices seen", count(now.devices.seen)],
    ["Silent devices", count(overdue(now)), "", overdue(now) ? "warn" : ""],
    ["Dead letters, last 5 min", count(dead), "", dead ? "warn" : ""],
  ]);
}

function fates(now) {
  const parts = [...Object.entries(now.fates), ["in_flight", now.in_flight]];
  const told = parts.filter(([name, n]) => n || name === "published" || name === "in_flight");
  terms(byId("fates"), [["received", count(now.received)], ...told.map(([name, n]) => [plain(name), count(n), `f-${name}`])]);
  list(byId("fates-bar"), told, ([name]) => name, ([name]) => make("i", { class: `f-${name}` }), (bar, [, n]) => { bar.style.flexGrow = n; });
  say(byId("kept"), now.conserved ? "✓ the sum is right" : "✗ the sum is wrong");
  byId("kept").className = `badge ${now.conserved ? "good" : "bad"}`;
}

const overdue = (now) => Object.values(now.devices.silent).reduce((sum, n) => sum + n, 0);
const AGES = { "1h": "up to 1 h", "6h": "up to 6 h", "1d": "up to 1 day", "7d": "up to 7 days", longer: "longer", never: "never heard" };

function silent(now) {
  byId("overdue").hidden = !overdue(now) && !now.devices.silent_gateways;
  terms(byId("ages"), [...Object.entries(now.devices.silent).filter(([, n]) => n).map(([age, n]) => [AGES[age], count(n), "", "warn"])]);
  list(byId("silent"), now.devices.latest, (each) => `${each.kind} ${each.name}`, (each) => row(each.kind === "device" ? each.name : `gateway ${each.name}`, make("td"), make("td")), (line, each) => {
    say(line.children[1], each.last ? ago(each.last, now.time) : "never");
    say(line.children[2], `${lasted(each.interval)}, ${each.known}`);
  });
}

const KINDS = { mqtt: "MQTT", semtech_udp: "gateways, Semtech UDP" };

function feeds(now) {
  list(byId("feeds"), now.feeds, (feed) => feed.name, (feed) => {
    const lane = make("div", { class: "lane", role: "meter", "aria-valuemin": 0, "aria-label": `Lane of ${feed.name}` }, make("i"));
    return make("li", { "data-feed": feed.name }, make("h3", {}, make("span", {}, feed.name), make("span", { class: "dot" })), make("p"), make("dl", { class: "sum" }), make("p", { class: "room" }, make("span", {}, "lane"), make("span")), lane, make("p", { class: "trouble" }));
  }, (card, feed) => {
    const [title, source, figures, room, lane, trouble] = card.children;
    say(title.lastChild, feed.connected ? "connected" : "not connected");
    title.lastChild.className = `dot ${feed.connected ? "good" : "bad"}`;
    say(source, `${KINDS[feed.kind] ?? feed.kind} · ${feed.source}`);
    terms(figures, [
      ["received", count(feed.received)],
      ["published", count(feed.fates.published ?? 0)],
      ["dead letters", count(feed.fates.dead_lettered ?? 0)],
      ["lag", seconds(feed.oldest)],
    ]);
    say(room.lastChild, `${count(feed.in_flight)} of ${count(feed.limit)} in flight`);
    lane.setAttribute("aria-valuemax", feed.limit);
    lane.setAttribute("aria-valuenow", feed.in_flight);
    lane.classList.toggle("full", feed.in_flight > FULL * feed.limit);
    lane.firstChild.style.width = `${Math.min(100, 100 * feed.in_flight / (feed.limit || 1))}%`;
    say(trouble, troubles(feed).join(" · "));
    trouble.hidden = !trouble.textContent;
  });
}

function troubles(feed) {
  const told = [];
  if (Object.keys(feed.reconnects).length) told.push(`reconnected: ${counts(feed.reconnects)}`);
  if (feed.sessions_lost) told.push(`sessions lost: ${count(feed.sessions_lost)}`);
  if (feed.stale) told.push(`settled after their connection: ${count(feed.stale)}`);
  if (feed.dropped) told.push(`datagrams dropped: ${count(feed.dropped)}`);
  if (!feed.conserved) told.push("messages unaccounted for");
  return told;
}

function deadLetters(now) {
  const none = { reason: "", count: 0 };
  const letters = now.dead_letters.length ? now.dead_letters : [none];
  list(byId("dead"), letters, (letter) => letter.reason, (letter) => (letter === none
    ? make("li", { class: "none" }, "None: every message could be used.")
    : make("li", { "data-reason": letter.reason }, make("h3", {}, make("code", {}, letter.reason), make("span")), make("p", {}, letter.explanation), make("details", {}, make("summary", {}, "a recent one"), make("p", { class: "recent" }), make("pre", { class: "sample", tabindex: "0", "aria-label": "The beginning of its payload" })))
  ), (item, letter) => {
    if (letter === none) return;
    const [title, , details] = item.children;
    say(title.lastChild, count(letter.count));
    const from = letter.recent;
    const [, told, sample] = details.children;
    say(sample, from?.sample ?? "");
    sample.hidden = !sample.textContent;
    say(told, from ? [ago(from.at, now.time), `feed ${from.feed}`, from.topic, from.detail || HIDDEN].filter(Boolean).join(" · ") : counts(letter.feeds));
  });
}

function row(first, ...cells) {
  return make("tr", {}, make("th", { scope: "row" }, ...foldable(first)), ...cells);
}

const HIDDEN = "what was wrong with it is in its headers (headrace tail --dead-letters), or here with admin.payload_samples";

function faulty(now) {
  byId("faulty").hidden = !now.wrong.length && !now.doubtful.length;
  byId("doubt").hidden = !now.doubtful.length;
  list(byId("wrong"), now.wrong, (each) => `${each.feed} ${each.topic} ${each.device}`, (each) => because(each.topic, each.device), (item, each) => {
    say(item.firstChild.lastChild, count(each.count));
    say(item.lastChild, `${each.reason}, ${ago(each.at, now.time)}: ${each.detail || HIDDEN}`);
  });
  list(byId("doubtful"), now.doubtful, (each) => `${each.id} ${each.device}`, (each) => because(each.id, each.device), (item, each) => {
    say(item.lastChild, `${each.quality}, ${ago(each.at, now.time)}`);
  });
}

function because(source, device) {
  const named = device ? [make("small", {}, device)] : [];
  return make("li", {}, make("h3", {}, make("span", {}, ...foldable(source), ...named), make("span")), make("p", { class: "why" }));
}

function connectors(now) {
  list(byId("connectors"), now.connectors, (each) => each.name, (each) => {
    const line = row(each.name, make("td"), make("td", { class: "n" }), make("td", { class: "n" }));
    if (each.models.length) line.firstChild.append(make("small", {}, ...foldable(each.models.join(", "))));
    return line;
  }, (line, each) => {
    say(line.children[1], ago(each.heard, now.time));
    say(line.children[2], each.slow ? `${seconds(each.cpu_seconds)}, ${count(each.slow)} slow` : seconds(each.cpu_seconds));
    line.children[2].classList.toggle("warn", each.slow > 0);
    line.children[2].title = each.slow ? "Messages that held up all others for more than 0.25 s" : "";
    say(line.children[3], count(each.dead_letters));
    line.children[3].classList.toggle("bad", each.dead_letters > 0);
  });
}

function kafka(now) {
  const { kafka: k } = now;
  const pairs = [["waiting to be sent", count(k.waiting)], ["sent, not confirmed", count(k.sent)], ["oldest", seconds(k.oldest)]];
  if (Object.keys(k.failures).length) pairs.push(["tries that failed", counts(k.failures), "", "warn"]);
  if (Object.keys(k.refused).length) pairs.push(["refused for good", counts(k.refused), "", "bad"]);
  if (k.rebuilds) pairs.push(["producer rebuilt", count(k.rebuilds), "", "warn"]);
  if (k.bisections) pairs.push(["batches cut in halves", count(k.bisections), "", "warn"]);
  terms(byId("kafka"), pairs);
  list(byId("topics"), now.topics, (topic) => topic.name, (topic) => row(topic.name, make("td", { class: "n" }), make("td", { class: "n" })), (line, topic) => {
    say(line.children[1], count(topic.records));
    say(line.children[2], bytes(topic.bytes));
  });
}

function lorawan(now) {
  const told = Object.values(now.frames).some(Boolean);
  byId("lorawan").hidden = !now.raw.length && !told;
  say(byId("frames"), told ? `Frames, by the devices' own counters: ${counts(now.frames)}.` : "");
  list(byId("raw"), now.raw, (raw) => raw.feed, (raw) => make("div", {}, make("h3", {}, raw.feed), make("p"), make("dl", { class: "sum" }), make("p", { class: "gateways" })), (card, raw) => {
    const [, radio, outcomes, gateways] = card.children;
    const strength = raw.rssi === null ? "" : `, heard at ${raw.rssi} dBm on average`;
    const who = raw.gateways === null ? "a sample of the server's uplinks" : `${count(raw.gateways)} ${raw.gateways === 1 ? "gateway" : "gateways"}`;
    say(radio, `${who}${strength}`);
    terms(outcomes, Object.entries(raw.outcomes).map(([name, n]) => [plain(name), count(n)]));
    say(gateways, raw.busiest.length ? `Receptions by gateway: ${raw.busiest.map(({ gateway, receptions }) => `${gateway} ${count(receptions)}`).join(", ")}` : "");
  });
}

function online(on, words) {
  say(byId("live"), words);
  byId("live").className = `live ${on ? "on" : "off"}`;
}

function heard(name, value) {
  if (name === "history") points = value;
  else {
    online(true, "live");
    byId("token").hidden = true;
    show(value);
  }
}

function lost(why) {
  online(false, "not connected");
  judge("bad", "This page has lost the worker", [`What stands below is old: ${why}. It is tried again every two seconds.`]);
}

const KEY = "headrace-token";

function begin() {
  const token = () => sessionStorage.getItem(KEY);
  listen("events", token, heard, lost).catch((error) => {
    if (!(error instanceof Refused)) throw error;
    say(byId("refused"), token() ? "That is not the token." : "");
    byId("token").hidden = false;
    byId("secret").focus();
    online(false, "closed");
    judge("", "These figures are not for everybody", []);
  });
}

byId("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, byId("secret").value);
  begin();
});
begin();
