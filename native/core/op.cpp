#include "op.h"

#include "ops/families.h"

namespace rdi {

bool sameDims(const Value& a, const Value& b) {
  if (a.rank != b.rank) return false;
  for (int32_t i = 0; i < a.rank; i++) {
    if (a.dims[i] != b.dims[i]) return false;
  }
  return true;
}

bool sameShape(const Value& a, const Value& b) { return a.perImage == b.perImage && sameDims(a, b); }

bool isReluMask(const Value& mask, const Value& y) {
  if (!isMaskBits(mask)) return sameShape(mask, y);
  return isImage(y) && y.dims[0] % 16 == 0 && y.elements % 32 == 0 && isMatrixRow(mask) &&
         size_t(mask.dims[0]) == y.elements / 32;
}

void describe(Message& message, const Value& value) {
  message << (value.perImage ? "[N" : "[");
  for (int32_t i = 0; i < value.rank; i++) message << (i > 0 || value.perImage ? "," : "") << value.dims[i];
  message << (value.dtype == DType::I32 ? "] i32" : "]");
}

bool NodeSetup::expect(bool ok, const char* what) {
  if (ok) return true;
  message_.clear() << "[" << node.op->name << "] node " << number_ << ": Expected " << what << " but received ";
  for (int32_t i = 0; i < node.inputCount; i++) {
    message_ << (i > 0 ? ", " : "");
    if (hasInput(i)) {
      describe(message_, input(i));
    } else {
      message_ << "nothing";
    }
  }
  for (int32_t i = 0; i < node.outputCount; i++) {
    message_ << (i > 0 ? ", " : " → ");
    describe(message_, plan.values[size_t(node.outputs[i])]);
  }
  for (int32_t i = 0; i < node.attributeCount; i++)
    message_ << (i > 0 ? ", " : " with attributes ") << node.attributes[i];
  return false;
}

bool NodeSetup::counts(int32_t required, int32_t optional, int32_t attributes) {
  bool ok = node.inputCount >= required && node.inputCount <= required + optional && node.outputCount == 1 &&
            node.attributeCount == attributes;
  for (int32_t i = 0; ok && i < required; i++) ok = hasInput(i);
  return expect(ok, "the kernel's numbers of inputs, outputs and attributes");
}

bool NodeSetup::operands(int32_t required, int32_t optional, int32_t attributes, uint32_t i32Inputs, bool i32Output) {
  if (!counts(required, optional, attributes)) return false;
  bool ok = (output().dtype == DType::I32) == i32Output;
  for (int32_t i = 0; ok && i < node.inputCount; i++) {
    ok = !hasInput(i) || (input(i).dtype == DType::I32) == ((i32Inputs >> i & 1) != 0);
  }
  return expect(ok, "the kernel's element types");
}

const Op* findOp(const char* name) {
  const OpList lists[] = {convOps(), linearOps(), poolOps(),   normOps(),   elementwiseOps(),
                          lossOps(), randomOps(), layoutOps(), reduceOps(), quantizedOps()};
  for (const OpList& list : lists) {
    for (size_t i = 0; i < list.count; i++) {
      if (sameText(list.first[i].name, name)) return &list.first[i];
    }
  }
  return nullptr;
}

}  // namespace rdi
