import type { Random } from "../util/random.js";
import { DIGIT_STYLES, type PathPoint } from "./digit-styles.js";

/** Images are SIDE × SIDE pixels. */
export const SIDE = 28;

/** Straight pieces that stand for one curve between two points of a path: under a pixel each. */
const PIECES = 8;

/** The pen's path stays this far inside the image, and its middle this close to the image's middle, in pixels. */
const MARGIN = 2.7;
const MAX_SHIFT = 2.3;

/** Sampled pen positions; `lifted[i]` says that no ink joins position i to the one before. */
interface PenPath {
  readonly x: number[];
  readonly y: number[];
  readonly lifted: boolean[];
}

/**
 * Draws a digit as somebody might write it: light ink on a dark ground, as in MNIST. The style, its proportions, slant,
 * thickness, pressure, place, and noise are all drawn from `random`.
 *
 * @param digit 0 to 9
 * @param pixels receives SIDE × SIDE bytes, row by row
 */
export function drawDigit(digit: number, random: Random, pixels: Uint8Array): void {
  const styles = DIGIT_STYLES[digit] as (typeof DIGIT_STYLES)[number];
  const style = styles[random.integer(styles.length)] as (typeof styles)[number];
  const path: PenPath = { x: [], y: [], lifted: [] };
  for (const stroke of style) sampleStroke(jitter(stroke, random), path);
  warp(path, random);
  skew(path, random);
  place(path, random);
  const ink = new Float64Array(SIDE * SIDE).fill(-Infinity);
  inkStrokes(path, random, ink);
  expose(ink, random, pixels);
}

/** Moves every point a little: no two people, and no two tries, put them in the same place. */
function jitter(stroke: readonly PathPoint[], random: Random): PathPoint[] {
  return stroke.map(({ x, y, corner }) => ({ x: x + 2.4 * random.normal(), y: y + 2.4 * random.normal(), corner }));
}

/**
 * Samples the stroke as cubic Béziers that pass through its points with the tangents of a Catmull–Rom spline; at a
 * corner and at the ends the curve heads straight for its neighbour.
 */
function sampleStroke(points: readonly PathPoint[], path: PenPath): void {
  const first = points[0] as PathPoint;
  push(path, first.x, first.y, true);
  for (let i = 0; i + 1 < points.length; i++) {
    const from = points[i] as PathPoint;
    const to = points[i + 1] as PathPoint;
    const before = from.corner ? from : (points[i - 1] ?? from);
    const after = to.corner ? to : (points[i + 2] ?? to);
    const handle1 = { x: from.x + (to.x - before.x) / 6, y: from.y + (to.y - before.y) / 6 };
    const handle2 = { x: to.x - (after.x - from.x) / 6, y: to.y - (after.y - from.y) / 6 };
    for (let piece = 1; piece <= PIECES; piece++) {
      const t = piece / PIECES;
      const s = 1 - t;
      const [a, b, c, d] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
      push(
        path,
        a * from.x + b * handle1.x + c * handle2.x + d * to.x,
        a * from.y + b * handle1.y + c * handle2.y + d * to.y,
        false,
      );
    }
  }
}

function push(path: PenPath, x: number, y: number, lifted: boolean): void {
  path.x.push(x);
  path.y.push(y);
  path.lifted.push(lifted);
}

/** Elastic distortion: a smooth random displacement of the plane, a few slow waves in each direction. */
function warp(path: PenPath, random: Random): void {
  const waves = Array.from({ length: 4 }, (_, i) => {
    const heading = random.uniform(0, 2 * Math.PI);
    const frequency = (2 * Math.PI) / random.uniform(70, 160);
    return {
      horizontal: i % 2 === 0,
      amplitude: 3.6 * random.normal(),
      kx: frequency * Math.cos(heading),
      ky: frequency * Math.sin(heading),
      phase: random.uniform(0, 2 * Math.PI),
    };
  });
  for (let i = 0; i < path.x.length; i++) {
    const x = path.x[i] as number;
    const y = path.y[i] as number;
    let [movedX, movedY] = [x, y];
    for (const { horizontal, amplitude, kx, ky, phase } of waves) {
      const shift = amplitude * Math.sin(kx * x + ky * y + phase);
      if (horizontal) movedX += shift;
      else movedY += shift;
    }
    path.x[i] = movedX;
    path.y[i] = movedY;
  }
}

/** Width, slant (mostly to the right), and rotation. */
function skew(path: PenPath, random: Random): void {
  const width = random.uniform(0.8, 1.2);
  const slant = clamp(0.12 + 0.2 * random.normal(), -0.4, 0.6);
  const angle = clamp(0.12 * random.normal(), -0.3, 0.3);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  for (let i = 0; i < path.x.length; i++) {
    const y = (path.y[i] as number) - 50;
    const x = width * ((path.x[i] as number) - 50) - slant * y;
    path.x[i] = cos * x - sin * y;
    path.y[i] = sin * x + cos * y;
  }
}

/** Scales to the size of the image and puts the digit near its middle, with room for the ink at the image's border. */
function place(path: PenPath, random: Random): void {
  const [left, right] = [Math.min(...path.x), Math.max(...path.x)];
  const [top, bottom] = [Math.min(...path.y), Math.max(...path.y)];
  const scale = Math.min(random.uniform(15.5, 19.5) / (bottom - top), 19 / (right - left));
  const roomX = Math.min((SIDE - scale * (right - left)) / 2 - MARGIN, MAX_SHIFT);
  const roomY = Math.min((SIDE - scale * (bottom - top)) / 2 - MARGIN, MAX_SHIFT);
  const centreX = SIDE / 2 + random.uniform(-roomX, roomX);
  const centreY = SIDE / 2 + random.uniform(-roomY, roomY);
  for (let i = 0; i < path.x.length; i++) {
    path.x[i] = centreX + scale * ((path.x[i] as number) - (left + right) / 2);
    path.y[i] = centreY + scale * ((path.y[i] as number) - (top + bottom) / 2);
  }
}

/** Writes into `ink` how deep inside the strokes each pixel's centre lies, in pixels; negative outside. */
function inkStrokes(path: PenPath, random: Random, ink: Float64Array): void {
  const radius = random.uniform(1.3, 1.9);
  const pressure = random.uniform(0, 0.2);
  const waves = random.uniform(0.5, 2.5) * 2 * Math.PI;
  const phase = random.uniform(0, 2 * Math.PI);
  const last = path.x.length - 1;
  for (let i = 1; i <= last; i++) {
    if (path.lifted[i]) continue;
    const thickness = radius * (1 + pressure * Math.sin((waves * i) / last + phase));
    inkPiece(path, i, thickness, ink);
  }
}

/** One straight piece of a stroke: the points within `radius` of the line from position i − 1 to position i. */
function inkPiece(path: PenPath, i: number, radius: number, ink: Float64Array): void {
  const [x0, y0] = [path.x[i - 1] as number, path.y[i - 1] as number];
  const [dx, dy] = [(path.x[i] as number) - x0, (path.y[i] as number) - y0];
  const inverse = 1 / Math.max(dx * dx + dy * dy, 1e-12);
  const reach = radius + 1;
  const left = Math.max(Math.floor(Math.min(x0, x0 + dx) - reach), 0);
  const right = Math.min(Math.ceil(Math.max(x0, x0 + dx) + reach), SIDE - 1);
  const top = Math.max(Math.floor(Math.min(y0, y0 + dy) - reach), 0);
  const bottom = Math.min(Math.ceil(Math.max(y0, y0 + dy) + reach), SIDE - 1);
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const px = column + 0.5 - x0;
      const py = row + 0.5 - y0;
      const along = clamp((px * dx + py * dy) * inverse, 0, 1);
      const awayX = px - along * dx;
      const awayY = py - along * dy;
      const depth = radius - Math.sqrt(awayX * awayX + awayY * awayY);
      const at = row * SIDE + column;
      if (depth > (ink[at] as number)) ink[at] = depth;
    }
  }
}

/** Depth to brightness: a soft edge about a pixel wide, ink near 1, ground near 0, a little noise on both. */
function expose(ink: Float64Array, random: Random, pixels: Uint8Array): void {
  const softness = random.uniform(0.8, 1.3);
  const brightness = random.uniform(0.95, 1);
  const noise = random.uniform(0, 0.05);
  for (let at = 0; at < ink.length; at++) {
    const edge = clamp((ink[at] as number) / softness + 0.5, 0, 1);
    const coverage = edge * edge * (3 - 2 * edge);
    pixels[at] = Math.round(255 * clamp(brightness * coverage + noise * random.uniform(-1, 1), 0, 1));
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
