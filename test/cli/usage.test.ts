import { join } from "node:path";
import { expect, it } from "vitest";
import { writeFakeAddon } from "../support/fake-addon.js";
import { describeCli, rdi, rdiWith, temporaryFolder } from "./rdi.js";

const COMMANDS = [
  "quickstart",
  "train",
  "evaluate",
  "attack",
  "calibrate",
  "classify",
  "reproduce",
  "import",
  "export",
  "info",
  "bench",
  "doctor",
];

describeCli("help and usage", () => {
  it("lists the commands", async () => {
    const { status, stdout, stderr } = await rdi("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toContain(`  ${command} `);
  });

  it("says its version", async () => {
    const { status, stdout } = await rdi("--version");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each(COMMANDS)("helps with %s, with examples", async (command) => {
    const { status, stdout, stderr } = await rdi(command, "--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`Usage: rdi ${command} [^]*Examples:\\n  rdi ${command}`));
  });

  const evaluate = ["evaluate", "--weights", "none.safetensors", "--dataset", "digits"];
  it.each([
    [["frobnicate"], "unknown command 'frobnicate'", "rdi --help"],
    [[...evaluate, "--frobnicate"], "unknown option '--frobnicate'", "rdi evaluate --help"],
    [["evaluate", "--dataset", "digits"], "required option '--weights <file>'", "rdi evaluate --help"],
    [
      ["evaluate", "--weights", "none", "--dataset", "imagenet"],
      "Allowed choices are digits, mnist, cifar10, cifar100, svhn, images",
      "rdi evaluate --help",
    ],
    [["evaluate", "--weights", "none", "--dataset", "mnist"], "Expected --data", "rdi evaluate --help"],
    [["evaluate", "--weights", "none", "--dataset", "images"], "Expected --data", "rdi evaluate --help"],
    [[...evaluate, "--skip-corrupt"], "Expected no --skip-corrupt with digits", "rdi evaluate --help"],
    [[...evaluate, "--limit", "many"], "Expected an integer of at least 1", "rdi evaluate --help"],
    [[...evaluate, "--limit", "0"], "Expected an integer of at least 1", "rdi evaluate --help"],
    [[...evaluate, "--offset", "10000"], "Expected --offset in 0 … 9999", "rdi evaluate --help"],
    [[...evaluate, "--threads", "1.5"], "Expected an integer in 1 … 256", "rdi evaluate --help"],
    [[...evaluate, "--attack", "pgd", "--eps", "-0.1"], "Expected a number of at least 0", "rdi evaluate --help"],
    [[...evaluate, "--attack", "pgd", "--eps", "8/0"], "Expected a number of at least 0", "rdi evaluate --help"],
    [[...evaluate, "--attack", "pgd", "--steps", "0"], "Expected an integer of at least 1", "rdi evaluate --help"],
    [[...evaluate, "--attack", "bim"], "Allowed choices are none, pgd, fgsm, wrm", "rdi evaluate --help"],
    [[...evaluate, "--attack", "pgd", "--form", "worst"], "Expected a form of attack", "rdi evaluate --help"],
    [[...evaluate, "--split", "dev"], "Expected one of train, validation, test", "rdi evaluate --help"],
    [[...evaluate, "--backend", "abacus"], "Expected a backend", "rdi evaluate --help"],
    [[...evaluate, "--device", "-1"], "Expected an integer of at least 0", "rdi evaluate --help"],
    [[...evaluate, "--backend", "cpu", "--device", "0"], "Expected backend cuda for device 0", "rdi evaluate --help"],
    [[...evaluate, "--device", "0,one"], "Expected an integer of at least 0", "rdi evaluate --help"],
    [[...evaluate, "--device", "0,0"], "Expected different ones for devices", "rdi evaluate --help"],
    [
      [...evaluate, "--backend", "cpu", "--device", "0,1"],
      "Expected backend cuda for devices 0,1",
      "rdi evaluate --help",
    ],
    [["classify", "--weights", "none.safetensors"], "missing required argument 'path'", "rdi classify --help"],
    [["train", "--out", "nowhere"], "--dataset not specified", "rdi train --help"],
    [["train", "--out", "nowhere", "--epochs", "1", "--iterations", "2"], "cannot be used with", "rdi train --help"],
    [["train", "--out", "nowhere", "--resume", "--overwrite"], "cannot be used with", "rdi train --help"],
    [["quickstart", "--epochs", "few"], "Expected a number", "rdi quickstart --help"],
    [["reproduce", "table-9"], "Expected a table (digits-smallcnn, ", "rdi reproduce --help"],
    [
      ["reproduce", "digits-smallcnn", "--preset", "digits-smallcnn"],
      "Expected --train with --preset digits-smallcnn",
      "rdi reproduce --help",
    ],
    [["reproduce", "digits-smallcnn"], "Expected --weights of smallcnn/standard", "rdi reproduce --help"],
    [
      ["reproduce", "digits-smallcnn", "--train", "--only", "vgg"],
      "Expected networks of the table",
      "rdi reproduce --help",
    ],
    [["info", "no-such-model"], "Expected a model (rdi-smallcnn, smallcnn, rdi-resnet38", "rdi info --help"],
  ])("refuses %j", async (args, message, hint) => {
    const { status, stdout, stderr } = await rdi(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });
});

describeCli("doctor", () => {
  it("says of every backend what was tried and what came of it", async () => {
    const { status, stdout } = await rdi("doctor", "--json");
    expect(status).toBe(0);
    const health = JSON.parse(stdout) as {
      node: string;
      backends: { name: string; tried: string; available: boolean }[];
    };
    expect(health.node).toBe(process.version);
    expect(health.backends.map(({ name }) => name)).toContain("reference");
    for (const { name, tried, available, ...rest } of health.backends) {
      expect(tried, name).not.toBe("");
      expect(rest, name).toHaveProperty(available ? "threads" : "reason");
    }
  });

  it("lists the GPUs, or says why there are none", async () => {
    const folder = await temporaryFolder();
    const [two, none] = [join(folder, "two.cjs"), join(folder, "none.cjs")];
    const gpu = { name: "GPU, compute capability 9.0", bytes: 80 * 2 ** 30 };
    writeFakeAddon(two, { devices: [gpu, { ...gpu, bytes: 0 }] });
    writeFakeAddon(none, { devices: [], noDevices: "no driver" });
    const listed = await rdiWith({ RDI_CUDA_ADDON: two }, "doctor");
    expect(listed.stdout).toContain(
      `cuda, RDI_CUDA_ADDON ${two}: loaded\ncuda, device 0: ${gpu.name}, 80.0 GiB\ncuda, device 1: ${gpu.name}\n` +
        "cuda, training on several devices: Expected NVIDIA's NCCL",
    );
    const missing = await rdiWith({ RDI_CUDA_ADDON: none }, "doctor");
    expect(missing.stdout).toContain(
      `cuda, RDI_CUDA_ADDON ${none}: loaded\ncuda does not work: no driver\nPossible solutions for cuda:\n- install`,
    );
    const json = await rdiWith({ RDI_CUDA_ADDON: two, RDI_DEVICE: "5" }, "doctor", "--json");
    const [cuda] = (JSON.parse(json.stdout) as { backends: object[] }).backends;
    expect(cuda).toMatchObject({ name: "cuda", available: false, devices: [gpu, { bytes: 0 }] });
  });
});
