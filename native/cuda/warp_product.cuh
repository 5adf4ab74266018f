// A block's product of two tiles in shared memory, added to sums in registers: on the tensor cores, or with ordinary
// multiply-adds.
#pragma once

#include "mma.cuh"

namespace rdi::cuda {

constexpr int blockThreads = 128, warps = blockThreads / 32;

// What a block may have of shared memory on the oldest GPU.
constexpr size_t mostSharedBytes = 64 * 1024;

// The sums of a tile [Rows][Columns], of which each warp has Rows / 4 whole rows. A's number (row, k) is at a[row ·
// aRow + k · aK], B's (k, column) at b[k · bK + column].
template <class Arithmetic, int Rows, int Columns>
class Sums {
  static constexpr int warpRows = Rows / warps, down = warpRows / 16, across = Columns / 8;
  static_assert(warpRows % 16 == 0 && Columns % 8 == 0);

 public:
  template <int Depth, int aRow, int aK, int bK>
  RDI_DEVICE void add(const float* a, const float* b) {
    constexpr int packed = Arithmetic::packed, half = Arithmetic::K / 2;
    const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * warpRows + lane / 4, k = lane % 4 * packed;
    RDI_UNROLL_LOOP
    for (int step = 0; step < Depth; step += Arithmetic::K) {
      uint32_t aFragment[down][4];
      RDI_UNROLL_LOOP
      for (int i = 0; i < down; i++) {
        const float* from = a + (row + i * 16) * aRow + (step + k) * aK;
        aFragment[i][0] = Arithmetic::pack(from, aK);
        aFragment[i][1] = Arithmetic::pack(from + 8 * aRow, aK);
        aFragment[i][2] = Arithmetic::pack(from + half * aK, aK);
        aFragment[i][3] = Arithmetic::pack(from + 8 * aRow + half * aK, aK);
      }
      RDI_UNROLL_LOOP
      for (int j = 0; j < across; j++) {
        const float* from = b + (step + k) * bK + j * 8 + lane / 4;
        const uint32_t bFragment[2] = {Arithmetic::pack(from, bK), Arithmetic::pack(from + half * bK, bK)};
        RDI_UNROLL_LOOP
        for (int i = 0; i < down; i++) Arithmetic::multiply(sums_[i][j], aFragment[i], bFragment);
      }
    }
  }

  // Calls visit(row, column, sum, sum at column + 1) for all that this thread has.
  template <class Visit>
  RDI_DEVICE void forEach(Visit visit) const {
    const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * warpRows + lane / 4, column = lane % 4 * 2;
    RDI_UNROLL_LOOP
    for (int i = 0; i < down; i++) {
      RDI_UNROLL_LOOP
      for (int j = 0; j < across; j++) {
        visit(row + i * 16, column + j * 8, sums_[i][j][0], sums_[i][j][1]);
        visit(row + i * 16 + 8, column + j * 8, sums_[i][j][2], sums_[i][j][3]);
      }
    }
  }

 private:
  float sums_[down][across][4] = {};
};

struct Fp32 {
  static constexpr int packed = 1;
};

// Each thread has Rows · Columns / 128 sums: some rows, far apart, of four columns.
template <int Rows, int Columns>
class Sums<Fp32, Rows, Columns> {
  static constexpr int across = Columns / 4, rowStep = blockThreads / across, down = Rows / rowStep;
  static_assert(Rows % rowStep == 0 && blockThreads % across == 0);

 public:
  template <int Depth, int aRow, int aK, int bK>
  RDI_DEVICE void add(const float* a, const float* b) {
    const int row = threadIdx.x / across, column = threadIdx.x % across * 4;
    RDI_UNROLL_LOOP
    for (int k = 0; k < Depth; k++) {
      const float4 y = *reinterpret_cast<const float4*>(b + k * bK + column);
      RDI_UNROLL_LOOP
      for (int i = 0; i < down; i++) {
        const float x = a[(row + i * rowStep) * aRow + k * aK];
        sums_[i][0] += x * y.x;
        sums_[i][1] += x * y.y;
        sums_[i][2] += x * y.z;
        sums_[i][3] += x * y.w;
      }
    }
  }

  template <class Visit>
  RDI_DEVICE void forEach(Visit visit) const {
    const int row = threadIdx.x / across, column = threadIdx.x % across * 4;
    RDI_UNROLL_LOOP
    for (int i = 0; i < down; i++) {
      visit(row + i * rowStep, column, sums_[i][0], sums_[i][1]);
      visit(row + i * rowStep, column + 2, sums_[i][2], sums_[i][3]);
    }
  }

 private:
  float sums_[down][4] = {};
};

}  // namespace rdi::cuda
