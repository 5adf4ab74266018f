#include "linear.h"

#include "gemm.h"

namespace rdi::kernels::inline RDI_ISA {

size_t linearPackedFloats(const LinearShape& s) { return packedFloats(s.inFeatures, s.outFeatures); }

void linearPack(const LinearShape& s, const float* weight, float* packed) {
  packMatrix(s.inFeatures, s.outFeatures, packed,
             [&](int32_t k, int32_t o) { return weight[size_t(o) * s.inFeatures + k]; });
}

void linearForward(const LinearShape& s, int32_t images, const float* x, const float* packed, const Epilogue& epilogue,
                   float* y, Share share) {
  const RowGrid grid{images, images, s.inFeatures, 0, s.outFeatures, 0};
  multiply(grid, x, Runs{1, s.inFeatures, 0}, packed, s.outFeatures, epilogue, y, share);
}

size_t linearInputGradPackedFloats(const LinearShape& s) { return packedFloats(s.outFeatures, s.inFeatures); }

void linearInputGradPack(const LinearShape& s, const float* weight, float* packed) {
  packMatrix(s.outFeatures, s.inFeatures, packed,
             [&](int32_t o, int32_t k) { return weight[size_t(o) * s.inFeatures + k]; });
}

void linearInputGrad(const LinearShape& s, int32_t images, const float* dy, const float* packed,
                     const Epilogue& epilogue, float* dx, Share share) {
  const RowGrid grid{images, images, s.outFeatures, 0, s.inFeatures, 0};
  multiply(grid, dy, Runs{1, s.outFeatures, 0}, packed, s.inFeatures, epilogue, dx, share);
}

void linearWeightGradAccumulate(const LinearShape& s, int32_t images, const float* x, const float* dy,
                                float* accumulator) {
  const OuterGrid grid{1, images, s.outFeatures, 0, s.inFeatures, 0};
  accumulateOuter(grid, dy, s.outFeatures, x, s.inFeatures, accumulator, s.inFeatures);
}

}  // namespace rdi::kernels::inline RDI_ISA
