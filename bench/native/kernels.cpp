// What `npm run bench` times the convolution kernels with: a loop of multiplications and additions that gives the
// machine's peak, and each kernel on tiles of images, as the engine calls it.
#include "kernels/conv2d.h"
#include "kernels/simd.h"
#include "peak.h"

#define BENCH_EXPORT(name) __attribute__((export_name(#name), visibility("default")))

using namespace rdi::kernels;

namespace {

extern "C" char __heap_base;
char* top = nullptr;

// Floats on a 64-byte line, never given back. Null: out of memory.
float* allocate(size_t floats) {
  constexpr size_t line = 64, page = 65536;
  if (top == nullptr) top = &__heap_base;
  const size_t first = (reinterpret_cast<size_t>(top) + line - 1) / line * line, end = first + floats * sizeof(float);
  const size_t memory = __builtin_wasm_memory_size(0) * page;
  if (end > memory && __builtin_wasm_memory_grow(0, (end - memory + page - 1) / page) == size_t(-1)) return nullptr;
  top = reinterpret_cast<char*>(end);
  return reinterpret_cast<float*>(first);
}

// Floats in ±1, the same in every run.
float* allocateRandom(size_t floats) {
  float* values = allocate(floats);
  uint32_t state = 1;
  for (size_t i = 0; values && i < floats; i++) {
    state = state * 1664525u + 1013904223u;
    values[i] = float(int32_t(state)) * 0x1p-31f;
  }
  return values;
}

struct Case {
  ConvShape shape;
  ConvMethod method;
  ConvPass pass;
  int32_t images;
  float *x, *y, *dx, *weight, *packed, *bias, *accumulator, *scratch;
};

}  // namespace

extern "C" {

// The operations of one iteration of bench_peak.
BENCH_EXPORT(bench_peak_operations) int32_t bench_peak_operations() { return peakOperations; }

BENCH_EXPORT(bench_peak) float bench_peak(int32_t iterations) { return peak(iterations, 0); }

// A convolution of square images and kernels, one pass, for tiles of `images` images; its result is kept for good.
// `pass`: as ConvPass; `allowed`: as ConvMethods. Null: out of memory.
BENCH_EXPORT(bench_conv)
Case* bench_conv(int32_t inChannels, int32_t inSize, int32_t outChannels, int32_t kernel, int32_t stride,
                 int32_t padding, int32_t groups, int32_t pass, int32_t allowed, int32_t images) {
  const int32_t outSize = (inSize + 2 * padding - kernel) / stride + 1;
  Case* c = reinterpret_cast<Case*>(allocate(alignFloats(sizeof(Case))));
  if (c == nullptr) return nullptr;
  c->shape = {inChannels, inSize, inSize, outChannels, outSize, outSize, kernel, kernel, stride, padding, groups};
  const ConvShape& s = c->shape;
  c->pass = ConvPass(pass);
  c->method = conv2dMethod(s, c->pass, ConvMethods(allowed));
  c->images = images;
  c->x = allocateRandom(size_t(images) * inChannels * inSize * inSize);
  c->y = allocateRandom(size_t(images) * outChannels * outSize * outSize);
  c->weight = allocateRandom(size_t(outChannels) * (inChannels / groups) * kernel * kernel);
  c->bias = allocateRandom(size_t(outChannels));
  size_t packed = 0, dx = 0, accumulator = 0, scratch = 0;
  switch (c->pass) {
    case ConvPass::Forward:
      packed = conv2dPackedFloats(s, c->method);
      scratch = conv2dScratchFloats(s, c->method, images);
      break;
    case ConvPass::InputGrad:
      packed = conv2dInputGradPackedFloats(s, c->method);
      dx = size_t(images) * inChannels * inSize * inSize;
      scratch = conv2dInputGradScratchFloats(s, c->method, images);
      break;
    case ConvPass::WeightGrad:
      accumulator = conv2dWeightGradAccumulatorFloats(s, c->method);
      scratch = conv2dWeightGradScratchFloats(s, c->method, images);
      break;
  }
  c->packed = allocate(packed);
  c->dx = allocate(dx);
  c->accumulator = allocate(accumulator);
  c->scratch = allocate(scratch);
  if (!c->x || !c->y || !c->weight || !c->bias || !c->packed || !c->dx || !c->accumulator || !c->scratch)
    return nullptr;
  if (c->pass == ConvPass::Forward) conv2dPack(s, c->method, c->weight, c->packed);
  if (c->pass == ConvPass::InputGrad) conv2dInputGradPack(s, c->method, c->weight, c->packed);
  return c;
}

// The ConvMethod that the kernels chose.
BENCH_EXPORT(bench_conv_method) int32_t bench_conv_method(const Case* c) { return int32_t(c->method); }

// One pass over `tiles` tiles, with the epilogues that a network has: bias and ReLU forward, the mask of the ReLU
// before it backward (none for images, which come before any ReLU). The weight gradient is finished once, as for a
// batch.
BENCH_EXPORT(bench_conv_run) void bench_conv_run(const Case* c, int32_t tiles) {
  const ConvShape& s = c->shape;
  switch (c->pass) {
    case ConvPass::Forward: {
      const Epilogue epilogue = {.bias = c->bias, .relu = true};
      for (; tiles > 0; tiles--) conv2dForward(s, c->method, c->images, c->x, c->packed, epilogue, c->y, c->scratch);
      break;
    }
    case ConvPass::InputGrad: {
      const Epilogue epilogue = {.reluMask = s.inChannels > 1 ? c->x : nullptr};
      for (; tiles > 0; tiles--) conv2dInputGrad(s, c->method, c->images, c->y, c->packed, epilogue, c->dx, c->scratch);
      break;
    }
    case ConvPass::WeightGrad: {
      __builtin_memset(c->accumulator, 0, conv2dWeightGradAccumulatorFloats(s, c->method) * sizeof(float));
      for (; tiles > 0; tiles--)
        conv2dWeightGradAccumulate(s, c->method, c->images, c->x, c->y, c->accumulator, c->scratch);
      const float* const accumulators[] = {c->accumulator};
      conv2dWeightGradFinish(s, c->method, accumulators, 1, c->weight);
      break;
    }
  }
}

}  // extern "C"
