// How the CPU runs an operation: what the executor knows of a kernel. The kernels themselves, over plain pointers, are
// in native/kernels; the *_kernels.cpp files here are their adapters.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/op.h"
#include "kernels/isa.h"
#include "kernels/share.h"

namespace rdi {

// The first failure of a run: workers may fail at the same time, and one message is enough.
class RunStatus {
 public:
  RDI_INLINE bool failed() const { return __atomic_load_n(&failed_, __ATOMIC_ACQUIRE); }
  // The message to fill, for the first caller; null for the others.
  RDI_INLINE Message* fail() { return __atomic_exchange_n(&failed_, true, __ATOMIC_ACQ_REL) ? nullptr : &message_; }
  const Message& message() const { return message_; }

 private:
  bool failed_ = false;
  Message message_;
};

// A node while it runs, over some images (or 1, for whole values).
struct NodeRun {
  const Plan& plan;
  const Node& node;
  void* const* values;
  int32_t images;
  int32_t batch;  // images of the whole run
  float* scratch;
  RunStatus& status;
  // The elements of the output to compute: all of these images', or a worker's part of a whole value.
  size_t begin, end;
  // Of what the node does for these images; only of kernels that are shared.
  kernels::Share share;

  RDI_INLINE bool has(int32_t i) const { return i < node.inputCount && node.inputs[i] >= 0; }
  RDI_INLINE const Value& value(int32_t i) const { return plan.values[size_t(node.inputs[i])]; }
  RDI_INLINE const Value& outputValue() const { return plan.values[size_t(node.outputs[0])]; }
  // Null for an optional input that is absent.
  RDI_INLINE const float* in(int32_t i) const {
    return has(i) ? static_cast<const float*>(values[node.inputs[i]]) : nullptr;
  }
  RDI_INLINE const int32_t* inI32(int32_t i) const { return static_cast<const int32_t*>(values[node.inputs[i]]); }
  RDI_INLINE float* out() const { return static_cast<float*>(values[node.outputs[0]]); }
  RDI_INLINE int32_t* outI32() const { return static_cast<int32_t*>(values[node.outputs[0]]); }
  RDI_INLINE int32_t attribute(int32_t i) const { return node.attributes[i]; }
  RDI_INLINE float floatAttribute(int32_t i) const { return __builtin_bit_cast(float, node.attributes[i]); }
  template <class State>
  RDI_INLINE const State& state() const {
    return *reinterpret_cast<const State*>(node.state);
  }
};

struct Kernel {
  const char* name;  // of the operation
  // Chooses a method for a node that was checked, and sets its sizes. Null if it needs neither.
  void (*prepare)(NodeView& view) = nullptr;
  // Null for reductions.
  void (*run)(const NodeRun& run) = nullptr;
  // Input 1, the weight, as the kernel wants it. Null if it takes weights as they are.
  void (*pack)(const NodeRun& run, float* packed) = nullptr;
  // Reductions: adds these images to the worker's accumulator (zero at first), and makes the output from the
  // accumulators.
  void (*accumulate)(const NodeRun& run, float* accumulator) = nullptr;
  void (*finish)(const NodeRun& run, const float* const* accumulators, int32_t count) = nullptr;
  // Whether any part of a whole output can be computed by itself (begin … end), so that workers can share it.
  bool splits = false;
  // Whether workers can compute the output of the same images together, each a share.
  bool shares = false;

  RDI_INLINE bool reduces() const { return accumulate != nullptr; }
};

}  // namespace rdi
