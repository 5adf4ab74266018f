// What the executor knows of a kernel: how to check and measure a node of it, and how to run it. The kernels
// themselves, over plain pointers, are in native/kernels; the *_ops.cpp files here are their adapters.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"
#include "plan.h"

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

// A node while its plan is made: checks on its operands, and where the kernel leaves what it needs to know later.
class NodeSetup {
 public:
  NodeSetup(const Plan& plan, Node& node, int32_t number, Message& message)
      : plan(plan), node(node), number_(number), message_(message) {}

  const Plan& plan;
  Node& node;

  RDI_INLINE bool hasInput(int32_t i) const { return i < node.inputCount && node.inputs[i] >= 0; }
  RDI_INLINE const Value& input(int32_t i) const { return plan.values[size_t(node.inputs[i])]; }
  RDI_INLINE const Value& output() const { return plan.values[size_t(node.outputs[0])]; }
  RDI_INLINE int32_t attribute(int32_t i) const { return node.attributes[i]; }
  RDI_INLINE float floatAttribute(int32_t i) const { return __builtin_bit_cast(float, node.attributes[i]); }

  // False with a message that says what was expected and what came, unless `ok`.
  bool expect(bool ok, const char* what);
  // One output, `required` inputs and perhaps `optional` more, and `attributes`; all values are f32 but for those that
  // the masks name.
  bool operands(int32_t required, int32_t optional, int32_t attributes, uint32_t i32Inputs = 0, bool i32Output = false);
  // The same without looking at the types.
  bool counts(int32_t required, int32_t optional, int32_t attributes);

  template <class State>
  RDI_INLINE void keep(const State& state) {
    static_assert(sizeof(State) <= sizeof(node.state) && alignof(State) <= 8);
    __builtin_memcpy(node.state, &state, sizeof(State));
  }

 private:
  int32_t number_;
  Message& message_;
};

bool sameDims(const Value& a, const Value& b);
// Also both per-image or both whole.
bool sameShape(const Value& a, const Value& b);
RDI_INLINE bool isMatrixRow(const Value& v) { return v.perImage && v.rank == 1; }
RDI_INLINE bool isImage(const Value& v) { return v.perImage && v.rank == 3; }
RDI_INLINE bool isImageScalar(const Value& v) { return v.perImage && v.rank == 0; }
RDI_INLINE bool isWholeScalar(const Value& v) { return !v.perImage && v.rank == 0; }
void describe(Message& message, const Value& value);

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
  const char* name;
  // Checks the node and sets its sizes and state; false with a message if it cannot be run.
  bool (*prepare)(NodeSetup& setup);
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

  RDI_INLINE bool reduces() const { return accumulate != nullptr; }
};

}  // namespace rdi
