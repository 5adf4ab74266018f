// The operations by families, one a file.
#pragma once

#include "core/op.h"

namespace rdi {

struct OpList {
  const Op* first;
  size_t count;
};

OpList convOps();
OpList linearOps();
OpList poolOps();
OpList normOps();
OpList elementwiseOps();
OpList lossOps();
OpList randomOps();
OpList layoutOps();
OpList reduceOps();
OpList quantizedOps();

}  // namespace rdi
