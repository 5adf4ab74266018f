import { BufferUse, type NativeAbi, type Pointer } from "../abi.js";
import type { Failure, Port, Reply, Request } from "./messages.js";

/** A plan, or why it could not be made; and what went wrong with its runs since it was last asked about. */
interface ServedPlan {
  readonly plan: Pointer | undefined;
  readonly uses: readonly BufferUse[];
  failure: Failure | undefined;
}

type Run = Extract<Request, { ask: "planRun" | "adaptiveRun" }>;

/** Does what a `RemoteEngine` asks of an engine whose calls are done when they return. */
export class EngineServer {
  readonly #engine: NativeAbi;
  readonly #port: Port<Reply>;
  readonly #buffers = new Map<Pointer, Pointer>();
  /** Why a buffer is not there, or does not hold what it should. */
  readonly #failed = new Map<Pointer, Failure>();
  readonly #plans = new Map<Pointer, ServedPlan>();
  readonly #aborted = new Set<number>();
  readonly #queue: Request[] = [];
  #busy = false;
  #ended = false;

  constructor(engine: NativeAbi, port: Port<Reply>) {
    this.#engine = engine;
    this.#port = port;
  }

  /** Disposes of the engine; what is still asked for is not done. */
  end(): void {
    this.#ended = true;
    this.#queue.length = 0;
    this.#engine.dispose();
  }

  /** To be called with every message of the port. */
  receive(request: Request): void {
    if (this.#ended) return;
    if (request.ask === "abort") {
      this.#aborted.add(request.signal);
      return;
    }
    this.#queue.push(request);
    if (!this.#busy) void this.#serve();
  }

  async #serve(): Promise<void> {
    this.#busy = true;
    for (let request = this.#queue.shift(); request !== undefined; request = this.#queue.shift()) {
      const endable = "signal" in request && request.signal !== undefined;
      // Messages arrive between the turns of the event loop: one may say that this run is no longer wanted.
      if (endable) await nextTurn();
      await this.#serveOne(request);
    }
    this.#busy = false;
  }

  async #serveOne(request: Request): Promise<void> {
    switch (request.ask) {
      case "alloc": {
        const failure = attempt(() => this.#buffers.set(request.buffer, this.#engine.alloc(request.bytes)));
        if (failure !== undefined) this.#failed.set(request.buffer, failure);
        return;
      }
      case "free": {
        const pointer = this.#buffers.get(request.buffer);
        this.#buffers.delete(request.buffer);
        this.#failed.delete(request.buffer);
        if (pointer !== undefined) this.#engine.free(pointer);
        return;
      }
      case "write": {
        const pointer = this.#buffers.get(request.buffer);
        if (pointer === undefined) return;
        this.#engine.write(pointer, request.data);
        this.#failed.delete(request.buffer);
        return;
      }
      case "read":
        await this.#read(request.id, request.buffer, request.bytes);
        return;
      case "planCreate":
        this.#createPlan(request.plan, request.words, request.uses);
        return;
      case "planDestroy": {
        const plan = this.#plans.get(request.plan)?.plan;
        this.#plans.delete(request.plan);
        if (plan !== undefined) this.#engine.planDestroy(plan);
        return;
      }
      case "planRun":
      case "adaptiveRun":
        this.#run(request);
        return;
      case "sync": {
        const served = this.#plans.get(request.plan)!;
        this.#answer(request.id, served.failure);
        // A plan that was never made goes on saying so.
        if (served.plan !== undefined) served.failure = undefined;
        return;
      }
      case "abort":
        throw new Error("Expected receive() to take an abort");
    }
  }

  async #read(id: number, buffer: Pointer, bytes: number): Promise<void> {
    const failure = this.#failed.get(buffer);
    if (failure !== undefined) {
      this.#answer(id, failure);
      return;
    }
    const data = new Uint8Array(bytes);
    await this.#engine.read(this.#buffers.get(buffer)!, data);
    this.#port.postMessage({ say: "answer", id, data }, [data.buffer]);
  }

  #createPlan(plan: Pointer, words: Int32Array, uses: readonly BufferUse[]): void {
    let made: Pointer | undefined;
    const failure = attempt(() => (made = this.#engine.planCreate(words, uses)));
    this.#plans.set(plan, { plan: made, uses, failure });
    this.#sayBytes(plan, made);
  }

  #run(request: Run): void {
    const { run, signal } = request;
    const served = this.#plans.get(run.plan)!;
    const results = request.ask === "adaptiveRun" ? resultsOf(request.run) : [];
    const used = (wanted: (use: BufferUse) => boolean): Pointer[] =>
      run.buffers.filter((_, i) => wanted(served.uses[i]!));
    const failure =
      (served.plan === undefined ? served.failure : undefined) ??
      (signal !== undefined && this.#aborted.has(signal) ? { message: "The run was aborted", signal } : undefined) ??
      firstOf(
        [...used((use) => use !== BufferUse.Fill), ...this.#missing([...run.buffers, ...results])],
        this.#failed,
      ) ??
      attempt(() => this.#start(served.plan!, request));
    for (const buffer of [...used((use) => use !== BufferUse.Read), ...results]) {
      if (failure !== undefined) this.#failed.set(buffer, failure);
      else this.#failed.delete(buffer);
    }
    served.failure ??= failure;
    // It may have grown by what was derived from the weights.
    this.#sayBytes(run.plan, served.plan);
  }

  #start(plan: Pointer, request: Run): void {
    const at = (buffer: Pointer): Pointer => this.#buffers.get(buffer)!;
    if (request.ask === "planRun") {
      this.#engine.planRun({ ...request.run, plan, buffers: request.run.buffers.map(at) });
      return;
    }
    const { run } = request;
    this.#engine.adaptiveRun({
      ...run,
      plan,
      buffers: run.buffers.map(at),
      thresholds: at(run.thresholds),
      probabilities: at(run.probabilities),
      entropy: at(run.entropy),
      exits: at(run.exits),
    });
  }

  /** Those that could not be had. */
  #missing(buffers: readonly Pointer[]): Pointer[] {
    return buffers.filter((buffer) => !this.#buffers.has(buffer));
  }

  #answer(id: number, failure: Failure | undefined): void {
    this.#port.postMessage({ say: "answer", id, ...(failure && { failure }) }, []);
  }

  #sayBytes(plan: Pointer, made: Pointer | undefined): void {
    if (made !== undefined) this.#port.postMessage({ say: "plan", plan, bytes: this.#engine.planBytes(made) }, []);
  }
}

function resultsOf(run: Extract<Request, { ask: "adaptiveRun" }>["run"]): Pointer[] {
  return [run.probabilities, run.entropy, run.exits];
}

function firstOf(buffers: readonly Pointer[], failures: ReadonlyMap<Pointer, Failure>): Failure | undefined {
  const buffer = buffers.find((each) => failures.has(each));
  return buffer === undefined ? undefined : failures.get(buffer);
}

/** Why an action failed; undefined if it did not. */
function attempt(action: () => unknown): Failure | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) };
  }
}

/** Not a timer, which browsers delay by milliseconds. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
