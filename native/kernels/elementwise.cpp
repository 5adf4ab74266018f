#include "elementwise.h"

#include "vector_math.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// y[i] = f(x[i]) by vectors; f maps a vector to a vector.
template <class F>
RDI_INLINE void map(const float* x, float* y, size_t n, F f) {
  size_t i = 0;
  for (; i + VL <= n; i += VL) store(y + i, f(load(x + i)));
  if (i < n) storePart(y + i, f(loadPart(x + i, n - i)), n - i);
}

template <class F>
RDI_INLINE void map2(const float* a, const float* b, float* y, size_t n, F f) {
  size_t i = 0;
  for (; i + VL <= n; i += VL) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) storePart(y + i, f(loadPart(a + i, n - i), loadPart(b + i, n - i)), n - i);
}

// Calls run(f) with the vector function of an operation.
template <class Run>
void withBinary(BinaryOp op, Run run) {
  switch (op) {
    case BinaryOp::Add:
      run([](vf a, vf b) { return a + b; });
      break;
    case BinaryOp::Sub:
      run([](vf a, vf b) { return a - b; });
      break;
    case BinaryOp::Mul:
      run([](vf a, vf b) { return a * b; });
      break;
    case BinaryOp::Div:
      run([](vf a, vf b) { return a / b; });
      break;
    case BinaryOp::Minimum:
      run([](vf a, vf b) { return select((a < b) | (a != a), a, b); });
      break;
    case BinaryOp::Maximum:
      run([](vf a, vf b) { return select((a > b) | (a != a), a, b); });
      break;
    case BinaryOp::Greater:
      run([](vf a, vf b) { return keep(a > b, broadcast(1)); });
      break;
    case BinaryOp::ReluGrad:
      run([](vf a, vf b) { return keep(b > zero(), a); });
      break;
  }
}

}  // namespace

void unary(UnaryOp op, const float* x, float* y, size_t n) {
  switch (op) {
    case UnaryOp::Relu:
      map(x, y, n, [](vf v) { return relu(v); });
      break;
    case UnaryOp::Neg:
      map(x, y, n, [](vf v) { return -v; });
      break;
    case UnaryOp::Exp:
      map(x, y, n, [](vf v) { return vectorExp(v); });
      break;
    case UnaryOp::Log:
      map(x, y, n, [](vf v) { return vectorLog(v); });
      break;
    case UnaryOp::Sqrt:
      map(x, y, n, [](vf v) { return squareRoot(v); });
      break;
    case UnaryOp::Rsqrt:
      map(x, y, n, [](vf v) { return 1.0f / squareRoot(v); });
      break;
    case UnaryOp::Abs:
      map(x, y, n, [](vf v) { return absolute(v); });
      break;
    case UnaryOp::Sign:
      map(x, y, n, [](vf v) {
        const vf one = broadcast(1);
        return select(v != v, v, keep(v > zero(), one) - keep(v < zero(), one));
      });
      break;
  }
}

void binary(BinaryOp op, const float* a, const float* b, float* y, size_t n) {
  withBinary(op, [&](auto f) { map2(a, b, y, n, f); });
}

void binaryScalarRight(BinaryOp op, const float* a, float b, float* y, size_t n) {
  const vf right = broadcast(b);
  withBinary(op, [&](auto f) { map(a, y, n, [&](vf left) { return f(left, right); }); });
}

void binaryScalarLeft(BinaryOp op, float a, const float* b, float* y, size_t n) {
  const vf left = broadcast(a);
  withBinary(op, [&](auto f) { map(b, y, n, [&](vf right) { return f(left, right); }); });
}

void binaryImageRight(BinaryOp op, const float* a, const float* b, float* y, int32_t images, size_t n) {
  for (int32_t i = 0; i < images; i++) binaryScalarRight(op, a + i * n, b[i], y + i * n, n);
}

void binaryImageLeft(BinaryOp op, const float* a, const float* b, float* y, int32_t images, size_t n) {
  for (int32_t i = 0; i < images; i++) binaryScalarLeft(op, a[i], b + i * n, y + i * n, n);
}

void positiveBits(const float* x, uint32_t* bits, size_t n) {
  for (size_t i = 0; i < n; i += 32) {
    uint32_t word = 0;
    RDI_UNROLL for (int j = 0; j < 32; j += VL) word |= positiveLanes(load(x + i + j)) << j;
    bits[i / 32] = word;
  }
}

void keepWhereSet(const float* dy, const uint32_t* bits, float* dx, size_t n) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(bits);
  for (size_t i = 0; i < n; i += VL) store(dx + i, keepBits(bytes, ptrdiff_t(i), load(dy + i)));
}

void affine(const float* x, float scale, float shift, float* y, size_t n) {
  map(x, y, n, [&](vf v) { return v * scale + shift; });
}

void clamp(const float* x, float low, float high, float* y, size_t n) {
  const vf bottom = broadcast(low), top = broadcast(high);
  map(x, y, n, [&](vf v) { return atMost(atLeast(v, bottom), top); });
}

void selectRows(const float* condition, const float* a, const float* b, float* y, int32_t images, size_t n) {
  for (int32_t i = 0; i < images; i++) {
    const float* from = (condition[i] != 0 ? a : b) + i * n;
    if (from != y + i * n) __builtin_memcpy(y + i * n, from, n * sizeof(float));
  }
}

void fill(float* y, float value, size_t n) {
  const vf v = broadcast(value);
  size_t i = 0;
  for (; i + VL <= n; i += VL) store(y + i, v);
  if (i < n) storePart(y + i, v, n - i);
}

void expandRows(const float* values, float* y, int32_t images, size_t n) {
  for (int32_t i = 0; i < images; i++) fill(y + i * n, values[i], n);
}

void sumRows(const float* x, float* sums, int32_t images, size_t n) {
  for (int32_t image = 0; image < images; image++, x += n) {
    vf sum0 = zero(), sum1 = zero(), sum2 = zero(), sum3 = zero();
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
      sum0 += load(x + i);
      sum1 += load(x + i + VL);
      sum2 += load(x + i + 2 * VL);
      sum3 += load(x + i + 3 * VL);
    }
    for (; i < n; i += VL) sum0 += loadLanes(x + i, n - i);
    sums[image] = sumLanes((sum0 + sum1) + (sum2 + sum3));
  }
}

void sumBuffers(const float* const* inputs, int32_t count, float* y, size_t n) {
  for (size_t i = 0; i < n; i += VL) {
    vf sum = zero();
    for (int32_t j = 0; j < count; j++) sum += loadLanes(inputs[j] + i, n - i);
    storeLanes(y + i, sum, n - i);
  }
}

void channelAffine(const float* x, const float* scale, const float* shift, float* y, size_t rows, int32_t channels) {
  const size_t n = size_t(channels);
  for (size_t row = 0; row < rows; row++, x += n, y += n) {
    for (size_t c = 0; c < n; c += VL) {
      storeLanes(y + c, madd(loadLanes(x + c, n - c), loadLanes(scale + c, n - c), loadLanes(shift + c, n - c)), n - c);
    }
  }
}

void channelSumAccumulate(const float* x, float* accumulator, size_t rows, int32_t channels) {
  const size_t n = size_t(channels);
  size_t c = 0;
  for (; c + 2 * VL <= n; c += 2 * VL) {
    vf even0 = zero(), even1 = zero(), odd0 = zero(), odd1 = zero();
    const float* p = x + c;
    size_t row = 0;
    for (; row + 2 <= rows; row += 2, p += 2 * n) {
      even0 += load(p);
      even1 += load(p + VL);
      odd0 += load(p + n);
      odd1 += load(p + n + VL);
    }
    if (row < rows) {
      even0 += load(p);
      even1 += load(p + VL);
    }
    store(accumulator + c, load(accumulator + c) + (even0 + odd0));
    store(accumulator + c + VL, load(accumulator + c + VL) + (even1 + odd1));
  }
  for (; c < n; c++) {
    float sum = 0;
    for (size_t row = 0; row < rows; row++) sum += x[row * n + c];
    accumulator[c] += sum;
  }
}

void scaleRows(const float* x, const float* scale, float* y, int32_t rows, size_t n) {
  binaryImageRight(BinaryOp::Mul, x, scale, y, rows, n);
}

}  // namespace rdi::kernels::inline RDI_ISA
