// Convolutions of many shapes, every method that supports them, against plain loops in double precision.
#include "kernels/conv2d.h"

#include "check.h"
#include "shares.h"

using namespace rdi::kernels;
using test::Buffer;
using test::testShares;

namespace {

ConvShape shapeOf(int32_t in, int32_t height, int32_t width, int32_t out, int32_t kernelHeight, int32_t kernelWidth,
                  int32_t stride, int32_t padding, int32_t groups = 1) {
  return {in,
          height,
          width,
          out,
          (height + 2 * padding - kernelHeight) / stride + 1,
          (width + 2 * padding - kernelWidth) / stride + 1,
          kernelHeight,
          kernelWidth,
          stride,
          padding,
          groups};
}

const char* const methodNames[] = {"direct", "winograd2", "winograd4", "winograd2x5", "depthwise"};

std::string nameOf(const ConvShape& s, ConvMethod method, int32_t images, const char* pass) {
  char text[200];
  snprintf(text, sizeof text,
           "conv2d %s %s, %d images %dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %d, padding %d, groups %d", pass,
           methodNames[int(method)], images, s.inChannels, s.inHeight, s.inWidth, s.outChannels, s.outHeight,
           s.outWidth, s.kernelHeight, s.kernelWidth, s.stride, s.padding, s.groups);
  return text;
}

// Calls visit(x index, weight index, y index) for every multiply-add of a convolution.
template <class Visit>
void forEachProduct(const ConvShape& s, int32_t images, Visit visit) {
  const int32_t inputs = s.inChannels / s.groups, outputs = s.outChannels / s.groups;  // of a group
  for (int32_t n = 0; n < images; n++) {
    for (int32_t oy = 0; oy < s.outHeight; oy++) {
      for (int32_t ox = 0; ox < s.outWidth; ox++) {
        for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
          for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
            const int32_t iy = oy * s.stride - s.padding + kh, ix = ox * s.stride - s.padding + kw;
            if (iy < 0 || iy >= s.inHeight || ix < 0 || ix >= s.inWidth) continue;
            const size_t x = ((size_t(n) * s.inHeight + iy) * s.inWidth + ix) * s.inChannels;
            const size_t y = ((size_t(n) * s.outHeight + oy) * s.outWidth + ox) * s.outChannels;
            for (int32_t o = 0; o < s.outChannels; o++) {
              for (int32_t c = 0; c < inputs; c++) {
                visit(x + o / outputs * inputs + c,
                      ((size_t(o) * inputs + c) * s.kernelHeight + kh) * s.kernelWidth + kw, y + o);
              }
            }
          }
        }
      }
    }
  }
}

// Which parts of the epilogue a test asks for.
struct Parts {
  bool bias = false, residual = false, relu = false, mask = false, maskBits = false;
};

// What positiveBits() makes of a mask.
std::vector<uint8_t> bitsOf(const Buffer& mask, size_t n) {
  std::vector<uint8_t> bits((n + 7) / 8);
  for (size_t i = 0; i < n; i++) bits[i / 8] |= uint8_t(mask[i] > 0) << i % 8;
  return bits;
}

void applyEpilogue(std::vector<double>& result, int32_t channels, const Epilogue& e) {
  for (size_t i = 0; i < result.size(); i++) {
    if (e.bias) result[i] += e.bias[i % channels];
    if (e.residual) result[i] += e.residual[i];
    if (e.relu) result[i] = fmax(result[i], 0);
    if (e.reluMask && !(e.reluMask[i] > 0)) result[i] = 0;
    if (e.reluBits && !(e.reluBits[i / 8] >> i % 8 & 1)) result[i] = 0;
  }
}

double toleranceOf(const ConvShape& s, ConvMethod method) {
  // The longest sums of products (5x5 from 64 channels) round more.
  const double exact = s.kernelHeight * s.kernelWidth * s.outChannels > 512 ? 2e-6 : 1e-6;
  switch (method) {
    case ConvMethod::Winograd2:
      return 3e-6;
    case ConvMethod::Winograd4:
    case ConvMethod::Winograd2x5:
      return 1e-5;
    default:
      return exact;
  }
}

void testShape(const ConvShape& s, int32_t images) {
  const size_t inFloats = size_t(images) * s.inHeight * s.inWidth * s.inChannels;
  const size_t outFloats = size_t(images) * s.outHeight * s.outWidth * s.outChannels;
  const size_t weights = size_t(s.outChannels) * (s.inChannels / s.groups) * s.kernelHeight * s.kernelWidth;
  Buffer x(inFloats, "x"), dy(outFloats, "dy"), weight(weights, "weight"), bias(s.outChannels, "bias");
  Buffer residual(outFloats, "residual"), mask(outFloats, "mask"), inResidual(inFloats, "inResidual"),
      inMask(inFloats, "inMask");
  x.random(1, 0, 1);
  dy.random(2);
  weight.random(3);
  bias.random(4);
  residual.random(5);
  mask.random(6);
  inResidual.random(7);
  inMask.random(8);
  const std::vector<uint8_t> inBits = bitsOf(inMask, inFloats);

  std::vector<double> forward(outFloats), inputGrad(inFloats), weightGrad(weights);
  forEachProduct(s, images, [&](size_t ix, size_t iw, size_t iy) {
    forward[iy] += double(x[ix]) * weight[iw];
    inputGrad[ix] += double(dy[iy]) * weight[iw];
    weightGrad[iw] += double(dy[iy]) * x[ix];
  });

  for (ConvMethod method : {ConvMethod::Direct, ConvMethod::Winograd2, ConvMethod::Winograd4, ConvMethod::Winograd2x5,
                            ConvMethod::Depthwise}) {
    if (!conv2dSupports(s, method)) continue;
    const double tolerance = toleranceOf(s, method);
    {
      Buffer packed(conv2dPackedFloats(s, method), "packed");
      conv2dPack(s, method, weight.data(), packed.data());
      for (const Parts& p :
           {Parts{}, Parts{.bias = true, .relu = true}, Parts{.bias = true, .residual = true, .relu = true},
            Parts{.residual = true, .mask = true}}) {
        const Epilogue e{.bias = p.bias ? bias.data() : nullptr,
                         .residual = p.residual ? residual.data() : nullptr,
                         .reluMask = p.mask ? mask.data() : nullptr,
                         .relu = p.relu};
        std::vector<double> expected = forward;
        applyEpilogue(expected, s.outChannels, e);
        Buffer scratch(conv2dScratchFloats(s, method, images), "scratch"), y(outFloats, "y");
        conv2dForward(s, method, images, x.data(), packed.data(), e, y.data(), scratch.data());
        test::checkClose(y.data(), expected, tolerance, nameOf(s, method, images, "forward"));
        testShares(y, nameOf(s, method, images, "forward"), [&](float* shared, Share share) {
          conv2dForward(s, method, images, x.data(), packed.data(), e, shared, scratch.data(), share);
        });
      }
    }
    {
      Buffer packed(conv2dInputGradPackedFloats(s, method), "packed");
      conv2dInputGradPack(s, method, weight.data(), packed.data());
      const bool takesBits = s.groups == 1 && s.inChannels % 16 == 0 && s.inHeight * s.inWidth * s.inChannels % 32 == 0;
      for (const Parts& p :
           {Parts{}, Parts{.residual = true, .mask = true}, Parts{.residual = true, .maskBits = true}}) {
        if (p.maskBits && !takesBits) continue;
        const Epilogue e{.residual = p.residual ? inResidual.data() : nullptr,
                         .reluMask = p.mask ? inMask.data() : nullptr,
                         .reluBits = p.maskBits ? inBits.data() : nullptr};
        std::vector<double> expected = inputGrad;
        applyEpilogue(expected, s.inChannels, e);
        Buffer scratch(conv2dInputGradScratchFloats(s, method, images), "scratch"), dx(inFloats, "dx");
        conv2dInputGrad(s, method, images, dy.data(), packed.data(), e, dx.data(), scratch.data());
        test::checkClose(dx.data(), expected, tolerance, nameOf(s, method, images, "input gradient"));
        testShares(dx, nameOf(s, method, images, "input gradient"), [&](float* shared, Share share) {
          conv2dInputGrad(s, method, images, dy.data(), packed.data(), e, shared, scratch.data(), share);
        });
      }
    }
    {
      // Two workers: the first takes one image, the second the others.
      const size_t size = conv2dWeightGradAccumulatorFloats(s, method);
      Buffer first(size, "accumulator"), second(size, "accumulator"), dw(weights, "dw");
      Buffer scratch(conv2dWeightGradScratchFloats(s, method, images), "scratch");
      first.fill(0);
      second.fill(0);
      conv2dWeightGradAccumulate(s, method, 1, x.data(), dy.data(), first.data(), scratch.data());
      if (images > 1) {
        conv2dWeightGradAccumulate(s, method, images - 1, x.data() + inFloats / images, dy.data() + outFloats / images,
                                   second.data(), scratch.data());
      }
      const float* accumulators[] = {first.data(), second.data()};
      conv2dWeightGradFinish(s, method, accumulators, 2, dw.data());
      test::checkClose(dw.data(), weightGrad, 2 * tolerance, nameOf(s, method, images, "weight gradient"));
    }
  }
}

// The methods that are local: zeros stay exactly zero, and the four outputs under one window of a 2×2 pooling are equal
// wherever their own windows are.
void testLocality(const ConvShape& s, ConvMethod method) {
  const size_t inFloats = size_t(s.inHeight) * s.inWidth * s.inChannels;
  const size_t outFloats = size_t(s.outHeight) * s.outWidth * s.outChannels;
  Buffer x(inFloats, "x"), y(outFloats, "y"), dy(outFloats, "dy"), dx(inFloats, "dx");
  Buffer weight(size_t(s.outChannels) * (s.inChannels / s.groups) * s.kernelHeight * s.kernelWidth, "weight");
  Buffer packed(conv2dPackedFloats(s, method), "packed");
  weight.random(1);
  // Left of column 9 an image is one colour a channel, and dy zero.
  x.random(2);
  dy.random(3);
  for (size_t i = 0; i < inFloats; i++) {
    if (int32_t(i / s.inChannels % s.inWidth) < 9) x[i] = x[i % s.inChannels];
  }
  for (size_t i = 0; i < outFloats; i++) {
    if (int32_t(i / s.outChannels % s.outWidth) < 9) dy[i] = 0;
  }
  conv2dPack(s, method, weight.data(), packed.data());
  Buffer scratch(conv2dScratchFloats(s, method, 1), "scratch");
  conv2dForward(s, method, 1, x.data(), packed.data(), Epilogue{}, y.data(), scratch.data());
  for (size_t i = 0; i < outFloats; i++) {
    if (int32_t(i / s.outChannels % s.outWidth) > 9 - s.kernelWidth) continue;
    test::check(y[i] == y[i % s.outChannels], nameOf(s, method, 1, "equal windows"));
  }
  Buffer gradScratch(conv2dInputGradScratchFloats(s, method, 1), "scratch");
  conv2dInputGradPack(s, method, weight.data(), packed.data());
  conv2dInputGrad(s, method, 1, dy.data(), packed.data(), Epilogue{}, dx.data(), gradScratch.data());
  for (size_t i = 0; i < inFloats; i++) {
    test::check((dx[i] == 0) == (int32_t(i / s.inChannels % s.inWidth) < 9), nameOf(s, method, 1, "zeros of dy"));
  }
}

void testMethods() {
  const ConvShape dense = shapeOf(32, 18, 18, 32, 3, 3, 1, 0);
  test::check(conv2dMethod(dense, ConvPass::Forward) == ConvMethod::Winograd4, "any method");
  test::check(conv2dMethod(dense, ConvPass::Forward, ConvMethods::Local) == ConvMethod::Winograd2, "a local method");
  test::check(conv2dMethod(dense, ConvPass::Forward, ConvMethods::Direct) == ConvMethod::Direct, "direct sums");
  const ConvShape head = shapeOf(16, 16, 16, 64, 5, 5, 1, 2);
  for (ConvMethods allowed : {ConvMethods::Any, ConvMethods::Local}) {
    test::check(conv2dMethod(head, ConvPass::Forward, allowed) == ConvMethod::Winograd2x5, "any method for 5x5");
  }
  test::check(conv2dMethod(shapeOf(32, 18, 18, 32, 3, 3, 1, 0, 32), ConvPass::Forward, ConvMethods::Direct) ==
                  ConvMethod::Depthwise,
              "depthwise sums");
  test::check(conv2dMethod(shapeOf(32, 18, 18, 64, 3, 3, 1, 0, 32), ConvPass::Forward) == ConvMethod::Direct,
              "groups of several outputs");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  for (ConvMethod method : {ConvMethod::Direct, ConvMethod::Winograd2}) {
    testLocality(shapeOf(32, 18, 18, 32, 3, 3, 1, 0), method);
  }
  testLocality(shapeOf(32, 18, 18, 32, 3, 3, 1, 0, 32), ConvMethod::Depthwise);
  testLocality(shapeOf(32, 18, 18, 32, 5, 5, 1, 0), ConvMethod::Winograd2x5);
  testMethods();

  // RDI-SmallCNN.
  testShape(shapeOf(1, 28, 28, 32, 3, 3, 1, 0), 2);
  testShape(shapeOf(32, 26, 26, 32, 3, 3, 1, 0), 2);
  testShape(shapeOf(32, 12, 12, 64, 3, 3, 1, 0), 3);
  testShape(shapeOf(64, 10, 10, 64, 3, 3, 1, 0), 3);
  testShape(shapeOf(32, 26, 26, 16, 3, 3, 2, 0), 2);
  // RDI-ResNet38.
  testShape(shapeOf(3, 32, 32, 16, 3, 3, 1, 1), 1);
  testShape(shapeOf(16, 32, 32, 16, 3, 3, 1, 1), 2);
  testShape(shapeOf(32, 16, 16, 32, 3, 3, 1, 1), 2);
  testShape(shapeOf(64, 8, 8, 64, 3, 3, 1, 1), 5);
  testShape(shapeOf(16, 32, 32, 32, 3, 3, 2, 1), 1);
  testShape(shapeOf(16, 32, 32, 32, 1, 1, 2, 0), 1);
  testShape(shapeOf(16, 16, 16, 64, 5, 5, 1, 2), 1);
  testShape(shapeOf(64, 8, 8, 32, 3, 3, 1, 1), 1);
  // Odd sizes, channel counts, strides and paddings; images smaller than a Winograd tile.
  testShape(shapeOf(1, 1, 1, 1, 1, 1, 1, 0), 1);
  testShape(shapeOf(1, 5, 7, 1, 3, 3, 1, 1), 2);
  testShape(shapeOf(1, 6, 39, 8, 3, 5, 1, 1), 1);
  testShape(shapeOf(1, 10, 22, 3, 4, 2, 1, 0), 2);
  testShape(shapeOf(2, 6, 5, 3, 3, 3, 2, 1), 2);
  testShape(shapeOf(3, 9, 7, 5, 3, 3, 1, 0), 1);
  testShape(shapeOf(5, 8, 11, 10, 2, 4, 3, 1), 2);
  testShape(shapeOf(10, 6, 6, 7, 3, 3, 1, 2), 2);
  testShape(shapeOf(4, 3, 3, 4, 3, 3, 1, 0), 1);
  testShape(shapeOf(4, 4, 9, 8, 3, 3, 1, 0), 2);
  testShape(shapeOf(12, 5, 6, 4, 3, 3, 1, 2), 3);
  testShape(shapeOf(8, 1, 1, 12, 3, 3, 1, 1), 17);
  testShape(shapeOf(8, 7, 13, 20, 3, 3, 1, 1), 40);
  testShape(shapeOf(200, 3, 3, 10, 3, 3, 1, 1), 1);
  testShape(shapeOf(6, 7, 7, 9, 1, 1, 1, 0), 3);
  testShape(shapeOf(4, 9, 9, 8, 4, 4, 4, 0), 1);
  testShape(shapeOf(1, 8, 8, 4, 5, 3, 2, 2), 1);
  testShape(shapeOf(16, 7, 9, 32, 5, 5, 1, 1), 3);
  testShape(shapeOf(32, 5, 6, 16, 5, 5, 1, 0), 2);
  testShape(shapeOf(16, 2, 3, 16, 5, 5, 1, 4), 40);
  // Depthwise, as in MobileNetV2, and odd.
  testShape(shapeOf(32, 32, 32, 32, 3, 3, 1, 1, 32), 2);
  testShape(shapeOf(16, 32, 32, 16, 3, 3, 2, 1, 16), 1);
  testShape(shapeOf(144, 16, 16, 144, 3, 3, 2, 1, 144), 2);
  testShape(shapeOf(96, 8, 8, 96, 3, 3, 1, 1, 96), 3);
  testShape(shapeOf(96, 4, 4, 96, 3, 3, 1, 1, 96), 3);
  testShape(shapeOf(20, 4, 5, 20, 3, 3, 1, 1, 20), 2);
  testShape(shapeOf(21, 3, 9, 21, 3, 3, 2, 1, 21), 2);
  testShape(shapeOf(3, 7, 12, 3, 5, 3, 1, 2, 3), 2);
  testShape(shapeOf(34, 40, 70, 34, 5, 5, 2, 2, 34), 1);
  testShape(shapeOf(18, 9, 11, 18, 4, 3, 3, 1, 18), 2);
  testShape(shapeOf(7, 6, 6, 7, 1, 1, 2, 0, 7), 2);
  testShape(shapeOf(2, 1, 1, 2, 3, 3, 1, 2, 2), 1);
  testShape(shapeOf(1, 6, 9, 1, 3, 3, 1, 1, 1), 2);
  testShape(shapeOf(6, 5, 5, 6, 4, 4, 5, 3, 6), 2);
  // Other groups, some of several outputs for one input.
  testShape(shapeOf(16, 8, 8, 32, 3, 3, 1, 1, 16), 2);
  testShape(shapeOf(16, 9, 9, 8, 3, 3, 2, 1, 2), 3);
  testShape(shapeOf(15, 6, 7, 10, 3, 3, 1, 0, 5), 2);
  testShape(shapeOf(12, 6, 5, 20, 1, 1, 1, 0, 4), 2);
  testShape(shapeOf(9, 7, 7, 3, 3, 2, 2, 1, 3), 2);
  return test::finish("conv2d");
}
