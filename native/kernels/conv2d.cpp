// The interface of conv2d.h: chooses among the methods.
#include "conv2d_internal.h"
#include "winograd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// run(tag) with the tag of a method.
template <class Run>
RDI_INLINE auto withMethod(ConvMethod method, Run run) {
  switch (method) {
    case ConvMethod::Winograd2:
      return run(Winograd2{});
    case ConvMethod::Winograd4:
      return run(Winograd4{});
    case ConvMethod::Winograd2x5:
      return run(Winograd2x5{});
    case ConvMethod::Depthwise:
      return run(Depthwise{});
    default:
      return run(Direct{});
  }
}

// Multiply-adds of an image, or what takes as long.
template <class F>
int64_t winogradCost(const ConvShape& s) {
  const int64_t tiles = int64_t(ceilDiv(s.outHeight, F::M)) * ceilDiv(s.outWidth, F::M);
  const int64_t products = int64_t(F::P) * F::P * s.inChannels * s.outChannels;
  return tiles * (products + int64_t(F::transformCost) * (s.inChannels + s.outChannels));
}

template <class F>
bool winogradSupports(const ConvShape& s) {
  return s.kernelHeight == F::R && s.kernelWidth == F::R && s.stride == 1 && s.padding < F::R && s.groups == 1 &&
         s.inChannels % VL == 0 && s.outChannels % VL == 0;
}

int64_t costOf(const ConvShape& s, ConvPass pass, ConvMethod method) {
  switch (method) {
    case ConvMethod::Winograd2:
      return winogradCost<Winograd2>(s);
    case ConvMethod::Winograd4:
      return winogradCost<Winograd4>(s);
    case ConvMethod::Winograd2x5:
      return winogradCost<Winograd2x5>(s);
    default: {
      const bool in = pass == ConvPass::InputGrad;
      const int64_t pixels = in ? int64_t(s.inHeight) * s.inWidth : int64_t(s.outHeight) * s.outWidth;
      return pixels * s.kernelHeight * s.kernelWidth * s.inChannels * s.outChannels;
    }
  }
}

}  // namespace

bool conv2dSupports(const ConvShape& s, ConvMethod method) {
  switch (method) {
    case ConvMethod::Winograd2:
      return winogradSupports<Winograd2>(s);
    case ConvMethod::Winograd4:
      return winogradSupports<Winograd4>(s);
    case ConvMethod::Winograd2x5:
      return winogradSupports<Winograd2x5>(s);
    case ConvMethod::Depthwise:
      return s.groups == s.inChannels && s.groups == s.outChannels;
    default:
      return true;
  }
}

ConvMethod conv2dMethod(const ConvShape& s, ConvPass pass, ConvMethods allowed) {
  if (s.groups > 1) return conv2dSupports(s, ConvMethod::Depthwise) ? ConvMethod::Depthwise : ConvMethod::Direct;
  ConvMethod best = ConvMethod::Direct;
  if (allowed == ConvMethods::Direct) return best;
  constexpr ConvMethod winograd[] = {ConvMethod::Winograd2, ConvMethod::Winograd4, ConvMethod::Winograd2x5};
  for (const ConvMethod method : winograd) {
    if (!conv2dSupports(s, method) || (allowed == ConvMethods::Local && method == ConvMethod::Winograd4)) continue;
    if (costOf(s, pass, method) < costOf(s, pass, best)) best = method;
  }
  return best;
}

size_t conv2dPackedFloats(const ConvShape& s, ConvMethod method) {
  return withMethod(method, [&](auto m) { return ConvForward<decltype(m)>::packedFloats(s); });
}

void conv2dPack(const ConvShape& s, ConvMethod method, const float* weight, float* packed) {
  withMethod(method, [&](auto m) { ConvForward<decltype(m)>::pack(s, weight, packed); });
}

size_t conv2dScratchFloats(const ConvShape& s, ConvMethod method, int32_t images) {
  return withMethod(method, [&](auto m) { return ConvForward<decltype(m)>::scratchFloats(s, images); });
}

void conv2dForward(const ConvShape& s, ConvMethod method, int32_t images, const float* x, const float* packed,
                   const Epilogue& epilogue, float* y, float* scratch, Share share) {
  withMethod(method, [&](auto m) { ConvForward<decltype(m)>::run(s, images, x, packed, epilogue, y, scratch, share); });
}

size_t conv2dInputGradPackedFloats(const ConvShape& s, ConvMethod method) {
  return withMethod(method, [&](auto m) { return ConvInputGrad<decltype(m)>::packedFloats(s); });
}

void conv2dInputGradPack(const ConvShape& s, ConvMethod method, const float* weight, float* packed) {
  withMethod(method, [&](auto m) { ConvInputGrad<decltype(m)>::pack(s, weight, packed); });
}

size_t conv2dInputGradScratchFloats(const ConvShape& s, ConvMethod method, int32_t images) {
  return withMethod(method, [&](auto m) { return ConvInputGrad<decltype(m)>::scratchFloats(s, images); });
}

void conv2dInputGrad(const ConvShape& s, ConvMethod method, int32_t images, const float* dy, const float* packed,
                     const Epilogue& epilogue, float* dx, float* scratch, Share share) {
  withMethod(method,
             [&](auto m) { ConvInputGrad<decltype(m)>::run(s, images, dy, packed, epilogue, dx, scratch, share); });
}

size_t conv2dWeightGradAccumulatorFloats(const ConvShape& s, ConvMethod method) {
  return withMethod(method, [&](auto m) { return ConvWeightGrad<decltype(m)>::accumulatorFloats(s); });
}

size_t conv2dWeightGradScratchFloats(const ConvShape& s, ConvMethod method, int32_t images) {
  return withMethod(method, [&](auto m) { return ConvWeightGrad<decltype(m)>::scratchFloats(s, images); });
}

void conv2dWeightGradAccumulate(const ConvShape& s, ConvMethod method, int32_t images, const float* x, const float* dy,
                                float* accumulator, float* scratch) {
  withMethod(method, [&](auto m) { ConvWeightGrad<decltype(m)>::accumulate(s, images, x, dy, accumulator, scratch); });
}

void conv2dWeightGradFinish(const ConvShape& s, ConvMethod method, const float* const* accumulators, int32_t count,
                            float* dw) {
  withMethod(method, [&](auto m) { ConvWeightGrad<decltype(m)>::finish(s, accumulators, count, dw); });
}

}  // namespace rdi::kernels::inline RDI_ISA
