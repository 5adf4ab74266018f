// Depthwise convolution, forward and input gradient: each result is the sum of its window's products within one
// channel. A register tile is a few neighbouring results of a row; each step of the inner loop multiplies all of them
// by one weight.
#include "conv2d_depthwise.h"

#include "conv2d_input_grad.h"
#include "store_tile.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Neighbouring results of a row in a register tile: with more, the epilogue spills, and short rows leave them empty.
constexpr int32_t tileResults = 4;

// Columns of a strip: what the last tile of a row reads, also beyond the row's last result.
int32_t stripWidth(const Axis& columns) {
  return columns.reach(columns.stride > 2 ? columns.results : roundUp(columns.results, tileResults));
}

// The results of a call: those of a class are some floats apart.
struct Results {
  float* y;  // the first one, channel 0
  ptrdiff_t pixel, row;
  int32_t channels;
};

// Of a block: its strip of inputs, its weights, and the channels that are left.
struct Block {
  const float* strip;
  ptrdiff_t stripRow;
  const float* weights;
  int32_t channel, lanes;
};

// acc[t] += the window of result t, Stride pixels from that of result t − 1; Columns taps wide, or any number where
// that is 0. With a known number each input is loaded once, for all of the windows that it is in.
template <int T, int Stride, int Columns>
RDI_INLINE void depthwiseTile(const float* x, ptrdiff_t row, int32_t rowTaps, int32_t columnTaps, const float* weight,
                              vf (&acc)[T][1]) {
  RDI_NO_UNROLL for (; rowTaps > 0; rowTaps--) {
    if constexpr (Columns > 0) {
      vf w[Columns];
      RDI_UNROLL for (int k = 0; k < Columns; k++) w[k] = load(weight + k * blockChannels);
      RDI_UNROLL for (int t = 0; t < T; t++) {
        RDI_UNROLL for (int k = 0; k < Columns; k++) {
          acc[t][0] = madd(load(x + (t * Stride + k) * blockChannels), w[k], acc[t][0]);
        }
      }
      weight += Columns * blockChannels;
    } else {
      const float* tap = x;
      const float* const end = x + ptrdiff_t(columnTaps) * blockChannels;
      RDI_NO_UNROLL for (; tap != end; tap += blockChannels) {
        const vf w = load(weight);
        weight += blockChannels;
        RDI_UNROLL for (int t = 0; t < T; t++) acc[t][0] = madd(load(tap + t * Stride * blockChannels), w, acc[t][0]);
      }
    }
    x += row;
  }
}

// `count` rows of results of one block.
template <int T, int Stride, int Columns>
void depthwiseRows(const Axis& rowAxis, const Axis& columnAxis, const Block& b, int32_t count, const Epilogue& e,
                   const Results& results) {
  // Locals, which no store can change.
  const Axis rows = rowAxis, columns = columnAxis;
  const Block block = b;
  const Epilogue epilogue = e;
  const Results to = results;
  for (int32_t y = 0; y < count; y++) {
    const float* input = block.strip + ptrdiff_t(y) * rows.stride * block.stripRow;
    for (int32_t lane = 0; lane < block.lanes && lane < blockChannels; lane += VL) {
      for (int32_t x = 0; x < columns.results; x += T) {
        vf acc[T][1] = {};
        depthwiseTile<T, Stride, Columns>(input + ptrdiff_t(x) * columns.stride * blockChannels + lane, block.stripRow,
                                          rows.taps, columns.taps, block.weights + lane, acc);
        const int32_t column = block.channel + lane;
        const int32_t stored = columns.results - x < T ? columns.results - x : T;
        ptrdiff_t offset[T];
        RDI_UNROLL for (int t = 0; t < T; t++) offset[t] = y * to.row + (x + t) * to.pixel + column;
        if (block.lanes - lane >= VL) {
          storeTile<T, 1>(acc, epilogue, offset, StoredRows{0, stored}, column, to.y);
        } else {
          float values[T][VL];
          RDI_UNROLL for (int t = 0; t < T; t++) store(values[t], acc[t][0]);
          storePartialTile<T, 1>(values, epilogue, offset, stored, column, block.lanes - lane, to.y);
        }
      }
    }
  }
}

auto rowsKernel(const Axis& columns) {
  switch (columns.stride) {
    case 1:
      return columns.taps == 3   ? depthwiseRows<tileResults, 1, 3>
             : columns.taps == 2 ? depthwiseRows<tileResults, 1, 2>
                                 : depthwiseRows<tileResults, 1, 0>;
    case 2:
      return columns.taps == 3 ? depthwiseRows<tileResults, 2, 3> : depthwiseRows<tileResults, 2, 0>;
    default:
      return depthwiseRows<1, 1, 0>;
  }
}

// The results of one image, or of a class of them; a share of the blocks of channels.
void depthwise(const Axis& rows, const Axis& columns, const float* x, const float* packed, const Epilogue& e,
               const Results& results, float* strip, Share share) {
  const int32_t width = stripWidth(columns), most = stripRows(rows, width);
  const auto run = rowsKernel(columns);
  const size_t blockFloats = size_t(rows.taps) * columns.taps * blockChannels;
  const int32_t blocks = ceilDiv(results.channels, blockChannels);
  for (int32_t i = share.begin(blocks); i < share.end(blocks); i++) {
    const int32_t channel = i * blockChannels, lanes = results.channels - channel;
    const Block block{strip, ptrdiff_t(width) * blockChannels, packed + i * blockFloats, channel, lanes};
    for (int32_t y = 0; y < rows.results; y += most) {
      const int32_t count = rows.results - y < most ? rows.results - y : most;
      gatherStrip(rows, columns, y, count, width, x + channel, results.channels, lanes, strip);
      Results to = results;
      to.y += y * results.row;
      run(rows, columns, block, count, shifted(e, size_t(y * results.row)), to);
    }
  }
}

// Packs weights [channel][kernelHeight][kernelWidth] as [block][row tap][column tap][blockChannels], given which tap of
// the kernel each of them is.
template <class TapOf>
void packTaps(const ConvShape& s, int32_t rowTaps, int32_t columnTaps, const float* weight, float* packed,
              TapOf tapOf) {
  const int32_t kernel = s.kernelHeight * s.kernelWidth;
  for (int32_t first = 0; first < s.inChannels; first += blockChannels) {
    for (int32_t row = 0; row < rowTaps; row++) {
      for (int32_t column = 0; column < columnTaps; column++) {
        const int32_t tap = tapOf(row, column);
        for (int32_t c = first; c < first + blockChannels; c++) {
          *packed++ = c < s.inChannels ? weight[size_t(c) * kernel + tap] : 0.0f;
        }
      }
    }
  }
}

template <class Visit>
size_t forEachClass(const ConvShape& s, Visit visit) {
  const auto packedOf = [&](int32_t rowTaps, int32_t columnTaps) {
    return depthwiseFloats(s.inChannels, rowTaps * columnTaps);
  };
  return kernels::forEachClass(s, packedOf, visit);
}

Axis axisOf(const Line& l, int32_t outSize) { return {outSize, l.start, 1, l.taps, l.count}; }

}  // namespace

void gatherStrip(const Axis& rows, const Axis& columns, int32_t first, int32_t count, int32_t width, const float* x,
                 int32_t channels, int32_t lanes, float* strip) {
  const int32_t from = columns.start < 0 ? 0 : columns.start;
  const int32_t to = columns.size < columns.start + width ? columns.size : columns.start + width;
  const int32_t top = rows.start + first * rows.stride, bottom = top + rows.reach(count);
  for (int32_t row = top; row < bottom; row++) {
    float* const rowEnd = strip + ptrdiff_t(width) * blockChannels;
    if (row >= 0 && row < rows.size && from < to) {
      const float* pixel = x + (ptrdiff_t(row) * columns.size + from) * channels;
      float* const begin = strip + ptrdiff_t(from - columns.start) * blockChannels;
      float* const end = strip + ptrdiff_t(to - columns.start) * blockChannels;
      for (; strip != begin; strip += VL) store(strip, zero());
      if (lanes >= blockChannels) {
        RDI_NO_UNROLL for (; strip != end; strip += blockChannels, pixel += channels) {
          RDI_UNROLL for (int v = 0; v < blockVectors; v++) store(strip + v * VL, load(pixel + v * VL));
        }
      } else {
        for (; strip != end; strip += blockChannels, pixel += channels) {
          for (int32_t c = 0; c < blockChannels; c += VL) {
            store(strip + c, c < lanes ? loadLanes(pixel + c, size_t(lanes - c)) : zero());
          }
        }
      }
    }
    for (; strip != rowEnd; strip += VL) store(strip, zero());
  }
}

template <>
size_t ConvForward<Depthwise>::packedFloats(const ConvShape& s) {
  return depthwiseFloats(s.inChannels, s.kernelHeight * s.kernelWidth);
}

template <>
void ConvForward<Depthwise>::pack(const ConvShape& s, const float* weight, float* packed) {
  packTaps(s, s.kernelHeight, s.kernelWidth, weight, packed,
           [&](int32_t row, int32_t column) { return row * s.kernelWidth + column; });
}

template <>
size_t ConvForward<Depthwise>::scratchFloats(const ConvShape& s, int32_t) {
  return stripFloats(forwardRows(s), stripWidth(forwardColumns(s)));
}

template <>
void ConvForward<Depthwise>::run(const ConvShape& s, int32_t images, const float* x, const float* packed,
                                 const Epilogue& epilogue, float* y, float* scratch, Share share) {
  const Axis rows = forwardRows(s), columns = forwardColumns(s);
  for (int32_t image = 0; image < images; image++) {
    const size_t offset = image * outFloats(s);
    const Results results{y + offset, s.outChannels, ptrdiff_t(s.outWidth) * s.outChannels, s.outChannels};
    depthwise(rows, columns, x + image * inFloats(s), packed, shifted(epilogue, offset), results, scratch, share);
  }
}

template <>
size_t ConvInputGrad<Depthwise>::packedFloats(const ConvShape& s) {
  return forEachClass(s, [](const Line&, const Line&, size_t) {});
}

template <>
void ConvInputGrad<Depthwise>::pack(const ConvShape& s, const float* weight, float* packed) {
  forEachClass(s, [&](const Line& rows, const Line& columns, size_t offset) {
    packTaps(s, rows.taps, columns.taps, weight, packed + offset, [&](int32_t row, int32_t column) {
      return (rows.tap + (rows.taps - 1 - row) * s.stride) * s.kernelWidth + columns.tap +
             (columns.taps - 1 - column) * s.stride;
    });
  });
}

template <>
size_t ConvInputGrad<Depthwise>::scratchFloats(const ConvShape& s, int32_t) {
  size_t most = 0;
  forEachClass(s, [&](const Line& rows, const Line& columns, size_t) {
    const size_t floats = stripFloats(axisOf(rows, s.outHeight), stripWidth(axisOf(columns, s.outWidth)));
    most = floats > most ? floats : most;
  });
  return most;
}

template <>
void ConvInputGrad<Depthwise>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed,
                                   const Epilogue& epilogue, float* dx, float* scratch, Share share) {
  for (int32_t image = 0; image < images; image++) {
    forEachClass(s, [&](const Line& rows, const Line& columns, size_t packedOffset) {
      const size_t at = image * inFloats(s) + (size_t(rows.first) * s.inWidth + columns.first) * s.inChannels;
      const Results results{dx + at, ptrdiff_t(s.stride) * s.inChannels, ptrdiff_t(s.stride) * s.inWidth * s.inChannels,
                            s.inChannels};
      depthwise(axisOf(rows, s.outHeight), axisOf(columns, s.outWidth), dy + image * outFloats(s),
                packed + packedOffset, shifted(epilogue, at), results, scratch, share);
    });
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
