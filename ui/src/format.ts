// Numbers, sizes and times as people read them. Relative times come with the exact one for the tooltip.

const UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];

/** `1.9 GB`: powers of 1000, two figures below ten. */
export function size(bytes: number): string {
  if (bytes === 1) return "1 byte";
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const figures = unit === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
  return `${figures} ${UNITS[unit]}`;
}

/** `61 of 84 MB`: the unit once when both share it. */
export function progress(done: number, total: number | undefined): string {
  if (total === undefined) return size(done);
  const [d, t] = [size(done), size(total)];
  const unit = t.slice(t.indexOf(" "));
  return `${d.endsWith(unit) ? d.slice(0, -unit.length) : d} of ${t}`;
}

export const count = (n: number) => new Intl.NumberFormat("en").format(n);

/** `2 minutes ago`, `yesterday`, `3 March`. */
export function ago(time: string, now: number): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return time;
  const seconds = Math.max(0, Math.round((now - then) / 1000));
  if (seconds < 45) return "just now";
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 45 * 60) return relative.format(-Math.max(1, Math.round(seconds / 60)), "minute");
  if (seconds < 22 * 3600) return relative.format(-Math.max(1, Math.round(seconds / 3600)), "hour");
  if (seconds < 6.5 * 86400) return relative.format(-Math.max(1, Math.round(seconds / 86400)), "day");
  return new Intl.DateTimeFormat("en", { day: "numeric", month: "long" }).format(then);
}

/** `14:10` today, `Sunday 14:10` this week, `3 March` before that. */
export function clock(time: string, now: number): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return time;
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(then);
  if (new Date(then).toDateString() === new Date(now).toDateString()) return hour;
  if (Math.abs(now - then) < 6 * 86400_000) {
    return `${new Intl.DateTimeFormat("en", { weekday: "long" }).format(then)} ${hour}`;
  }
  return new Intl.DateTimeFormat("en", { day: "numeric", month: "long" }).format(then);
}

/** The exact time, for a tooltip. */
export function exact(time: string): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return time;
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" }).format(then);
}

/** `40 s`, `3 min`, `2 h`. */
export function left(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** `9:41` for a time that runs down, `0:00` when it has. */
export function countdown(seconds: number): string {
  const rest = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
}

/** `20 s`, `3 min`, `2 h`: how long something has gone on. */
export function elapsed(seconds: number): string {
  if (seconds < 90) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

/** `~/Sync` for a folder under the person's home. */
export function shortPath(path: string, home: string): string {
  if (home && (path === home || path.startsWith(`${home}/`))) return `~${path.slice(home.length)}`;
  return path;
}

/** The last part of a path: what a folder is called. */
export const baseName = (path: string) => path.replace(/\/+$/, "").split("/").at(-1) || path;

/** `a`, `a and b`, `a, b and c`. */
export const list = (items: string[]) => new Intl.ListFormat("en-GB", { type: "conjunction" }).format(items);
