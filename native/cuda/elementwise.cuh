// Element-wise kernels. A result may be exactly one of its inputs.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

struct UnaryArguments {
  Extent extent;
  const float* x;
  float* y;
  float a, b;  // what Affine and Clamp take
};

template <class F>
RDI_KERNEL void unaryKernel(UnaryArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) { p.y[i] = F::of(p.x[i], p.a, p.b); });
}

// NaN stays NaN in all of these, and Sign(0) = 0.
struct Relu {
  static RDI_DEVICE float of(float x, float, float) { return x < 0 ? 0 : x; }
};
struct Neg {
  static RDI_DEVICE float of(float x, float, float) { return -x; }
};
struct Exp {
  static RDI_DEVICE float of(float x, float, float) { return expf(x); }
};
struct Log {
  static RDI_DEVICE float of(float x, float, float) { return logf(x); }
};
struct Sqrt {
  static RDI_DEVICE float of(float x, float, float) { return sqrtf(x); }
};
struct Abs {
  static RDI_DEVICE float of(float x, float, float) { return fabsf(x); }
};
struct Sign {
  static RDI_DEVICE float of(float x, float, float) { return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x; }
};
struct Affine {
  static RDI_DEVICE float of(float x, float scale, float shift) { return x * scale + shift; }
};
struct Clamp {
  static RDI_DEVICE float of(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
};

// How an operand meets the output's elements: one for each, one for each image, or one for all.
struct Spread {
  const float* values;
  int64_t step;  // how many elements share a value: 1, those of an image, or (0) all
};

RDI_DEVICE float valueAt(const Spread& o, int64_t i) {
  return o.values[o.step == 1 ? i : o.step == 0 ? 0 : i / o.step];
}

struct BinaryArguments {
  Extent extent;
  Spread a, b;
  float* y;
};

template <class F>
RDI_KERNEL void binaryKernel(BinaryArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) { p.y[i] = F::of(valueAt(p.a, i), valueAt(p.b, i)); });
}

struct Add {
  static RDI_DEVICE float of(float a, float b) { return a + b; }
};
struct Sub {
  static RDI_DEVICE float of(float a, float b) { return a - b; }
};
struct Mul {
  static RDI_DEVICE float of(float a, float b) { return a * b; }
};
struct Div {
  static RDI_DEVICE float of(float a, float b) { return a / b; }
};
// NaN if either is.
struct Minimum {
  static RDI_DEVICE float of(float a, float b) { return a < b || a != a ? a : b; }
};
struct Maximum {
  static RDI_DEVICE float of(float a, float b) { return a > b || a != a ? a : b; }
};
struct Greater {
  static RDI_DEVICE float of(float a, float b) { return a > b ? 1 : 0; }
};
struct ReluGrad {
  static RDI_DEVICE float of(float dy, float y) { return y > 0 ? dy : 0; }
};

struct PositiveBitsArguments {
  Extent extent;  // of the words
  const float* x;
  uint32_t* bits;
};

// A thread makes a word.
RDI_KERNEL void positiveBitsKernel(PositiveBitsArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    uint32_t word = 0;
    for (int32_t bit = 0; bit < 32; bit += 4) {
      const float4 x = reinterpret_cast<const float4*>(p.x)[i * 8 + bit / 4];
      word |= (uint32_t(x.x > 0) | uint32_t(x.y > 0) << 1 | uint32_t(x.z > 0) << 2 | uint32_t(x.w > 0) << 3) << bit;
    }
    p.bits[i] = word;
  });
}

struct KeepWhereSetArguments {
  Extent extent;
  const float* dy;
  const uint32_t* bits;
  float* dx;
};

RDI_KERNEL void keepWhereSetKernel(KeepWhereSetArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) { p.dx[i] = bitAt(p.bits, i) ? p.dy[i] : 0; });
}

struct SelectArguments {
  Extent extent;
  const float* condition;  // one an image
  const float* a;          // of any type of 4 bytes
  const float* b;
  float* y;
};

RDI_KERNEL void selectKernel(SelectArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    const float* from = p.condition[i / p.extent.elements] != 0 ? p.a : p.b;
    reinterpret_cast<uint32_t*>(p.y)[i] = reinterpret_cast<const uint32_t*>(from)[i];
  });
}

struct ChannelAffineArguments {
  Extent extent;
  int32_t channels;
  const float* x;
  const float* scale;
  const float* shift;
  float* y;
};

RDI_KERNEL void channelAffineKernel(ChannelAffineArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    const int32_t channel = int32_t(i % p.channels);
    p.y[i] = p.x[i] * p.scale[channel] + p.shift[channel];
  });
}

struct ScaleRowsArguments {
  int64_t count, rowElements;
  const float* x;
  const float* scale;
  float* y;
};

RDI_KERNEL void scaleRowsKernel(ScaleRowsArguments p) {
  forEachIndex(p.count, [&](int64_t i) { p.y[i] = p.x[i] * p.scale[i / p.rowElements]; });
}

struct FillArguments {
  Extent extent;
  Spread from;  // null: `value`
  float value;
  float divideBy;
  float* y;
};

RDI_KERNEL void fillKernel(FillArguments p) {
  forEachIndex(countOf(p.extent),
               [&](int64_t i) { p.y[i] = (p.from.values ? valueAt(p.from, i) : p.value) / p.divideBy; });
}

}  // namespace rdi::cuda
