// A decoded plan: see docs/plan-format.md for what the parts mean.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "heap.h"

namespace rdi {

struct Op;
struct Kernel;  // how the engine runs an operation: each engine defines its own

enum class Storage : int32_t { External, Arena, Shared, Queue };
enum class DType : int32_t { F32, I32 };

struct Value {
  Storage storage;
  int32_t index;  // external: the buffer; queue: the segment that reads it
  int32_t offset;
  DType dtype;
  bool perImage;
  int32_t rank;
  int32_t dims[4];
  size_t elements;  // of one image, or of the whole value

  RDI_INLINE size_t bytes() const { return elements * 4; }
  // Whether NCHW and NHWC order differ.
  RDI_INLINE bool hasLayout() const { return perImage && rank == 3 && dims[0] > 1 && dims[1] * dims[2] > 1; }
};

struct Node {
  const Op* op;
  const int32_t* inputs;
  const int32_t* outputs;
  const int32_t* attributes;
  int32_t inputCount, outputCount, attributeCount;

  alignas(8) unsigned char state[64];  // what its check keeps, a plain struct; an engine may keep more there

  // Set by the engine.
  const Kernel* kernel;
  size_t scratchFloats;      // of a full tile
  size_t packedFloats;       // of its weights as the engine wants them; 0 if it takes them as they are
  size_t accumulatorFloats;  // of each worker, for reductions
  size_t accumulatorOffset;
  int32_t pack;  // if it has packed weights: which of the plan's
  float* packed;
};

struct NodeRange {
  int32_t first, count;
  RDI_INLINE int32_t end() const { return first + count; }
};

enum class PhaseKind : int32_t { Parameters, Tiled, Whole };

struct Phase {
  PhaseKind kind;
  NodeRange loads, body, stores;
  bool reduces;     // has reduce nodes
  bool collective;  // has nodes in which engines of a group wait for each other
};

struct Carry {
  int32_t input, output;
};

struct Move {
  int32_t source, destination;
};

struct Segment {
  int32_t phase, entropy, probabilities, exit;
  const Move* moves;
  int32_t moveCount;
};

// Weights in the form that an engine wants. Nodes whose packed weights are alike share them.
struct Pack {
  static constexpr int32_t withParameters = -1;
  int32_t node;   // the first of the nodes that use it
  int32_t phase;  // before which it is made in every run; or withParameters: again only when those have changed
  size_t offset;  // in floats, into the memory of packed weights
};

// What a worker has for itself.
struct WorkerMemory {
  float* arena;
  float* queues;
  float* scratch;
  float* accumulators;
  void** values;          // where each value is, for the tile in hand
  int32_t* queueLengths;  // images in the queue of each segment
  int32_t* queueImages;   // [segment][2 × tile]: which images they are
};

struct Plan {
  Array<int32_t> words;  // nodes point into it
  int32_t tile, maxBatch;
  int32_t arenaFloats, sharedFloats, queueFloats;
  int32_t externalCount, parameterPhases;  // parameter phases come first
  Array<Value> values;
  Array<Node> nodes;
  Array<Phase> phases;
  Array<Carry> carries;
  Array<Segment> segments;

  // Set by plan_checks.cpp: whether runs are repeated inside the tile.
  bool repeatsInside;
  // Whether a phase is collective.
  bool collective;

  // Set by plan_packs.cpp.
  Array<Pack> packs;  // the first packCount of them
  size_t packCount;
  uint64_t packFloats;     // of all of them
  Array<bool> cachedFrom;  // external buffers that parameter phases and packs read
  Array<bool> written;     // external buffers that other phases write whole values to

  // Set by cpu/plan_memory.cpp.
  size_t accumulatorFloats;  // of a worker
  Array<float> shared;
  Array<float> packedMemory;
  Array<float> workerFloats;
  Array<void*> workerPointers;
  Array<int32_t> workerIntegers;
  Array<WorkerMemory> workers;

  RDI_INLINE bool adaptive() const { return segments.size() > 0; }
};

}  // namespace rdi
