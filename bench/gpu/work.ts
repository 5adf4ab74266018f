import type { Graph } from "../../src/graph/types.js";
import type { MatrixPrecision } from "../../src/backends/native/addon-engine.js";
import { gradientGraph, graphMacs, imageElements, isPerImage, optimize } from "../library.js";
import { inputGradientGraph, logitsGraph, workload, type ModelName } from "../network/workload.js";

/** What a GPU does again and again. */
export interface GpuWork {
  /**
   * `forward`: the logits of all exits; images and logits stay in the GPU's memory. `main`, `average` and `max-average`: PGD in that form, from images in the
   * host's memory to others there. `training`: an iteration of adversarial training, the average form in train mode and a step on both halves.
   */
  readonly kind: "forward" | "main" | "average" | "max-average" | "training";
  readonly model: ModelName;
  /** All of the images, and how many of them run together. */
  readonly images: number;
  readonly batch: number;
  /** Steps of PGD; of `forward` none. */
  readonly steps: number;
  readonly precision: MatrixPrecision;
  /** How PyTorch launches its kernels: one by one, as a CUDA graph, or as a graph of what `torch.compile` makes of the network. */
  readonly peer: "eager" | "graph" | "compile";
}

/** What the work takes for an image, whoever does it. */
export interface Floor {
  /** Two for each multiply-accumulate of direct convolutions. */
  readonly operations: number;
  /** If each operation of the optimised graph reads what it takes and writes what it gives once, as 32-bit numbers. */
  readonly bytes: number;
}

export function floorOf({ kind, model: name, batch, steps }: GpuWork): Floor {
  const { model, training } = workload(name);
  const of = (graph: Graph): Floor => floorOfGraph(optimize(graph), batch);
  const exits = Array.from({ length: model.exits }, (_, i) => i + 1);
  const forward = (): Floor => of(logitsGraph(model));
  const ascent = (aim: readonly number[]): Floor => times(steps, of(inputGradientGraph(model, aim)));
  switch (kind) {
    case "forward":
      return forward();
    case "main":
      return ascent([model.exits]);
    case "average":
      return ascent(exits);
    case "max-average":
      // Each candidate is scored.
      return sum([...exits.map((exit) => ascent([exit])), times(model.exits, forward())]);
    case "training":
      return sum([ascent(exits), times(2, of(gradientGraph(model, training)))]);
  }
}

function floorOfGraph(graph: Graph, batch: number): Floor {
  const bytesOf = (value: number): number => {
    const spec = graph.specs[value]!;
    return (4 * imageElements(spec)) / (isPerImage(spec) ? 1 : batch);
  };
  // A reshaped value is the same memory.
  const nodes = graph.nodes.filter(({ op }) => op !== "reshape");
  const values = nodes.flatMap((node) => [...new Set(node.in), node.out]).filter((value) => value !== null);
  return { operations: 2 * graphMacs(graph), bytes: values.reduce((total, value) => total + bytesOf(value), 0) };
}

function times(factor: number, { operations, bytes }: Floor): Floor {
  return { operations: factor * operations, bytes: factor * bytes };
}

function sum(floors: readonly Floor[]): Floor {
  return floors.reduce((a, b) => ({ operations: a.operations + b.operations, bytes: a.bytes + b.bytes }));
}
