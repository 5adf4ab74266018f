// Weight gradient of a depthwise convolution: accumulator [block][kh][kw][blockChannels] += Σ x·dy. A register tile is
// the sums of some taps of the kernel, over all pixels of a strip.
#include "conv2d_depthwise.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// The pixels that a tile sums over: `rows` times `length` of them; floats between neighbours.
struct Pixels {
  int32_t rows, length;
  ptrdiff_t xStep, xRow;  // in the strip
  ptrdiff_t dyStep, dyRow;
};

// sums[i][j] += Σ_pixels x[pixel + (i, j)]·dy[pixel], for Rows × Columns taps and V vectors of channels.
template <int Rows, int Columns, int V>
void accumulateTaps(const Pixels grid, const float* x, ptrdiff_t stripRow, const float* dy, float* sums,
                    ptrdiff_t sumsRow) {
  vf acc[Rows][Columns][V];
  RDI_UNROLL for (int i = 0; i < Rows; i++) {
    RDI_UNROLL for (int j = 0; j < Columns; j++) {
      RDI_UNROLL for (int v = 0; v < V; v++) acc[i][j][v] = load(sums + i * sumsRow + j * blockChannels + v * VL);
    }
  }
  for (int32_t row = 0; row < grid.rows; row++) {
    const float* rowOf[Rows];
    RDI_UNROLL for (int i = 0; i < Rows; i++) rowOf[i] = x + row * grid.xRow + i * stripRow;
    const float* gradient = dy + row * grid.dyRow;
    const float* const end = gradient + grid.length * grid.dyStep;
    RDI_NO_UNROLL for (; gradient != end; gradient += grid.dyStep) {
      vf value[V];
      RDI_UNROLL for (int v = 0; v < V; v++) value[v] = load(gradient + v * VL);
      RDI_UNROLL for (int i = 0; i < Rows; i++) {
        RDI_UNROLL for (int j = 0; j < Columns; j++) {
          RDI_UNROLL for (int v = 0; v < V; v++) {
            acc[i][j][v] = madd(load(rowOf[i] + j * blockChannels + v * VL), value[v], acc[i][j][v]);
          }
        }
        rowOf[i] += grid.xStep;
      }
    }
  }
  RDI_UNROLL for (int i = 0; i < Rows; i++) {
    RDI_UNROLL for (int j = 0; j < Columns; j++) {
      RDI_UNROLL for (int v = 0; v < V; v++) store(sums + i * sumsRow + j * blockChannels + v * VL, acc[i][j][v]);
    }
  }
}

// Columns of the strip: no more than the windows meet.
int32_t stripWidth(const ConvShape& s) { return forwardColumns(s).reach(s.outWidth); }

// dy of one block, as a strip: where its vectors would reach into the next pixel.
Axis copied(int32_t size) { return {size, 0, 1, 1, size}; }

size_t xFloats(const ConvShape& s) { return stripFloats(forwardRows(s), stripWidth(s)); }

}  // namespace

template <>
size_t ConvWeightGrad<Depthwise>::accumulatorFloats(const ConvShape& s) {
  return depthwiseFloats(s.inChannels, s.kernelHeight * s.kernelWidth);
}

template <>
size_t ConvWeightGrad<Depthwise>::scratchFloats(const ConvShape& s, int32_t) {
  const size_t dyFloats = size_t(stripRows(forwardRows(s), stripWidth(s))) * s.outWidth * blockChannels;
  return xFloats(s) + (s.inChannels % blockChannels == 0 ? 0 : alignFloats(dyFloats));
}

template <>
void ConvWeightGrad<Depthwise>::accumulate(const ConvShape& s, int32_t images, const float* x, const float* dy,
                                           float* accumulator, float* scratch) {
  const Axis rows = forwardRows(s), columns = forwardColumns(s);
  const int32_t width = stripWidth(s), most = stripRows(rows, width);
  const ptrdiff_t stripRow = ptrdiff_t(width) * blockChannels, kernelRow = ptrdiff_t(s.kernelWidth) * blockChannels;
  float* const dyStrip = scratch + xFloats(s);
  for (int32_t image = 0; image < images; image++) {
    float* sums = accumulator;
    for (int32_t channel = 0; channel < s.inChannels; channel += blockChannels) {
      const int32_t lanes = s.inChannels - channel;
      for (int32_t y = 0; y < s.outHeight; y += most) {
        const int32_t count = s.outHeight - y < most ? s.outHeight - y : most;
        gatherStrip(rows, columns, y, count, width, x + image * inFloats(s) + channel, s.inChannels, lanes, scratch);
        const float* gradient = dy + image * outFloats(s) + channel;
        Pixels grid{count,
                    s.outWidth,
                    ptrdiff_t(s.stride) * blockChannels,
                    s.stride * stripRow,
                    s.outChannels,
                    ptrdiff_t(s.outWidth) * s.outChannels};
        if (lanes < blockChannels) {
          gatherStrip(copied(s.outHeight), copied(s.outWidth), y, count, s.outWidth, gradient, s.outChannels, lanes,
                      dyStrip);
          gradient = dyStrip;
          grid.dyStep = blockChannels;
          grid.dyRow = ptrdiff_t(s.outWidth) * blockChannels;
        } else {
          gradient += y * grid.dyRow;
        }
        if (s.kernelHeight == 3 && s.kernelWidth == 3) {
          for (int32_t lane = 0; lane < blockChannels && lane < lanes; lane += VL) {
            accumulateTaps<3, 3, 1>(grid, scratch + lane, stripRow, gradient + lane, sums + lane, kernelRow);
          }
        } else {
          for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
            for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
              accumulateTaps<1, 1, blockVectors>(grid, scratch + kh * stripRow + kw * blockChannels, stripRow, gradient,
                                                 sums + kh * kernelRow + kw * blockChannels, kernelRow);
            }
          }
        }
      }
      sums += s.kernelHeight * kernelRow;
    }
  }
}

template <>
void ConvWeightGrad<Depthwise>::finish(const ConvShape& s, const float* const* accumulators, int32_t count, float* dw) {
  const int32_t taps = s.kernelHeight * s.kernelWidth;
  for (int32_t c = 0; c < s.inChannels; c++) {
    const size_t block = size_t(c / blockChannels) * taps * blockChannels + c % blockChannels;
    for (int32_t tap = 0; tap < taps; tap++) {
      float sum = 0;
      for (int32_t i = 0; i < count; i++) sum += accumulators[i][block + size_t(tap) * blockChannels];
      *dw++ = sum;
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
