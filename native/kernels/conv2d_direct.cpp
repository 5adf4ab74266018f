// Direct convolution as an implicit matrix product: with NHWC, the part of a window that lies in one input row is one contiguous run of
// kernelWidth · channels floats, so that no column matrix is needed.
#include "conv2d_internal.h"
#include "gemm.h"

namespace rdi::kernels {

void padImage(const float* x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t bottom, int32_t left,
              int32_t right, float* padded) {
  const size_t row = size_t(width) * channels, paddedRow = size_t(left + width + right) * channels;
  const size_t before = size_t(left) * channels, after = size_t(right) * channels;
  __builtin_memset(padded, 0, top * paddedRow * sizeof(float));
  padded += top * paddedRow;
  for (int32_t y = 0; y < height; y++) {
    __builtin_memset(padded, 0, before * sizeof(float));
    __builtin_memcpy(padded + before, x, row * sizeof(float));
    __builtin_memset(padded + before + row, 0, after * sizeof(float));
    padded += paddedRow;
    x += row;
  }
  __builtin_memset(padded, 0, bottom * paddedRow * sizeof(float));
}

namespace direct {
namespace {

int32_t windowFloats(const ConvShape& s) { return s.kernelHeight * s.kernelWidth * s.inChannels; }

// The runs of a window are too short for the matrix product's inner loop (a stem with one or three channels): windows are copied
// into rows of their own.
bool copiesWindows(const ConvShape& s) { return s.kernelHeight > 1 && s.kernelWidth * s.inChannels < 12; }

size_t paddedFloats(const ConvShape& s) {
  if (s.padding == 0) return 0;
  return alignFloats(size_t(s.inHeight + 2 * s.padding) * (s.inWidth + 2 * s.padding) * s.inChannels);
}

// The image with its borders: itself if it needs none.
const float* withBorders(const ConvShape& s, const float* x, float* scratch) {
  if (s.padding == 0) return x;
  padImage(x, s.inHeight, s.inWidth, s.inChannels, s.padding, s.padding, s.padding, s.padding, scratch);
  return scratch;
}

size_t windowsFloats(const ConvShape& s) {
  return copiesWindows(s) ? alignFloats(size_t(s.outHeight) * s.outWidth * windowFloats(s)) : 0;
}

void copyWindows(const ConvShape& s, const float* image, float* windows) {
  const int32_t run = s.kernelWidth * s.inChannels, step = s.stride * s.inChannels;
  const ptrdiff_t row = ptrdiff_t(s.inWidth + 2 * s.padding) * s.inChannels;
  for (int32_t y = 0; y < s.outHeight; y++) {
    for (int32_t x = 0; x < s.outWidth; x++) {
      const float* window = image + y * s.stride * row + x * step;
      for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
        for (int32_t i = 0; i < run; i++) *windows++ = window[i];
        window += row;
      }
    }
  }
}

}  // namespace

size_t packedFloats(const ConvShape& s) { return kernels::packedFloats(windowFloats(s), s.outChannels); }

void pack(const ConvShape& s, const float* weight, float* packed) {
  const int32_t run = s.kernelWidth * s.inChannels;
  packMatrix(windowFloats(s), s.outChannels, packed, [&](int32_t k, int32_t o) {
    return weight[weightIndex(s, o, k % s.inChannels, k / run, k % run / s.inChannels)];
  });
}

size_t scratchFloats(const ConvShape& s) { return paddedFloats(s) + windowsFloats(s); }

void forward(const ConvShape& s, int32_t images, const float* x, const float* packed, const Epilogue& epilogue, float* y,
             float* scratch) {
  const int32_t pixels = s.outHeight * s.outWidth;
  const ptrdiff_t inRow = ptrdiff_t(s.inWidth + 2 * s.padding) * s.inChannels;
  for (int32_t image = 0; image < images; image++) {
    const float* input = withBorders(s, x + image * inFloats(s), scratch);
    const size_t offset = image * outFloats(s);
    const Epilogue e = shifted(epilogue, offset);
    if (copiesWindows(s)) {
      float* windows = scratch + paddedFloats(s);
      copyWindows(s, input, windows);
      const RowGrid grid{pixels, pixels, windowFloats(s), 0, s.outChannels, 0};
      multiply(grid, windows, Runs{1, windowFloats(s), 0}, packed, s.outChannels, e, y + offset);
    } else {
      const RowGrid grid{pixels,        s.outWidth, ptrdiff_t(s.stride) * s.inChannels, s.stride * inRow,
                         s.outChannels, ptrdiff_t(s.outWidth) * s.outChannels};
      const Runs runs{s.kernelHeight, s.kernelWidth * s.inChannels, inRow};
      multiply(grid, input, runs, packed, s.outChannels, e, y + offset);
    }
  }
}

// ---- weight gradient: accumulator [kh][kw][in][out] ----

size_t weightGradAccumulatorFloats(const ConvShape& s) { return size_t(windowFloats(s)) * s.outChannels; }

size_t weightGradScratchFloats(const ConvShape& s) { return paddedFloats(s) + windowsFloats(s); }

void weightGradAccumulate(const ConvShape& s, int32_t images, const float* x, const float* dy, float* accumulator,
                          float* scratch) {
  const int32_t run = s.kernelWidth * s.inChannels, outRow = s.outWidth * s.outChannels;
  const ptrdiff_t inRow = ptrdiff_t(s.inWidth + 2 * s.padding) * s.inChannels;
  // Output rows at a time, so that the strips of x and dy that every register tile reads stay in the first-level cache.
  const int32_t stripFloats = 6 * 1024;
  int32_t strip = int32_t(stripFloats / (s.stride * inRow + outRow));
  strip = strip < 1 ? 1 : strip;
  for (int32_t image = 0; image < images; image++) {
    const float* input = withBorders(s, x + image * inFloats(s), scratch);
    const float* gradient = dy + image * outFloats(s);
    if (copiesWindows(s)) {
      float* windows = scratch + paddedFloats(s);
      copyWindows(s, input, windows);
      const OuterGrid grid{1, s.outHeight * s.outWidth, windowFloats(s), 0, s.outChannels, 0};
      accumulateOuter(grid, windows, windowFloats(s), gradient, s.outChannels, accumulator, s.outChannels);
      continue;
    }
    for (int32_t y = 0; y < s.outHeight; y += strip) {
      const int32_t rows = s.outHeight - y < strip ? s.outHeight - y : strip;
      const OuterGrid grid{rows, s.outWidth, ptrdiff_t(s.stride) * s.inChannels, s.stride * inRow, s.outChannels, outRow};
      for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
        accumulateOuter(grid, input + (y * s.stride + kh) * inRow, run, gradient + ptrdiff_t(y) * outRow, s.outChannels,
                        accumulator + size_t(kh) * run * s.outChannels, s.outChannels);
      }
    }
  }
}

void weightGradFinish(const ConvShape& s, const float* const* accumulators, int32_t count, float* dw) {
  size_t from = 0;
  for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
    for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
      for (int32_t c = 0; c < s.inChannels; c++) {
        for (int32_t o = 0; o < s.outChannels; o++, from++) {
          float sum = 0;
          for (int32_t i = 0; i < count; i++) sum += accumulators[i][from];
          dw[weightIndex(s, o, c, kh, kw)] = sum;
        }
      }
    }
  }
}

}  // namespace direct
}  // namespace rdi::kernels
