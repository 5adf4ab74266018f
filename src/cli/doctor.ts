import { availableCores } from "../util/available-cores.js";
import { Option, type Command } from "commander";
import pc from "picocolors";
import { describeBackends } from "../backends/registry.js";
import { addCommand } from "./command.js";
import { defined } from "./defined.js";
import { integer } from "./numbers.js";
import { print, table } from "./output.js";
import { packageVersion } from "../util/package-version.js";
import { platformName } from "../util/platform-name.js";
import { wasmFeatures } from "../util/wasm-features.js";

export function addDoctor(program: Command): void {
  addCommand(program, "doctor", "Try every backend, and say what works on this machine and why the rest does not.", [
    "rdi doctor",
    "rdi doctor --json",
  ])
    .addOption(new Option("--threads <count>", "threads to try with; all cores by default").argParser(integer(1, 256)))
    .option("--json", "print one JSON object")
    .action(async ({ json, threads }: { readonly json?: boolean; readonly threads?: number }) => {
      const health = await examine(threads);
      print(json, health, () => healthText(health));
    });
}

type Health = Awaited<ReturnType<typeof examine>>;

async function examine(threads: number | undefined) {
  const reports = await describeBackends(defined({ threads }));
  return {
    version: packageVersion(),
    node: process.version,
    platform: platformName(),
    cores: availableCores(),
    wasm: wasmFeatures(),
    backends: reports.map(
      ({
        name,
        description,
        available,
        threads: used,
        instructionSet,
        reason,
        attempts,
        devices,
        nccl,
        solutions,
      }) => ({
        name,
        tried: description,
        available,
        ...defined({ threads: used, instructionSet, reason, attempts, devices, nccl, solutions }),
      }),
    ),
  };
}

function healthText({ version, node, platform, cores, wasm, backends }: Health): string {
  const features = [
    ["SIMD", wasm.simd],
    ["relaxed SIMD", wasm.relaxedSimd],
    ["threads", wasm.threads],
  ] as const;
  return [
    `rdi-net ${version}, Node.js ${node} on ${platform}, ${cores} cores`,
    `WebAssembly: ${features.map(([name, there]) => `${name} ${there ? "yes" : "no"}`).join(", ")}`,
    table(
      ["backend", "what was tried", "result", "instructions", "threads"],
      backends.map(({ name, tried, available, instructionSet, threads }) => [
        name,
        tried,
        available ? pc.green("works") : pc.red("does not work"),
        instructionSet ?? "",
        threads ?? "",
      ]),
      4,
    ),
    ...backends.flatMap(backendLines),
  ].join("\n");
}

/** Where a backend was looked for, why it does not work, and what can be done. */
function backendLines(report: Health["backends"][number]): string[] {
  const { name, reason, attempts = [], devices = [], nccl, solutions = [] } = report;
  // An addon that is there may find no GPU: the attempts do not tell.
  const told = attempts.length > 0 && attempts.every(({ result }) => result !== "loaded");
  return [
    ...attempts.map(({ source, place, reason: why }) => `${name}, ${source} ${place}: ${why ?? "loaded"}`),
    ...devices.map((device, i) => `${name}, device ${i}: ${device.name}${memoryText(device.bytes)}`),
    ...(nccl === undefined
      ? []
      : [`${name}, training on several devices: ${"found" in nccl ? nccl.found : nccl.missing}`]),
    ...(reason === undefined || told ? [] : [`${name} does not work: ${reason}`]),
    ...(solutions.length === 0 ? [] : [`Possible solutions for ${name}:`]),
    ...solutions.map((solution) => `- ${solution}`),
  ];
}

/** Of a device that has its own. */
function memoryText(bytes: number): string {
  return bytes === 0 ? "" : `, ${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
