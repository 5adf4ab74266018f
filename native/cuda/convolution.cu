#include "conv_direct.cuh"
#include "conv_gemm.cuh"
#include "conv_weight_grad.cuh"
#include "convolution.h"

namespace rdi::cuda {
namespace {

using kernels::ConvShape;

int32_t ceilDiv(int64_t a, int64_t b) { return int32_t((a + b - 1) / b); }

// Channels of a group: what is summed over, and what is made.
struct Channels {
  int32_t depth, width;
};

Channels channelsOf(const ConvShape& s, ConvPass pass) {
  const int32_t in = s.inChannels / s.groups, out = s.outChannels / s.groups;
  return pass == ConvPass::Forward ? Channels{in, out} : Channels{out, in};
}

// Whether a matrix product pays: channels are copied four at a time, and there must be some to make.
bool usesGemm(const Channels& c) { return c.depth % 4 == 0 && c.depth >= 8 && c.width >= 8; }
bool weightGradUsesGemm(const Channels& c) {
  return c.depth % 4 == 0 && c.width % 4 == 0 && c.depth >= 8 && c.width >= 8;
}

template <class Arithmetic, int Rows, int Columns>
void launchGemm(const NodeRun& run, const ConvArguments& a, int64_t pixels) {
  const dim3 grid(unsigned(ceilDiv(pixels, Rows)), unsigned(ceilDiv(a.grid.width, Columns)), unsigned(a.grid.groups));
  run.stream.launch(run.node.op->name, convGemm<Arithmetic, Rows, Columns>, grid, blockThreads, a,
                    ConvGemm<Arithmetic, Rows, Columns>::sharedBytes);
}

// Large tiles read less, small ones leave no multiprocessor idle.
template <class Arithmetic, int Columns>
void chooseRows(const NodeRun& run, const ConvArguments& a) {
  const int64_t pixels = int64_t(a.images.most) * a.grid.rows * a.grid.columns;
  const int64_t blocks = int64_t(ceilDiv(pixels, 128)) * ceilDiv(a.grid.width, Columns) * a.grid.groups;
  if (blocks >= 2 * run.device.multiprocessors) {
    launchGemm<Arithmetic, 128, Columns>(run, a, pixels);
  } else {
    launchGemm<Arithmetic, 64, Columns>(run, a, pixels);
  }
}

template <class Arithmetic>
void chooseColumns(const NodeRun& run, const ConvArguments& a) {
  if (a.grid.width <= 16) {
    chooseRows<Arithmetic, 16>(run, a);
  } else if (a.grid.width <= 32) {
    chooseRows<Arithmetic, 32>(run, a);
  } else {
    chooseRows<Arithmetic, 64>(run, a);
  }
}

template <class Visit>
void withArithmetic(int32_t precision, Visit visit) {
  switch (precision) {
    case RDI_TF32:
      return visit(Tf32{});
    case RDI_FP16:
      return visit(Fp16{});
    case RDI_BF16:
      return visit(Bf16{});
    default:
      return visit(Fp32{});
  }
}

void launchConv(const NodeRun& run, const ConvArguments& a, bool exact) {
  const ConvGrid& g = a.grid;
  const int64_t pixels = int64_t(a.images.most) * g.rows * g.columns;
  if (usesGemm({g.depth, g.width})) {
    withArithmetic(exact ? RDI_FP32 : run.device.precision,
                   [&](auto arithmetic) { chooseColumns<decltype(arithmetic)>(run, a); });
  } else if (g.groups == 1 && g.width % 4 == 0) {
    run.launch(convDirect4, pixels * (g.width / 4), a);
  } else {
    run.launch(convDirect, pixels * g.groups * g.width, a);
  }
}

// The pixels are shared out among blocks so that all multiprocessors are busy, but sums stay short.
struct Parts {
  int32_t count, pixels;
};

// The most parts that this many images, or fewer, are cut into.
int64_t mostParts(const ConvShape& s, const Device& device, int32_t images) {
  const Channels c = channelsOf(s, ConvPass::Forward);
  const bool gemm = weightGradUsesGemm(c);
  const int32_t taps = s.kernelHeight * s.kernelWidth;
  const int64_t pixels = int64_t(images) * s.outHeight * s.outWidth;
  const int64_t blocks = gemm ? int64_t(ceilDiv(int64_t(taps) * c.depth, 64)) * ceilDiv(c.width, 64) * s.groups
                              : ceilDiv(int64_t(taps) * c.depth * s.outChannels, blockThreads);
  constexpr int64_t fewest = 128, most = 8192;
  int64_t wanted = ceilDiv(int64_t(device.multiprocessors) * 4, blocks);
  if (wanted < ceilDiv(pixels, most)) wanted = ceilDiv(pixels, most);
  return wanted < ceilDiv(pixels, fewest) ? wanted : ceilDiv(pixels, fewest);
}

Parts partsOf(const ConvShape& s, const Device& device, int32_t images) {
  const int64_t pixels = int64_t(images) * s.outHeight * s.outWidth, wanted = mostParts(s, device, images);
  // A multiple of what a block takes at once.
  const int32_t partPixels = ceilDiv(ceilDiv(pixels, wanted), 16) * 16;
  return {ceilDiv(pixels, partPixels), partPixels};
}

size_t weightsOf(const ConvShape& s) {
  return size_t(s.outChannels) * size_t(s.inChannels / s.groups) * size_t(s.kernelHeight * s.kernelWidth);
}

template <class Arithmetic, int Columns>
void launchWeightGrad(const NodeRun& run, const WeightGradArguments& a) {
  using Tile = WeightGradGemm<Arithmetic, Columns>;
  const ConvGrid& g = a.grid;
  const dim3 grid(unsigned(a.parts * ceilDiv(int64_t(g.kernelTaps) * g.depth, Tile::rows)),
                  unsigned(ceilDiv(g.width, Columns)), unsigned(g.groups));
  run.stream.launch(run.node.op->name, weightGradGemm<Arithmetic, Columns>, grid, blockThreads, a, Tile::sharedBytes);
}

}  // namespace

size_t packedFloats(const ConvShape& s, ConvPass pass) {
  const Channels c = channelsOf(s, pass);
  const size_t rows = size_t(s.kernelHeight * s.kernelWidth) * size_t(c.depth) * size_t(s.groups);
  return rows * size_t(usesGemm(c) ? paddedWidth(c.width) : c.width);
}

void packWeights(const NodeRun& run, const ConvShape& s, ConvPass pass, float* packed) {
  const Channels c = channelsOf(s, pass);
  const bool grouped = usesGemm(c);
  const auto total = int32_t(packedFloats(s, pass));
  run.launch(packWeightsKernel, total,
             PackArguments{.weights = run.in(1),
                           .packed = packed,
                           .groups = s.groups,
                           .taps = s.kernelHeight * s.kernelWidth,
                           .depth = c.depth,
                           .width = c.width,
                           .step = grouped ? paddedWidth(c.width) : c.width * s.groups,
                           .grouped = grouped,
                           .transposed = pass == ConvPass::InputGrad,
                           .total = total});
}

void convolve(const NodeRun& run, const ConvShape& s, ConvPass pass, const float* x, const ConvEpilogue& epilogue,
              bool exact, float* y) {
  ConvArguments a = {run.images, {}, x, run.node.packed, epilogue, y};
  if (pass == ConvPass::Forward) {
    a.grid = forwardGrid(s);
    return launchConv(run, a, exact);
  }
  for (int32_t top = 0; top < s.stride && top < s.inHeight; top++) {
    for (int32_t left = 0; left < s.stride && left < s.inWidth; left++) {
      a.grid = inputGradGrid(s, top, left);
      launchConv(run, a, exact);
    }
  }
}

size_t weightGradScratchFloats(const ConvShape& s, const Device& device, int32_t images) {
  return size_t(mostParts(s, device, images)) * weightsOf(s);
}

void accumulateWeightGrad(const NodeRun& run, const ConvShape& s, const float* x, const float* dy, bool exact) {
  const Channels c = channelsOf(s, ConvPass::Forward);
  const bool gemm = weightGradUsesGemm(c);
  const Parts parts = partsOf(s, run.device, run.images.most);
  const WeightGradArguments a = {run.images.most, forwardGrid(s), x, dy, parts.count, parts.pixels, run.scratch};
  if (gemm) {
    withArithmetic(exact ? RDI_FP32 : run.device.precision, [&](auto arithmetic) {
      using Arithmetic = decltype(arithmetic);
      if (c.width <= 16) {
        launchWeightGrad<Arithmetic, 16>(run, a);
      } else if (c.width <= 32) {
        launchWeightGrad<Arithmetic, 32>(run, a);
      } else {
        launchWeightGrad<Arithmetic, 64>(run, a);
      }
    });
  } else {
    const dim3 grid(unsigned(ceilDiv(int64_t(weightsOf(s)), blockThreads)), unsigned(parts.count));
    run.stream.launch(run.node.op->name, weightGradDirect, grid, blockThreads, a);
  }
  run.launch(weightGradFold, int64_t(weightsOf(s)),
             WeightGradFoldArguments{run.scratch, parts.count, s.groups, s.kernelHeight * s.kernelWidth, c.depth,
                                     c.width, gemm, run.accumulator});
}

void finishWeightGrad(const NodeRun& run) { run.stream.copy(run.out(), run.accumulator, run.outputValue().bytes()); }

}  // namespace rdi::cuda
