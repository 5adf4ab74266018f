import { BackendError, expectArgument } from "../../../util/errors.js";
import type { AdaptiveRunArguments, BufferUse, NativeAbi, OrdinaryRunArguments, Pointer } from "../abi.js";
import type { Failure, Port, Reply, Request } from "./messages.js";

/** What the engine at the other end is. */
export interface RemoteEngineInfo {
  readonly name: NativeAbi["name"];
  readonly threads: number;
  readonly instructionSet: string;
}

interface Pending {
  readonly plan?: Pointer;
  readonly resolve: (data: Uint8Array | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An engine that is elsewhere, such as in a worker, so that nothing here waits for it: what is asked for is sent, and done there in that order by an
 * `EngineServer`. What fails there fails `sync` of the plan, and `read` of what is not there.
 */
export class RemoteEngine implements NativeAbi {
  readonly name: NativeAbi["name"];
  readonly threads: number;
  readonly instructionSet: string;
  readonly #port: Port<Request>;
  readonly #end: () => void;
  readonly #pending = new Map<number, Pending>();
  readonly #bufferBytes = new Map<Pointer, number>();
  readonly #planBytes = new Map<Pointer, number>();
  /** Of the last run of a plan that had one. */
  readonly #signals = new Map<Pointer, AbortSignal>();
  readonly #numbers = new WeakMap<AbortSignal, number>();
  #next = 1;
  #ended: BackendError | undefined;

  /** @param end what ends the other side */
  constructor({ name, threads, instructionSet }: RemoteEngineInfo, port: Port<Request>, end: () => void) {
    this.name = name;
    this.threads = threads;
    this.instructionSet = instructionSet;
    this.#port = port;
    this.#end = end;
  }

  /** To be called with every message of the port. */
  receive(reply: Reply): void {
    if (reply.say === "plan") {
      // It may have been destroyed meanwhile.
      if (this.#planBytes.has(reply.plan)) this.#planBytes.set(reply.plan, reply.bytes);
      return;
    }
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.failure === undefined) pending?.resolve(reply.data);
    else pending?.reject(this.#reasonOf(reply.failure, pending.plan));
  }

  /** Says that the other side is gone: all that was asked of it fails. */
  fail(reason: string): void {
    this.#ended ??= new BackendError(reason);
    for (const { reject } of this.#pending.values()) reject(this.#ended);
    this.#pending.clear();
  }

  alloc(bytes: number): Pointer {
    const possible = Number.isInteger(bytes) && bytes >= 0 && bytes < 2 ** 32;
    expectArgument(possible, "bytes", "an integer from 0 to 2^32 - 1", bytes);
    const buffer = this.#next++;
    this.#send({ ask: "alloc", buffer, bytes });
    this.#bufferBytes.set(buffer, bytes);
    return buffer;
  }

  free(buffer: Pointer): void {
    this.#send({ ask: "free", buffer });
    this.#bufferBytes.delete(buffer);
  }

  liveBytes(): number {
    this.#expectLive();
    return [...this.#bufferBytes.values(), ...this.#planBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  write(buffer: Pointer, { buffer: memory, byteOffset, byteLength }: ArrayBufferView): void {
    // A copy, as the caller may change its array before the engine has taken it.
    const data = new Uint8Array(memory, byteOffset, byteLength).slice();
    this.#send({ ask: "write", buffer, data }, [data.buffer]);
  }

  async read(buffer: Pointer, into: ArrayBufferView): Promise<void> {
    const data = await this.#ask((id) => ({ ask: "read", id, buffer, bytes: into.byteLength }));
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(data!);
  }

  planCreate(words: Int32Array, uses: readonly BufferUse[]): Pointer {
    const plan = this.#next++;
    this.#send({ ask: "planCreate", plan, words, uses });
    this.#planBytes.set(plan, 0);
    return plan;
  }

  planDestroy(plan: Pointer): void {
    this.#signals.delete(plan);
    this.#planBytes.delete(plan);
    this.#send({ ask: "planDestroy", plan });
  }

  /** 0 until the engine has made the plan. */
  planBytes(plan: Pointer): number {
    this.#expectLive();
    return this.#planBytes.get(plan) ?? 0;
  }

  planRun({ signal, total, ...run }: OrdinaryRunArguments): void {
    this.#send({
      ask: "planRun",
      run: { ...run, total: total ?? run.batch },
      signal: this.#numberOf(run.plan, signal),
    });
  }

  adaptiveRun({ signal, ...run }: AdaptiveRunArguments): void {
    this.#send({ ask: "adaptiveRun", run, signal: this.#numberOf(run.plan, signal) });
  }

  async sync(plan: Pointer): Promise<void> {
    await this.#ask((id) => ({ ask: "sync", id, plan }), plan);
  }

  dispose(): void {
    if (this.#ended !== undefined) return;
    this.fail("Expected an engine in use but received one that was disposed of");
    this.#end();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #expectLive(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  #send(request: Request, transfer: ArrayBuffer[] = []): void {
    this.#expectLive();
    this.#port.postMessage(request, transfer);
  }

  #ask(request: (id: number) => Request, plan?: Pointer): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#send(request(id));
      this.#pending.set(id, { ...(plan !== undefined && { plan }), resolve, reject });
    });
  }

  /** The number of a signal, whose abort is sent from now on. */
  #numberOf(plan: Pointer, signal: AbortSignal | undefined): number | undefined {
    if (signal === undefined) return undefined;
    signal.throwIfAborted();
    this.#signals.set(plan, signal);
    const known = this.#numbers.get(signal);
    if (known !== undefined) return known;
    const number = this.#next++;
    this.#numbers.set(signal, number);
    const abort = (): void => {
      if (this.#ended === undefined) this.#port.postMessage({ ask: "abort", signal: number }, []);
    };
    signal.addEventListener("abort", abort, { once: true });
    return number;
  }

  #reasonOf({ message, signal }: Failure, plan: Pointer | undefined): unknown {
    const asked = plan === undefined ? undefined : this.#signals.get(plan);
    return signal !== undefined && asked?.aborted === true ? asked.reason : new BackendError(message);
  }
}
