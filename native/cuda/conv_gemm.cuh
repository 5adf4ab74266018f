// Convolution as one matrix product: rows are output pixels, columns output channels, and the depth is taps × input
// channels, whose numbers are gathered into shared memory as they are needed.
#pragma once

#include "conv_pack.cuh"
#include "warp_product.cuh"

namespace rdi::cuda {

// Before compute capability 8.0 the compiler would spill registers so that three blocks have room, for whose shared
// memory there is none.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define RDI_CONV_GEMM_BOUNDS __launch_bounds__(blockThreads, 2)
#else
#define RDI_CONV_GEMM_BOUNDS __launch_bounds__(blockThreads)
#endif

template <class Arithmetic, int Rows, int Columns>
struct ConvGemm {
  static constexpr int depth = 16;
  // Not multiples of the 32 banks apart: neighbours in a fragment are then in different ones.
  static constexpr int aRow = Arithmetic::packed == 2 ? depth + 8 : depth + 4, bRow = Columns + 8;
  static constexpr int stageFloats = Rows * aRow + depth * bRow;
  static constexpr int stages = 4 * sizeof(float) * stageFloats <= mostSharedBytes ? 4 : 3;
  static constexpr size_t sharedBytes = sizeof(float) * stages * stageFloats;
  static_assert(sharedBytes <= mostSharedBytes);
};

template <class Arithmetic, int Rows, int Columns>
RDI_KERNEL void RDI_CONV_GEMM_BOUNDS convGemm(ConvArguments a) {
  using Tile = ConvGemm<Arithmetic, Rows, Columns>;
  constexpr int vectors = Tile::depth / 4, rowsAtOnce = blockThreads / vectors, rowCopies = Rows / rowsAtOnce;
  const ConvGrid& g = a.grid;
  const int32_t pixels = imagesNow(a.images) * g.rows * g.columns, firstRow = blockIdx.x * Rows;
  if (firstRow >= pixels) return;
  RDI_SHARED_MEMORY(memory);
  float* const shared = reinterpret_cast<float*>(memory);

  const int32_t firstColumn = blockIdx.y * Columns, group = blockIdx.z;
  const int32_t step = (g.width + columnStep - 1) / columnStep * columnStep;
  const int32_t inChannels = g.groups * g.depth;
  const int32_t vector = threadIdx.x % vectors * 4, copyRow = threadIdx.x / vectors;
  // Of the rows that this thread copies: the image, and the input pixel of the first tap.
  const float* image[rowCopies];
  int32_t firstY[rowCopies], firstX[rowCopies];
  RDI_UNROLL_LOOP
  for (int i = 0; i < rowCopies; i++) {
    const int32_t row = firstRow + copyRow + i * rowsAtOnce;
    const GridPixel p = gridPixel(g, row < pixels ? row : 0);
    image[i] = a.x + size_t(p.image) * g.inHeight * g.inWidth * inChannels + group * g.depth;
    // Beyond the last pixel nothing is to be found.
    firstY[i] = row < pixels ? g.offsetY + p.row * g.inStep : INT32_MIN / 2;
    firstX[i] = g.offsetX + p.column * g.inStep;
  }

  const int32_t chunks = (g.depth + Tile::depth - 1) / Tile::depth, total = g.tapsDown * g.tapsAcross * chunks;
  int32_t tapY = 0, tapX = 0, chunk = 0, copied = 0;  // what is copied next
  const auto copyNext = [&] {
    if (copied < total) {
      float* const aTile = shared + copied % Tile::stages * Tile::stageFloats;
      float* const bTile = aTile + Rows * Tile::aRow;
      const int32_t channel = chunk * Tile::depth + vector;
      RDI_UNROLL_LOOP
      for (int i = 0; i < rowCopies; i++) {
        const int32_t y = firstY[i] + g.direction * tapY, x = firstX[i] + g.direction * tapX;
        const bool there = y >= 0 && y < g.inHeight && x >= 0 && x < g.inWidth && channel < g.depth;
        const float* from = there ? image[i] + (size_t(y) * g.inWidth + x) * inChannels + channel : a.x;
        copyAsync16(aTile + (copyRow + i * rowsAtOnce) * Tile::aRow + vector, from, there);
      }
      const int32_t tap = (g.kernelY + tapY * g.kernelStep) * g.kernelWidth + g.kernelX + tapX * g.kernelStep;
      const float* weights = a.weights + (size_t(group) * g.kernelTaps + tap) * g.depth * step;
      constexpr int bVectors = Columns / 4;
      for (int i = threadIdx.x; i < Tile::depth * bVectors; i += blockThreads) {
        const int32_t k = chunk * Tile::depth + i / bVectors, column = firstColumn + i % bVectors * 4;
        const bool there = k < g.depth && column < step;
        copyAsync16(bTile + i / bVectors * Tile::bRow + i % bVectors * 4,
                    there ? weights + size_t(k) * step + column : a.weights, there);
      }
      copied++;
      if (++chunk == chunks) {
        chunk = 0;
        if (++tapX == g.tapsAcross) {
          tapX = 0;
          tapY++;
        }
      }
    }
    // Also when there is nothing left, so that the groups can be counted.
    commitCopies();
  };

  Sums<Arithmetic, Rows, Columns> sums;
  for (int i = 0; i < Tile::stages - 1; i++) copyNext();
  for (int32_t done = 0; done < total; done++) {
    awaitCopies<Tile::stages - 2>();
    // All have their copies of this stage, and have done with the one that is overwritten next.
    __syncthreads();
    copyNext();
    const float* aTile = shared + done % Tile::stages * Tile::stageFloats;
    sums.template add<Tile::depth, Tile::aRow, 1, Tile::bRow>(aTile, aTile + Rows * Tile::aRow);
  }

  // Channels come in pairs, unless their number is odd.
  const bool pairs = inPairs(g);
  sums.forEach([&](int row, int column, float left, float right) {
    const int32_t index = firstRow + row, channel = firstColumn + column;
    if (index >= pixels || channel >= g.width) return;
    const int32_t outChannel = group * g.width + channel;
    const size_t place = outputOffset(g, gridPixel(g, index)) + outChannel;
    if (pairs) {
      *reinterpret_cast<float2*>(a.y + place) = finish(a.epilogue, make_float2(left, right), place, outChannel);
    } else {
      a.y[place] = finish(a.epilogue, left, place, outChannel);
      if (channel + 1 < g.width) a.y[place + 1] = finish(a.epilogue, right, place + 1, outChannel + 1);
    }
  });
}

}  // namespace rdi::cuda
