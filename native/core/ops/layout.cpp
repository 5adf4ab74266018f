// Operations that move values: between the caller's NCHW and the engine's NHWC, between shapes, and from scalars and
// constants to tensors.
#include "families.h"

namespace rdi {
namespace {

bool checkMove(NodeSetup& setup) {
  return setup.counts(1, 0, 0) &&
         setup.expect(sameShape(setup.input(0), setup.output()) && setup.input(0).dtype == setup.output().dtype,
                      "an output of the input's shape and type");
}

bool checkLoad(NodeSetup& setup) {
  return checkMove(setup) &&
         setup.expect(setup.input(0).storage == Storage::External && setup.output().storage != Storage::External,
                      "an external input and an output in an arena");
}

bool checkStore(NodeSetup& setup) {
  return checkMove(setup) &&
         setup.expect(setup.input(0).storage != Storage::External && setup.output().storage == Storage::External,
                      "an input in an arena and an external output");
}

bool checkReshape(NodeSetup& setup) {
  if (!setup.counts(1, 0, 0)) return false;
  const Value &x = setup.input(0), &y = setup.output();
  return setup.expect(x.perImage == y.perImage && x.elements == y.elements && x.dtype == y.dtype,
                      "as many elements, of the same type, in the input and the output");
}

bool checkFill(NodeSetup& setup) { return setup.operands(0, 0, 1); }

bool checkExpand(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(isWholeScalar(setup.input(0)) || (isImageScalar(setup.input(0)) && setup.output().perImage),
                      "a scalar, or one value an image and a per-image output");
}

bool checkExpandBatch(NodeSetup& setup) {
  return setup.operands(1, 0, 1) &&
         setup.expect(isWholeScalar(setup.input(0)) && isImageScalar(setup.output()), "a scalar and an output [N]");
}

constexpr Op list[] = {
    {"load", checkLoad},
    {"store", checkStore},
    {"copy", checkMove},
    {"fill", checkFill},
    {"reshape", checkReshape},
    {"expand", checkExpand},
    {"expandBatch", checkExpandBatch},
};

}  // namespace

OpList layoutOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
