// Random numbers.
#include "families.h"

namespace rdi {
namespace {

bool expectSeedAndIds(NodeSetup& setup, const Value& seed, const Value& ids) {
  return setup.expect(!seed.perImage && seed.rank == 1 && seed.dims[0] == 2 && isImageScalar(ids),
                      "a seed [2] and ids [N]");
}

bool checkUniform(NodeSetup& setup) {
  return setup.operands(2, 0, 3, 0b11) && expectSeedAndIds(setup, setup.input(0), setup.input(1)) &&
         setup.expect(setup.output().perImage, "an output [N,...]");
}

bool checkDropout(NodeSetup& setup) {
  return setup.operands(3, 0, 2, 0b110) && expectSeedAndIds(setup, setup.input(1), setup.input(2)) &&
         setup.expect(setup.output().perImage && sameShape(setup.input(0), setup.output()),
                      "x [N,...] and an output of its shape") &&
         setup.expect(setup.floatAttribute(0) >= 0 && setup.floatAttribute(0) < 1, "a rate of at least 0 and under 1");
}

constexpr Op list[] = {
    {"randomUniform", checkUniform},
    {"dropout", checkDropout},
};

}  // namespace

OpList randomOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
