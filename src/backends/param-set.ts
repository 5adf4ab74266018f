import type { Spec } from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import type { Backend, HostArray, ParamSet, Slot } from "./backend.js";
import { allocFor } from "./binding.js";

/** Parameters in slots of a backend. */
export class HostParamSet implements ParamSet {
  readonly specs: ReadonlyMap<string, Spec>;
  readonly #backend: Backend;
  readonly #slots = new Map<string, Slot>();
  #version = nextVersion();

  constructor(backend: Backend, params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>) {
    this.#backend = backend;
    this.specs = new Map([...params].map(([name, { spec }]) => [name, spec]));
    try {
      for (const [name, { spec, data }] of params) {
        this.#slots.set(name, allocFor(backend, spec, 1));
        this.set(name, data);
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  get version(): number {
    return this.#version;
  }

  slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot === undefined) {
      throw new ArgumentError(
        `Expected one of the parameters ${[...this.specs.keys()].join(", ")} but received ${name}`,
      );
    }
    return slot;
  }

  set(name: string, data: HostArray): void {
    const slot = this.slot(name);
    if (data.length * 4 !== slot.bytes) {
      throw new ArgumentError(`Expected ${slot.bytes / 4} elements for parameter ${name} but received ${data.length}`);
    }
    this.#backend.write(slot, data);
    this.touch();
  }

  get(name: string): Promise<HostArray> {
    const slot = this.slot(name);
    return this.#backend.read(slot, this.specs.get(name)!.dtype, slot.bytes / 4);
  }

  touch(): void {
    this.#version = nextVersion();
  }

  dispose(): void {
    for (const slot of this.#slots.values()) this.#backend.free(slot);
    this.#slots.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

let versions = 0;

/** Unique over all parameter sets, so that a plan never takes one set's version for another's. */
export function nextVersion(): number {
  return ++versions;
}
