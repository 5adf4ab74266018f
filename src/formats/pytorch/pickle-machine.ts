import { nameText } from "../../util/quote.js";
import type { ByteReader } from "./byte-reader.js";
import { call, isKnown, type CallContext } from "./globals.js";
import { GlobalName, kindOf, Tuple, type Dict, type PickleValue } from "./values.js";

/** What a reference to something outside the pickle stands for. */
export type Persistent = (id: PickleValue) => PickleValue;

/** Far more than any checkpoint of this package's models takes (RDI-ResNet38: 11,000), and at most some hundreds of megabytes of small objects. */
export const MAX_STEPS = 1_000_000;

/** PyTorch's own magic number takes 10 bytes. */
const MAX_LONG_BYTES = 256;

/** The stack machine that a pickle is a program for: a stack with marks and a memo, both of plain values. */
export class Machine implements CallContext {
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at its marks; what lies under the topmost is out of reach. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #steps = 0;

  constructor(
    readonly reader: ByteReader,
    readonly persistent: Persistent | undefined,
  ) {}

  readonly fail: (message: string) => never = (message) => this.reader.fail(message);

  spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) this.fail(`Expected a pickle of at most ${MAX_STEPS} steps but received a longer one`);
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** Takes everything above the topmost mark, and the mark. */
  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    return mark === undefined ? this.#underflow() : this.#stack.splice(mark);
  }

  pop(): PickleValue {
    this.top();
    return this.#stack.pop()!;
  }

  top(): PickleValue {
    const value = this.#stack.at(-1);
    return value === undefined || this.#stack.length <= (this.#marks.at(-1) ?? 0) ? this.#underflow() : value;
  }

  /** POP takes a mark too, if there is nothing above it. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  topDict(): Dict {
    const value = this.top();
    return value instanceof Map ? value : this.#expected("a dict", value);
  }

  topList(): PickleValue[] {
    const value = this.top();
    return Array.isArray(value) ? value : this.#expected("a list", value);
  }

  topSet(): Set<PickleValue> {
    const value = this.top();
    return value instanceof Set ? value : this.#expected("a set", value);
  }

  put(index: number): void {
    this.#memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.#memo.size);
  }

  get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) this.fail(`Expected a value in place ${index} of the pickle's memo but there is none`);
    this.push(value);
  }

  setItems(target: Dict, items: readonly PickleValue[]): void {
    if (items.length % 2 !== 0) this.fail("Expected keys and values in pairs but received a key without a value");
    for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!);
  }

  global(module: string, name: string): void {
    const full = `${module}.${name}`;
    if (!isKnown(full)) {
      this.fail(
        `Expected tensors and plain values but the pickle refers to ${nameText(full)}, which is neither, and which may run code; nothing was run. Save the network's state_dict() alone, and import that`,
      );
    }
    this.push(new GlobalName(full));
  }

  stackGlobal(): void {
    const [name, module] = [this.pop(), this.pop()];
    if (typeof module !== "string" || typeof name !== "string") this.#expected("the name of a module's member", name);
    this.global(module, name);
  }

  reduce(): void {
    const [args, callee] = [this.pop(), this.pop()];
    if (!(args instanceof Tuple)) this.#expected("a tuple of arguments", args);
    if (!(callee instanceof GlobalName)) this.#expected("a name to call", callee);
    this.push(call(callee.name, args.items, this));
  }

  /** Sets attributes. The only ones that plain values have are the module versions that PyTorch hangs on a state dict. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (state instanceof Map && state.size === 0) return;
    if (!(target instanceof Map) || !(state instanceof Map) || state.size !== 1 || !state.has("_metadata"))
      this.fail(
        `Expected only a state dict's _metadata as attributes but received ${kindOf(state)} for ${kindOf(target)}`,
      );
  }

  persistentId(): void {
    const id = this.pop();
    if (this.persistent === undefined) this.fail(`Expected plain values but received a reference, ${kindOf(id)}`);
    this.push(this.persistent(id));
  }

  integer(bytes: Uint8Array): number | bigint {
    if (bytes.length > MAX_LONG_BYTES)
      this.fail(`Expected integers of at most ${MAX_LONG_BYTES} bytes but received one of ${bytes.length}`);
    if (bytes.length === 0) return 0;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).reverse();
    const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex.join("")}`));
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** The one value that is left when the program stops. */
  end(): PickleValue {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0)
      this.fail("Expected one value at the end of the pickle but received more");
    return value;
  }

  #underflow(): never {
    return this.fail(
      `Expected a value on the pickle's stack before byte ${this.reader.position} but there is none: it is damaged`,
    );
  }

  #expected(what: string, value: PickleValue): never {
    return this.fail(
      `Expected ${what} in the pickle before byte ${this.reader.position} but received ${kindOf(value)}: it is damaged`,
    );
  }
}
