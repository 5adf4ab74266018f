// What holds of an operation on every engine: its name, and what its operands and attributes must be. How an engine
// runs it is the engine's own.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "plan.h"

namespace rdi {

// A node with what its operands and attributes are.
class NodeView {
 public:
  NodeView(const Plan& plan, Node& node) : plan(plan), node(node) {}

  const Plan& plan;
  Node& node;

  RDI_INLINE bool hasInput(int32_t i) const { return i < node.inputCount && node.inputs[i] >= 0; }
  RDI_INLINE const Value& input(int32_t i) const { return plan.values[size_t(node.inputs[i])]; }
  RDI_INLINE const Value& output() const { return plan.values[size_t(node.outputs[0])]; }
  RDI_INLINE int32_t attribute(int32_t i) const { return node.attributes[i]; }
  RDI_INLINE float floatAttribute(int32_t i) const { return __builtin_bit_cast(float, node.attributes[i]); }

  template <class State>
  RDI_INLINE const State& state() const {
    return *reinterpret_cast<const State*>(node.state);
  }
  template <class State>
  RDI_INLINE void keep(const State& state) {
    static_assert(sizeof(State) <= sizeof(node.state) && alignof(State) <= 8);
    __builtin_memcpy(node.state, &state, sizeof(State));
  }
};

// A node while it is checked.
class NodeSetup : public NodeView {
 public:
  NodeSetup(const Plan& plan, Node& node, int32_t number, Message& message)
      : NodeView(plan, node), number_(number), message_(message) {}

  // False with a message that says what was expected and what came, unless `ok`.
  bool expect(bool ok, const char* what);
  // One output, `required` inputs and perhaps `optional` more, and `attributes`; all values are f32 but for those that
  // the masks name.
  bool operands(int32_t required, int32_t optional, int32_t attributes, uint32_t i32Inputs = 0, bool i32Output = false);
  // The same without looking at the types.
  bool counts(int32_t required, int32_t optional, int32_t attributes);

 private:
  int32_t number_;
  Message& message_;
};

struct Op {
  const char* name;
  // Checks the node, and keeps what engines need to know of its shapes (kernels/shapes.h) as its state; false with a
  // message if the operation does not allow it.
  bool (*check)(NodeSetup& setup);
  // Whether its output is made from all images of the batch.
  bool reduces = false;
  // Whether engines of a group wait for each other in it.
  bool collective = false;
};

// Null if there is none of that name.
const Op* findOp(const char* name);

bool sameDims(const Value& a, const Value& b);
// Also both per-image or both whole.
bool sameShape(const Value& a, const Value& b);
RDI_INLINE bool isMatrixRow(const Value& v) { return v.perImage && v.rank == 1; }
RDI_INLINE bool isImage(const Value& v) { return v.perImage && v.rank == 3; }
RDI_INLINE bool isImageScalar(const Value& v) { return v.perImage && v.rank == 0; }
RDI_INLINE bool isWholeScalar(const Value& v) { return !v.perImage && v.rank == 0; }
// Whether a ReLU mask is one bit an element (the operation positiveBits), and not the ReLU's output itself.
RDI_INLINE bool isMaskBits(const Value& v) { return v.dtype == DType::I32; }
// Whether `mask` is of the ReLU output `y`, in either form.
bool isReluMask(const Value& mask, const Value& y);
void describe(Message& message, const Value& value);

}  // namespace rdi
