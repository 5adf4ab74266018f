import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";

import { authorsThresholds, jobs, run } from "./fidelity/evaluations.js";
import { agreement } from "./fidelity/oracles.js";
import { page, type Measured } from "./fidelity/page.js";
import { rdi, root } from "./library.js";
import { machine, replaceFigures } from "./report.js";

const ORACLES = "oracles";
const names = [ORACLES, ...jobs.keys()];

const usage = `Usage: npm run fidelity [-- options]

Compares the authors' RDI-ResNet38 in this package with the same in PyTorch, on the data that RDI_SHARED (default ../shared) holds, and writes
docs/fidelity.json and docs/fidelity.md. What was measured before and is not measured again stays.

  --only LIST        some of ${names.join(", ")}
  --threads COUNT    default: all cores
  --page             write the page anew from docs/fidelity.json, and measure nothing
  --help`;

const results = new URL("docs/fidelity.json", root);

async function measured(): Promise<Measured> {
  try {
    return JSON.parse(await readFile(results, "utf8")) as Measured;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { agreement: {}, evaluations: {} };
    throw error;
  }
}

async function write(all: Measured): Promise<void> {
  await writeFile(results, `${JSON.stringify(all, null, 1)}\n`);
  const { cpu, node, date } = machine();
  await replaceFigures("docs/fidelity.md", `Written on ${date}, ${cpu}, Node.js ${node}.\n\n${page(all)}`);
}

/** Measures one part, and adds it to what is known. */
async function measure(name: string, all: Measured, threads: number | undefined): Promise<Measured> {
  const options = { backend: "wasm", ...(threads !== undefined && { threads }) } as const;
  if (name === ORACLES) {
    const found: Record<string, Measured["agreement"][string]> = {};
    for (const precision of ["fast", "strict"] as const) {
      using backend = await rdi.createBackend({ ...options, precision });
      found[precision] = await agreement(backend, precision);
    }
    return { ...all, agreement: found };
  }
  using backend = await rdi.createBackend(options);
  const thresholds = all.thresholds ?? (await authorsThresholds(backend));
  const own = await run(name, backend, thresholds);
  return { ...all, thresholds, evaluations: { ...all.evaluations, [name]: own } };
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    threads: { type: "string" },
    page: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const wanted = values.page ? [] : (values.only?.split(",") ?? names);
const unknown = wanted.filter((name) => !names.includes(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0)
    console.error(`error: Expected some of the parts for --only but received ${unknown.join(", ")}\n`);
  console.log(usage);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  let all = await measured();
  for (const name of wanted) {
    all = await measure(name, all, values.threads === undefined ? undefined : Number(values.threads));
    await write(all);
  }
  if (wanted.length === 0) await write(all);
}
