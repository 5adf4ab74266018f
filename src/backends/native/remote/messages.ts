import type { BufferUse, Pointer } from "../abi.js";

/** What a run is given, but for its signal. Pointers are the remote engine's own numbers for buffers and plans. */
interface RemoteRun {
  readonly plan: Pointer;
  readonly batch: number;
  readonly buffers: readonly Pointer[];
  readonly version: number;
}

/** What can end a run: a number for each `AbortSignal`. */
type SignalNumber = number | undefined;

/** What is asked of an engine that is elsewhere, in the order in which it is done. `read` and `sync` are answered under their `id`. */
export type Request =
  | { readonly ask: "alloc"; readonly buffer: Pointer; readonly bytes: number }
  | { readonly ask: "free"; readonly buffer: Pointer }
  | { readonly ask: "write"; readonly buffer: Pointer; readonly data: Uint8Array }
  | { readonly ask: "read"; readonly id: number; readonly buffer: Pointer; readonly bytes: number }
  | {
      readonly ask: "planCreate";
      readonly plan: Pointer;
      readonly words: Int32Array;
      readonly uses: readonly BufferUse[];
    }
  | { readonly ask: "planDestroy"; readonly plan: Pointer }
  | {
      readonly ask: "planRun";
      readonly run: RemoteRun & { readonly total: number; readonly repeat: number };
      readonly signal: SignalNumber;
    }
  | {
      readonly ask: "adaptiveRun";
      readonly run: RemoteRun & {
        readonly thresholds: Pointer;
        readonly probabilities: Pointer;
        readonly entropy: Pointer;
        readonly exits: Pointer;
      };
      readonly signal: SignalNumber;
    }
  | { readonly ask: "sync"; readonly id: number; readonly plan: Pointer }
  /** Overtakes the others: runs that have not begun yet are left out. */
  | { readonly ask: "abort"; readonly signal: number };

/** Why something was not done. */
export interface Failure {
  readonly message: string;
  /** The signal that ended it, if one did. */
  readonly signal?: number;
}

/** From the engine. */
export type Reply =
  | { readonly say: "answer"; readonly id: number; readonly data?: Uint8Array; readonly failure?: Failure }
  /** What a plan holds, after whatever may have changed it. */
  | { readonly say: "plan"; readonly plan: Pointer; readonly bytes: number };

/** One end of a channel: a `MessagePort`, a `Worker`, or the global scope of a worker. */
export interface Port<Out> {
  postMessage(message: Out, transfer: ArrayBuffer[]): void;
}
