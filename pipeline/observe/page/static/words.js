// Numbers, durations and names as a person reads them.
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);
export const rate = (n) => (n < 10 ? fine : whole).format(n);
export const plain = (name) => name.replaceAll("_", " ");

export function short(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (n >= size) return fine.format(n / size) + unit;
  return fine.format(n);
}

export function bytes(n) {
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (n >= size) return `${fine.format(n / size)} ${unit}`;
  }
  return `${n} B`;
}

export function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s < 0.01) return `${fine.format(s * 1000)} ms`;
  if (s < 1) return `${whole.format(s * 1000)} ms`;
  return s < 120 ? `${fine.format(s)} s` : lasted(s);
}

export function lasted(s) {
  const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor((s % 86400) / 3600), Math.floor((s % 3600) / 60)];
  const two = (n, unit, m, smaller) => (m ? `${n} ${unit} ${m} ${smaller}` : `${n} ${unit}`);
  if (days) return two(days, "d", hours, "h");
  if (hours) return two(hours, "h", minutes, "min");
  return minutes ? two(minutes, "min", Math.floor(s % 60), "s") : `${Math.floor(s)} s`;
}

export function ago(ms, now) {
  if (!ms) return "–";
  const s = Math.max(0, Math.round((now - ms) / 1000));
  return s < 2 ? "now" : `${lasted(s)} ago`;
}

export const counts = (map) => Object.entries(map).map(([name, n]) => `${plain(name)} ${count(n)}`).join(", ");
