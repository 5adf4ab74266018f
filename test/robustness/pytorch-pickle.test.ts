import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePyTorchCheckpoint } from "../../src/formats/pytorch/checkpoint.js";
import {
  build,
  call,
  dict,
  global,
  int,
  legacyFile,
  list,
  orderedDict,
  pickle,
  text,
  tuple,
  zipFile,
  type Code,
} from "../support/pytorch-files.js";
import { ascii, errorOf, errorsOf, expectReadOrRefused, two, W } from "./pytorch-errors.js";

describe("a pickle that refers to anything else", () => {
  it.each([
    ["os", "system"],
    ["posix", "system"],
    ["builtins", "eval"],
    ["__builtin__", "exec"],
    ["builtins", "getattr"],
    ["torch", "load"],
    ["torch", "Tensor"],
    ["numpy.core.multiarray", "_reconstruct"],
    ["collections.OrderedDict", "__init__"],
    ["collections", "OrderedDict.__reduce__"],
    ["__main__", "Net"],
    ["constructor", "prototype"],
  ])("%s.%s is refused by its name, called or not, by whatever opcode", (module, name) => {
    const full = `refers to ${module}.${name}, which is neither`;
    const command = text("touch owned");
    const codes: Code[] = [
      call(global(module, name), command),
      global(module, name),
      dict({ w: W, x: global(module, name) }),
      [...text(module), ...text(name), 0x93],
      [0x28, ...command, 0x69, ...ascii(`${module}\n${name}\n`)],
      [0x28, ...global(module, name), ...command, 0x6f],
      [...global(module, name), ...tuple(command), 0x81],
      [...global(module, name), ...tuple(command), ...dict({}), 0x92],
    ];
    for (const code of codes) for (const message of errorsOf(code)) expect(message).toContain(full);
  });

  it("a name with control characters is quoted", () => {
    for (const message of errorsOf(global("os\u001b[2J", "system"))) expect(message).toContain('"os\\u001b[2J.system"');
  });

  it.each<[string, Code, string]>([
    ["a call of a dtype", call(global("torch", "float32")), "torch.float32 as a value but received a call"],
    ["a call of a storage", call(global("torch", "FloatStorage"), int(2)), "received a call"],
    ["a call of a text", call(text("os.system"), text("ls")), "Expected a name to call in the pickle"],
    ["a call without arguments", [...global("torch", "Size"), ...int(1), 0x52], "Expected a tuple of arguments"],
    ["a class of this list by INST", [0x28, ...ascii("icollections\nOrderedDict\n")], "INST"],
    ["a class of this list by OBJ", [0x28, ...global("collections", "OrderedDict"), 0x6f], "OBJ"],
    ["the registry of extensions", [0x82, 1], "EXT1"],
    ["attributes", build(orderedDict({ w: W }), dict({ __class__: int(1) })), "Expected only a state dict's _metadata"],
    ["attributes of a tensor", build(W, dict({ _metadata: int(1) })), "Expected only a state dict's _metadata"],
    ["a text reference", [0x50, ...ascii("0\n")], "PERSID"],
    ["a reference to something else", [...tuple(text("file"), text("/etc/passwd")), 0x51], 'Expected ("storage", kind'],
    ["an opcode of no protocol", [0xff], "0xff"],
    ["a newer protocol", [0x80, 6], "protocol 5 at most but received 6"],
    ["texts as bytes", call(global("_codecs", "encode"), text("a"), text("rot13")), "_codecs.encode to be called as"],
    ["a set of a number", call(global("builtins", "set"), int(5)), "Expected a set to be called as PyTorch does"],
    ["a dict of no pairs", call(global("collections", "OrderedDict"), list(int(5))), "Expected a dict to be called as"],
  ])("%s is refused", (_, code, part) => {
    for (const message of errorsOf(code)) expect(message).toContain(part);
  });

  it("references have no place in a pickle beside the object", () => {
    const file = Uint8Array.from([...pickle([...text("a"), 0x51])]);
    expect(errorOf(file).message).toContain("received a reference, text");
  });
});

describe("a damaged pickle", () => {
  it.each<[string, Code, string]>([
    ["takes from an empty stack", [0x30], "Expected a value on the pickle's stack"],
    ["has no mark", [0x74], "Expected a value on the pickle's stack"],
    ["takes what is under a mark", [...int(1), 0x28, 0x85, 0x74], "Expected a value on the pickle's stack"],
    ["ends with two values", [...int(1), ...int(2)], "Expected one value at the end"],
    ["ends with a mark", [...int(1), 0x28, ...int(2)], "Expected one value at the end"],
    ["fetches what was never memoized", [0x68, 9], "place 9 of the pickle's memo"],
    ["has a key without a value", [0x7d, 0x28, ...text("a"), 0x75], "in pairs"],
    ["appends to a number", [...int(1), ...int(2), 0x61], "Expected a list in the pickle"],
    ["sets an item of a list", [0x5d, ...int(1), ...int(2), 0x73], "Expected a dict in the pickle"],
    ["has text that is not UTF-8", [0x58, 1, 0, 0, 0, 0xff], "Expected UTF-8 text"],
    ["has a text longer than the file", [0x58, 255, 255, 255, 255, 65], "truncated"],
    ["has a text longer than all memory", [0x8d, 255, 255, 255, 255, 255, 255, 255, 255], "truncated"],
    ["has a huge integer", [0x8b, 0, 2, 0, 0, ...new Array<number>(512).fill(1)], "at most 256 bytes"],
    ["has a name without end", [0x63, ...ascii("a".repeat(2000))], "the name of a module of less than 1024 bytes"],
  ])("%s", (_, code, part) => {
    for (const message of errorsOf(code)) expect(message).toContain(part);
  });
});

describe("hostile amounts", () => {
  it("a pickle of too many steps ends soon", () => {
    const many = new Uint8Array(2_000_000).fill(0x7d);
    const file = zipFile([], [], { extra: { "model/data.pkl": many } });
    expect(errorOf(file).message).toContain("at most 1000000 steps");
  });

  it("a short pickle that copies a long text again and again ends soon", () => {
    const long = "x".repeat(20_000);
    const copy = [...global("_codecs", "encode"), 0x68, 0, ...text("latin1"), 0x86, 0x52, 0x30];
    const code = [...text(long), 0x71, 0, 0x30, ...new Array<number[]>(1000).fill(copy).flat(), ...int(1)];
    for (const message of errorsOf(code)) expect(message).toContain("at most 1000000 steps");
  });

  it("a list that holds itself many times over (a billion laughs) costs nothing", () => {
    // Each level is a list of ten times the level before, fetched from the memo.
    const level = [0x71, 0, 0x30, 0x5d, 0x28, ...new Array<number[]>(10).fill([0x68, 0]).flat(), 0x65];
    const code = dict({ w: W, laughs: [0x5d, ...new Array<number[]>(100).fill(level).flat()] });
    for (const file of [legacyFile(code, [two]), zipFile(code, [two])])
      expect(decodePyTorchCheckpoint(file, "model.pt").ignored).toEqual(["laughs"]);
  });

  it("nesting without end does not exhaust the stack", () => {
    const code = dict({
      w: W,
      deep: [...new Array<number>(50_000).fill(0x5d), ...new Array<number>(49_999).fill(0x61)],
    });
    expect(decodePyTorchCheckpoint(zipFile(code, [two]), "model.pt").ignored).toEqual(["deep"]);
  });

  it("a name of wrappers without end", () => {
    const name = "module.".repeat(100_000);
    const { prefix } = decodePyTorchCheckpoint(zipFile(dict({ [name]: W }), [two]), "model.pt");
    expect(prefix.length).toBe(name.length);
  });
});

it("any pickle of known opcodes is read or refused with a FormatError", () => {
  const opcodes = [
    ..."(012Ns}u]ael)t.RbQdc".split("").map((c) => c.charCodeAt(0)),
    ...[0x81, 0x85, 0x86, 0x87, 0x88, 0x8f, 0x90, 0x91, 0x93, 0x94],
  ];
  const pieces = [
    ...opcodes.map((code) => [code]),
    [0x68, 0],
    [0x71, 0],
    text("state_dict"),
    text("w"),
    W,
    int(7),
    global("collections", "OrderedDict"),
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), (codes) => {
      expectReadOrRefused(zipFile(codes.flat(), [two]));
    }),
    { numRuns: 1000 },
  );
});
