/* global AbortController, document, ImageData, OffscreenCanvas, Path2D, performance */
import modelUrl from "@rdi-net/rdi-smallcnn-mnist/model.safetensors?url";
import { attacks, classify, createBackend, digits, load, policyMacs } from "rdi-net";

const SIDE = 28;
/** MNIST's digits fill a square of 20 pixels, their centre of mass in the middle. */
const BOX = 20;
const STEPS = 20;
/** Calls of which the fastest is told. */
const TRIES = 5;

const at = (id) => document.getElementById(id);
const paper = at("paper").getContext("2d", { willReadFrequently: true });
const attacked = at("attacked").getContext("2d");
const examples = digits({ split: "test", length: 1000 });

const backend = await createBackend();
const net = await load(modelUrl, {
  backend,
  onProgress: (received, total) =>
    say(`Loading the network: ${kilobytes(received)}${total === undefined ? "" : ` of ${kilobytes(total)}`}`),
});
const { exits, thresholds } = net.policy;
at("engine").textContent =
  `Computed here, by WebAssembly (${backend.instructionSet}) with ${count(backend.threads, "thread")}.`;

// --- What the network says ---

/** What each exit would say of an image: one that every image leaves at. */
async function everyExit(image) {
  const last = exits.at(-1);
  const answers = [];
  for (const exit of exits) {
    const policy = exit === last ? { exits: [last], thresholds: [] } : { exits: [exit, last], thresholds: [1000] };
    answers.push((await classify(net, policy, image))[0]);
  }
  return answers;
}

/** Milliseconds of a call. */
async function milliseconds(call) {
  let least = Infinity;
  for (let i = 0; i < TRIES; i++) {
    const started = performance.now();
    await call();
    least = Math.min(least, performance.now() - started);
  }
  return least;
}

/** With thresholds that nothing is below, every image goes through all of the network. */
const never = { exits, thresholds: thresholds.map(() => -1) };

async function look(image) {
  const [left] = await net.classify(image);
  const ms = await milliseconds(() => net.classify(image));
  const all = await milliseconds(() => classify(net, never, image));
  return { left, answers: await everyExit(image), ms, all };
}

function show(place, { left, answers, ms, all }) {
  const whole = policyMacs(net.model, net.policy).at(-1).full;
  const saved = 1 - left.macs.full / whole;
  const rows = answers.map(({ label, probabilities, entropy }, i) => {
    const exit = exits[i];
    const row = element("tr", { className: exit === left.exit ? "taken" : exit > left.exit ? "after" : "" });
    const threshold = thresholds[i];
    row.append(
      element("th", { scope: "row", textContent: `exit ${exit}${exit === left.exit ? " ✓" : ""}` }),
      element("td", { textContent: label }),
      bars(probabilities),
      element("td", { textContent: entropy.toFixed(2) }),
      element("td", { textContent: threshold === undefined ? "–" : threshold.toFixed(2) }),
    );
    return row;
  });
  const head = element("tr");
  head.append(
    ...["", "digit", "probabilities of 0 … 9", "entropy", "leaves below"].map((textContent) =>
      element("th", { scope: "col", textContent }),
    ),
  );
  const table = element("table");
  const [thead, tbody] = [element("thead"), element("tbody")];
  thead.append(head);
  tbody.append(...rows);
  table.append(
    element("caption", {
      textContent:
        `A ${left.label}, at exit ${left.exit}: ${left.macs.full.toFixed(2)} of ${whole.toFixed(2)} million multiply-accumulates, ` +
        `${Math.round(100 * saved)}% saved; ${ms.toFixed(2)} ms, and ${all.toFixed(2)} ms with all exits`,
    }),
    thead,
    tbody,
  );
  place.replaceChildren(table);
}

function bars(probabilities) {
  const cell = element("td");
  const text = [...probabilities].map((p, digit) => `${digit}: ${Math.round(100 * p)}%`).join(", ");
  const chart = element("div", { className: "digits", role: "img", ariaLabel: text, title: text });
  probabilities.forEach((p, digit) => {
    const column = element("span", { textContent: digit });
    const bar = element("i");
    bar.style.height = `${1 + 32 * p}px`;
    column.prepend(bar);
    chart.append(column);
  });
  cell.append(chart);
  return cell;
}

// --- What is drawn ---

/** The strokes as the network's input, scaled and centred as MNIST's digits are; undefined if there are none. */
function drawn() {
  const { width, height } = paper.canvas;
  const { data } = paper.getImageData(0, 0, width, height);
  const ink = (x, y) => data[4 * (y * width + x)];
  let [left, right, top, bottom, mass, massX, massY] = [width, -1, height, -1, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = ink(x, y);
      if (value === 0) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      [mass, massX, massY] = [mass + value, massX + value * x, massY + value * y];
    }
  }
  if (mass === 0) return undefined;
  const scale = BOX / Math.max(right - left + 1, bottom - top + 1);
  const small = new OffscreenCanvas(SIDE, SIDE).getContext("2d");
  small.imageSmoothingQuality = "high";
  small.setTransform(scale, 0, 0, scale, SIDE / 2 - (scale * massX) / mass, SIDE / 2 - (scale * massY) / mass);
  small.drawImage(paper.canvas, 0, 0);
  const pixels = small.getImageData(0, 0, SIDE, SIDE).data;
  return Float32Array.from({ length: SIDE * SIDE }, (_, i) => pixels[4 * i] / 255);
}

function paint(context, image) {
  const { width, height } = context.canvas;
  const small = new OffscreenCanvas(SIDE, SIDE);
  const pixels = new Uint8ClampedArray(4 * SIDE * SIDE);
  image.forEach((value, i) => pixels.set([255 * value, 255 * value, 255 * value, 255], 4 * i));
  small.getContext("2d").putImageData(new ImageData(pixels, SIDE, SIDE), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
}

function clear() {
  paper.fillStyle = "#000";
  paper.fillRect(0, 0, paper.canvas.width, paper.canvas.height);
}

function another() {
  image = new Float32Array(SIDE * SIDE);
  examples.read(Uint32Array.of(Math.floor(examples.length * Math.random())), image, new Int32Array(1));
  clear();
  paint(paper, image);
  void update();
}

/** Strokes in the canvas's own pixels. */
function stroke({ offsetX, offsetY, buttons }) {
  if (buttons !== 1) return;
  const scale = paper.canvas.width / paper.canvas.clientWidth;
  const [x, y] = [offsetX * scale, offsetY * scale];
  const path = new Path2D();
  path.moveTo(...(last ?? [x, y]));
  path.lineTo(x, y);
  Object.assign(paper, { strokeStyle: "#fff", lineWidth: 22, lineCap: "round" });
  paper.stroke(path);
  last = [x, y];
}

// --- All of it, whenever something changes ---

let image;
let last;
let running = new AbortController();

async function update() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const eps = Number(at("epsilon").value);
  at("epsilon-value").textContent = eps.toFixed(2);
  if (image === undefined) {
    say("Draw a digit.");
    return;
  }
  say("Looking …");
  const clean = await look(image);
  if (signal.aborted) return;
  show(at("clean"), clean);
  say(`Attacking the ${clean.left.label} …`);
  try {
    const method = attacks.pgd({ eps, step: eps / 8, steps: STEPS, seed: 0 });
    const adversarial =
      eps === 0
        ? image
        : await attacks.average(method).perturb(net, image, Int32Array.of(clean.left.label), { signal });
    const result = await look(adversarial);
    if (signal.aborted) return;
    paint(attacked, adversarial);
    show(at("adversarial"), result);
    const held = result.left.label === clean.left.label;
    say(`As drawn a ${clean.left.label}; attacked, ${held ? "still" : "taken for"} a ${result.left.label}.`);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

// --- Small things ---

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function say(text) {
  at("status").textContent = text;
}

function count(number, what) {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function kilobytes(bytes) {
  return `${Math.round(bytes / 1000)} kB`;
}

at("another").addEventListener("click", another);
at("clear").addEventListener("click", () => {
  clear();
  image = undefined;
  void update();
});
at("epsilon").addEventListener("input", () => void update());
paper.canvas.addEventListener("pointerdown", (event) => {
  paper.canvas.setPointerCapture(event.pointerId);
  stroke(event);
});
paper.canvas.addEventListener("pointermove", stroke);
paper.canvas.addEventListener("pointerup", () => {
  last = undefined;
  image = drawn();
  void update();
});
another();
