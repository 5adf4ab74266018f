/** A value as JSON, shortened, since what came may be large; without control characters that a terminal would obey. */
export function quote(value: unknown): string {
  if (value === undefined) return "nothing";
  const short = typeof value === "string" ? value.slice(0, LONGEST + 1) : value;
  const text = JSON.stringify(short).replace(CONTROLS, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 3)}…`;
}

const LONGEST = 80;

/** Those that JSON does not escape. */
const CONTROLS = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A dotted name that a file gave, as it is; anything else quoted, since it may hold anything. */
export function nameText(name: string): string {
  return /^[\w.<>-]{1,120}$/.test(name) ? name : quote(name);
}

/** The first names of a list, and how many more there are. */
export function shortList(names: readonly string[], shown: number): string {
  const more = names.length - shown;
  return more > 0 ? `${names.slice(0, shown).join(", ")} and ${more} more` : names.join(", ");
}
