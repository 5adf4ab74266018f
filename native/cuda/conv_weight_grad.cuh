// Weight gradients: sums over the pixels of all images. Every block has a part of the pixels, and the parts' sums are
// added in their order, so that a result does not depend on which block was first.
#pragma once

#include "conv_device.cuh"
#include "warp_product.cuh"

namespace rdi::cuda {

struct WeightGradArguments {
  int32_t images;
  ConvGrid grid;  // of the forward pass
  const float* x;
  const float* dy;
  int32_t parts, partPixels;
  float* sums;  // [part][group][tap][in channel][out channel], or without groups' order [part][tap][in channel][all out
                // channels]
};

template <class Arithmetic, int Columns>
struct WeightGradGemm {
  static constexpr int rows = 64, depth = 16, stages = 4;
  static constexpr int aK = rows + 8, bK = Columns + 8;
  static constexpr int stageFloats = depth * (aK + bK);
  static constexpr size_t sharedBytes = sizeof(float) * stages * stageFloats;
  static_assert(sharedBytes <= mostSharedBytes);
};

// A product whose rows are taps × input channels, whose columns are output channels, and whose depth are pixels.
// Blocks: x rows of all parts, y columns, z groups.
template <class Arithmetic, int Columns>
RDI_KERNEL void __launch_bounds__(blockThreads) weightGradGemm(WeightGradArguments a) {
  using Tile = WeightGradGemm<Arithmetic, Columns>;
  const ConvGrid& g = a.grid;
  const int32_t totalRows = g.kernelTaps * g.depth, rowBlocks = (totalRows + Tile::rows - 1) / Tile::rows;
  const int32_t part = blockIdx.x / rowBlocks, firstRow = blockIdx.x % rowBlocks * Tile::rows;
  const int32_t firstColumn = blockIdx.y * Columns, group = blockIdx.z;
  const int32_t inChannels = g.groups * g.depth, outChannels = g.groups * g.width;
  const int32_t pixels = a.images * g.rows * g.columns, firstPixel = part * a.partPixels;
  const int32_t left = pixels - firstPixel, count = left < a.partPixels ? left : a.partPixels;
  RDI_SHARED_MEMORY(memory);
  float* const shared = reinterpret_cast<float*>(memory);

  // The four rows that this thread copies are channels of one tap.
  constexpr int vectors = Tile::rows / 4, pixelsAtOnce = blockThreads / vectors, bVectors = Columns / 4;
  const int32_t vector = threadIdx.x % vectors * 4, row = firstRow + vector;
  const int32_t tap = row / g.depth, tapY = tap / g.kernelWidth, tapX = tap % g.kernelWidth, channel = row % g.depth;

  int32_t copied = 0;
  const int32_t total = (count + Tile::depth - 1) / Tile::depth;
  const auto copyNext = [&] {
    if (copied < total) {
      float* const aTile = shared + copied % Tile::stages * Tile::stageFloats;
      float* const bTile = aTile + Tile::depth * Tile::aK;
      RDI_UNROLL_LOOP
      for (int i = 0; i < Tile::depth / pixelsAtOnce; i++) {
        const int32_t k = threadIdx.x / vectors + i * pixelsAtOnce, pixel = copied * Tile::depth + k;
        const GridPixel p = gridPixel(g, firstPixel + (pixel < count ? pixel : 0));
        const int32_t y = g.offsetY + p.row * g.inStep + tapY, x = g.offsetX + p.column * g.inStep + tapX;
        const bool there = pixel < count && row < totalRows && y >= 0 && y < g.inHeight && x >= 0 && x < g.inWidth;
        const size_t from =
            ((size_t(p.image) * g.inHeight + y) * g.inWidth + x) * inChannels + group * g.depth + channel;
        copyAsync16(aTile + k * Tile::aK + vector, there ? a.x + from : a.x, there);
      }
      for (int i = threadIdx.x; i < Tile::depth * bVectors; i += blockThreads) {
        const int32_t k = i / bVectors, pixel = copied * Tile::depth + k, column = firstColumn + i % bVectors * 4;
        const bool there = pixel < count && column < g.width;
        const size_t from = size_t(firstPixel + pixel) * outChannels + group * g.width + column;
        copyAsync16(bTile + k * Tile::bK + i % bVectors * 4, there ? a.dy + from : a.dy, there);
      }
      copied++;
    }
    commitCopies();
  };

  Sums<Arithmetic, Tile::rows, Columns> sums;
  for (int i = 0; i < Tile::stages - 1; i++) copyNext();
  for (int32_t done = 0; done < total; done++) {
    awaitCopies<Tile::stages - 2>();
    __syncthreads();
    copyNext();
    const float* aTile = shared + done % Tile::stages * Tile::stageFloats;
    sums.template add<Tile::depth, 1, Tile::aK, Tile::bK>(aTile, aTile + Tile::depth * Tile::aK);
  }

  float* to = a.sums + (size_t(part) * g.groups + group) * totalRows * g.width;
  sums.forEach([&](int r, int c, float left, float right) {
    const int32_t at = firstRow + r, column = firstColumn + c;
    if (at >= totalRows || column >= g.width) return;
    to[size_t(at) * g.width + column] = left;
    to[size_t(at) * g.width + column + 1] = right;
  });
}

// Few channels: every thread sums one weight. Blocks: x weights, y parts.
RDI_KERNEL void weightGradDirect(WeightGradArguments a) {
  const ConvGrid& g = a.grid;
  const int32_t outChannels = g.groups * g.width, inChannels = g.groups * g.depth;
  const int32_t weights = g.kernelTaps * g.depth * outChannels, i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= weights) return;
  const int32_t out = i % outChannels, row = i / outChannels, tap = row / g.depth;
  const int32_t in = out / g.width * g.depth + row % g.depth;
  const int32_t pixels = a.images * g.rows * g.columns, first = blockIdx.y * a.partPixels;
  const int32_t end = first + a.partPixels < pixels ? first + a.partPixels : pixels;
  const int32_t shiftY = g.offsetY + tap / g.kernelWidth, shiftX = g.offsetX + tap % g.kernelWidth;
  float sum = 0;
  GridPixel p = gridPixel(g, first);
  for (int32_t pixel = first; pixel < end; pixel++) {
    const int32_t y = p.row * g.inStep + shiftY, x = p.column * g.inStep + shiftX;
    if (y >= 0 && y < g.inHeight && x >= 0 && x < g.inWidth) {
      sum += a.x[((size_t(p.image) * g.inHeight + y) * g.inWidth + x) * inChannels + in] *
             a.dy[size_t(pixel) * outChannels + out];
    }
    if (++p.column == g.columns) {
      p.column = 0;
      if (++p.row == g.rows) {
        p.row = 0;
        p.image++;
      }
    }
  }
  a.sums[size_t(blockIdx.y) * weights + i] = sum;
}

struct WeightGradFoldArguments {
  const float* sums;
  int32_t parts, groups, taps, depth, width;
  bool grouped;
  float* dw;  // [O,C/groups,K,K], which the sums are added to
};

RDI_KERNEL void weightGradFold(WeightGradFoldArguments a) {
  const int32_t outChannels = a.groups * a.width, weights = a.taps * a.depth * outChannels;
  for (int32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < weights; i += gridDim.x * blockDim.x) {
    float sum = 0;
    for (int32_t part = 0; part < a.parts; part++) sum += a.sums[size_t(part) * weights + i];
    const int32_t columns = a.grouped ? a.width : outChannels;
    int32_t row = i / columns, out = i % columns;
    if (a.grouped) {
      const int32_t group = row / (a.taps * a.depth);
      row -= group * a.taps * a.depth;
      out += group * a.width;
    }
    a.dw[(size_t(out) * a.depth + row % a.depth) * a.taps + row / a.depth] += sum;
  }
}

}  // namespace rdi::cuda
