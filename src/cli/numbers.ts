import { InvalidArgumentError } from "commander";

/** A parser of option values: an integer in [min, max]. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `in ${min} … ${max}`;
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected an integer ${range} but received ${JSON.stringify(text)}.`);
  };
}

/** A parser of option values: a number in [min, max], which may be written as a fraction such as 8/255. */
export function number(min: number, max = Infinity): (text: string) => number {
  const range = max === Infinity ? `of at least ${min}` : `in [${min}, ${max}]`;
  return (text) => {
    const value = fraction(text.trim());
    if (Number.isFinite(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a number ${range} but received ${JSON.stringify(text)}.`);
  };
}

function fraction(text: string): number {
  const [top, bottom, ...rest] = text.split("/");
  if (top === undefined || top === "" || bottom === "" || rest.length > 0) return NaN;
  return bottom === undefined ? Number(top) : Number(top) / Number(bottom);
}
