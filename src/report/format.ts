import type { Macs } from "../graph/cost.js";

/** The two ledgers of cost, the claimed one first, with the name and the unit of each (see `Macs`). */
export const LEDGERS: readonly { readonly key: keyof Macs; readonly name: string; readonly unit: string }[] = [
  { key: "full", name: "full", unit: "10⁶ MACs" },
  { key: "paper", name: "paper", unit: "2²⁰ MACs" },
];

/** A fraction as percent: 0.9814 → "98.1%", −0.05 → "−5.0%". */
export function percent(fraction: number, digits = 1): string {
  return `${decimal(100 * fraction, digits)}%`;
}

/** A difference of two fractions in percentage points, signed: "+1.2 points". */
export function points(difference: number): string {
  const text = decimal(100 * difference, 1);
  return `${text.startsWith("−") || text === "0.0" ? "" : "+"}${text} points`;
}

/** Three significant digits without an exponent, at most three decimals: 0.8184 → "0.818", 96.42 → "96.4". */
export function significant(value: number): string {
  const size = Math.abs(value);
  return decimal(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** A setting for people: numbers lose the noise of float arithmetic, text stays. */
export function setting(value: string | number): string {
  return typeof value === "number" ? minus(String(Number(value.toPrecision(6)))) : value;
}

/** "single:2" → "single(2)", the notation of the documentation; other forms as they are. */
export function formName(form: string): string {
  return form.replace(/^single:(\d+)$/, "single($1)");
}

function decimal(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

function minus(text: string): string {
  return text.replace(/^-/, "−");
}
