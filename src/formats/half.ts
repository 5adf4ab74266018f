/** Conversions between float32 and the two 16-bit floating-point formats, bit by bit as the formats define them. */

const scratch = new DataView(new ArrayBuffer(4));

/** The value of an IEEE 754 binary16 bit pattern; exact. */
export function floatOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The binary16 bit pattern nearest to a float32 value, ties to even; overflow gives infinity. */
export function halfOfFloat(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  // Rebias the exponent from 127 to 15 and drop 13 fraction bits; a carry out of the fraction lands in the exponent.
  return sign | roundToEven(((bits & 0x7fffffff) - (112 << 23)) / 2 ** 13);
}

/** The value of a bfloat16 bit pattern: the upper half of a float32; exact. */
export function floatOfBfloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** The bfloat16 bit pattern nearest to a float32 value, ties to even. */
export function bfloatOfFloat(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  return Number.isNaN(value) ? sign | 0x7fc0 : sign | roundToEven((bits & 0x7fffffff) / 2 ** 16);
}

/** `value` ≥ 0 rounded to an integer, halves to the even one. */
function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
