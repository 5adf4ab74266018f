#include "kernels/quantized.h"

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;

namespace {

int32_t draw(uint32_t& state, int32_t low, int32_t high) {
  state = state * 1664525u + 1013904223u;
  return low + int32_t((uint64_t(state) * uint64_t(high - low + 1)) >> 32);
}

// Integers times 1/4 as inputs, so that the levels 4 give them back exactly; scale and bias of powers of two: then
// nothing is rounded, and plain loops give the very same floats.
void testShape(const ConvShape& s, int32_t images, bool isSigned) {
  const QuantizedShape shape{s, {4, isSigned}};
  char name[120];
  snprintf(name, sizeof name, "quantized %d x [%d,%d,%d] -> %d, kernel %d stride %d padding %d, %s", images,
           s.inChannels, s.inHeight, s.inWidth, s.outChannels, s.kernelHeight, s.stride, s.padding,
           isSigned ? "signed" : "unsigned");
  const size_t inImage = size_t(s.inHeight) * s.inWidth * s.inChannels,
               outImage = size_t(s.outHeight) * s.outWidth * s.outChannels;
  const size_t factors = size_t(s.inChannels) * s.kernelHeight * s.kernelWidth, row = (factors + 3) / 4 * 4;
  Buffer x(inImage * images, "x"), scale(size_t(s.outChannels), "scale"), bias(size_t(s.outChannels), "bias"),
      residual(outImage * images, "residual");
  uint32_t state = 7;
  // The extremes, so that sums come near what the methods can hold; and one beyond, which is clamped.
  const int32_t low = isSigned ? -127 : 0, high = isSigned ? 127 : 255;
  std::vector<int32_t> integers(inImage * size_t(images));
  for (size_t i = 0; i < integers.size(); i++) {
    const int32_t wanted = draw(state, low - 2, high + 2);
    x[i] = float(wanted) / 4;
    integers[i] = wanted < low ? low : wanted > high ? high : wanted;
  }
  std::vector<int8_t> weight(row * size_t(s.outChannels));
  for (int8_t& w : weight) w = int8_t(draw(state, 0, 3) == 0 ? 127 : draw(state, -127, 127));
  for (int32_t o = 0; o < s.outChannels; o++) {
    scale[size_t(o)] = o % 2 == 0 ? 0.5f : 0.25f;
    bias[size_t(o)] = float(o % 5) - 2;
  }
  for (size_t i = 0; i < outImage * size_t(images); i++) residual[i] = float(draw(state, -9, 9));

  std::vector<double> expected(outImage * size_t(images));
  for (int32_t n = 0; n < images; n++)
    for (int32_t p = 0; p < s.outHeight; p++)
      for (int32_t q = 0; q < s.outWidth; q++)
        for (int32_t o = 0; o < s.outChannels; o++) {
          int64_t sum = 0;
          for (int32_t c = 0; c < s.inChannels; c++)
            for (int32_t i = 0; i < s.kernelHeight; i++)
              for (int32_t j = 0; j < s.kernelWidth; j++) {
                const int32_t y = p * s.stride + i - s.padding, z = q * s.stride + j - s.padding;
                if (y < 0 || y >= s.inHeight || z < 0 || z >= s.inWidth) continue;
                sum += int64_t(integers[n * inImage + (size_t(y) * s.inWidth + z) * s.inChannels + c]) *
                       weight[size_t(o) * row + (size_t(c) * s.kernelHeight + i) * s.kernelWidth + j];
              }
          const size_t at = n * outImage + (size_t(p) * s.outWidth + q) * s.outChannels + o;
          const float value = (float(sum) * scale[size_t(o)] + bias[size_t(o)]) + residual[at];
          expected[at] = value > 0 ? value : 0;
        }

  const int32_t method = quantizedMethod(shape);
  Buffer packed(quantizedPackedFloats(shape, method), "packed"),
      scratch(quantizedScratchFloats(shape, method, images), "scratch");
  Buffer y(outImage * images, "y");
  quantizedPack(shape, method, weight.data(), packed.data());
  const QuantizedEpilogue epilogue = {
      .scale = scale.data(), .bias = bias.data(), .residual = residual.data(), .relu = true};
  quantizedForward(shape, method, images, x.data(), packed.data(), epilogue, y.data(), scratch.data());
  test::checkClose(y.data(), expected, 0, name);
}

void testSquare(int32_t in, int32_t size, int32_t out, int32_t kernel, int32_t stride, int32_t padding) {
  const int32_t outSize = (size + 2 * padding - kernel) / stride + 1;
  const ConvShape s = {in, size, size, out, outSize, outSize, kernel, kernel, stride, padding};
  for (int32_t images : {1, 5}) {
    testShape(s, images, true);
    testShape(s, images, false);
  }
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  testSquare(16, 32, 16, 3, 1, 1);
  testSquare(32, 13, 32, 3, 1, 0);
  testSquare(64, 8, 64, 3, 1, 1);
  testSquare(8, 5, 3, 3, 1, 2);
  testSquare(24, 9, 20, 3, 1, 1);
  // As many factors as F(4×4, 3×3) takes of unsigned inputs, and more.
  testSquare(112, 6, 24, 3, 1, 1);
  testSquare(128, 6, 24, 3, 1, 1);
  testSquare(16, 16, 64, 5, 1, 2);
  testSquare(8, 9, 4, 4, 1, 1);
  testSquare(8, 9, 8, 6, 1, 3);
  testSquare(3, 32, 16, 3, 1, 1);
  testSquare(1, 28, 32, 3, 1, 0);
  testSquare(16, 9, 32, 3, 2, 1);
  testSquare(16, 9, 32, 1, 2, 0);
  testSquare(5, 9, 7, 5, 1, 2);
  testSquare(1, 4, 1, 2, 1, 0);
  testSquare(1024, 1, 200, 1, 1, 0);
  testSquare(7, 1, 5, 1, 1, 0);
  const ConvShape oblong = {16, 6, 11, 8, 6, 11, 3, 3, 1, 1};
  testShape(oblong, 3, false);
  const ConvShape uneven = {2, 7, 9, 3, 6, 7, 2, 3, 1, 0};
  testShape(uneven, 2, true);
  for (int32_t images : {63, 64, 130}) {
    const ConvShape rows = {13, 1, 1, 11, 1, 1, 1, 1, 1, 0};
    testShape(rows, images, true);
  }
  return test::finish("quantized");
}
