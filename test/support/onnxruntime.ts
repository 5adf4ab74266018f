import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;

/** A value of a run: float32 or int32, row-major. */
export interface OnnxValue {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** An ONNX model in ONNX Runtime, which checks it when it is opened. */
export class OnnxSession implements AsyncDisposable {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  static async open(model: Uint8Array): Promise<OnnxSession> {
    return new OnnxSession(await ort.InferenceSession.create(model, { executionProviders: ["wasm"] }));
  }

  get inputs(): readonly string[] {
    return this.#session.inputNames;
  }

  get outputs(): readonly string[] {
    return this.#session.outputNames;
  }

  /** Runs the model on the values of its inputs among `values`. */
  async run(values: ReadonlyMap<string, OnnxValue>): Promise<Map<string, OnnxValue>> {
    const feeds = Object.fromEntries(
      this.inputs.map((name) => {
        const { data, shape } = values.get(name)!;
        return [name, new ort.Tensor(data instanceof Int32Array ? "int32" : "float32", data, shape)];
      }),
    );
    const results = await this.#session.run(feeds);
    return new Map(
      Object.entries(results).map(([name, { data, dims }]) => [name, { shape: dims, data: data as OnnxValue["data"] }]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}
