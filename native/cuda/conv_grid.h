// Convolutions as the kernels here see them: every pass that makes images is a sum over taps, where output pixel (outY
// + outStep·i, outX + outStep·j) takes input pixel (offsetY + inStep·i + direction·tap, …) times a matrix of weights.
#pragma once

#include <stdint.h>

#include "kernels/shapes.h"

namespace rdi::cuda {

struct ConvGrid {
  int32_t inHeight, inWidth, outHeight, outWidth;
  int32_t rows, columns;  // i and j run to these
  int32_t inStep, outStep, outY, outX;
  int32_t tapsDown, tapsAcross, offsetY, offsetX, direction;
  // The kernel's element that a tap is: kernelY + kernelStep · tap.
  int32_t kernelY, kernelX, kernelStep, kernelWidth, kernelTaps;
  int32_t groups, depth, width;  // channels of a group: of the input, which are summed over, and of the output
};

inline ConvGrid forwardGrid(const kernels::ConvShape& s) {
  return {.inHeight = s.inHeight,
          .inWidth = s.inWidth,
          .outHeight = s.outHeight,
          .outWidth = s.outWidth,
          .rows = s.outHeight,
          .columns = s.outWidth,
          .inStep = s.stride,
          .outStep = 1,
          .outY = 0,
          .outX = 0,
          .tapsDown = s.kernelHeight,
          .tapsAcross = s.kernelWidth,
          .offsetY = -s.padding,
          .offsetX = -s.padding,
          .direction = 1,
          .kernelY = 0,
          .kernelX = 0,
          .kernelStep = 1,
          .kernelWidth = s.kernelWidth,
          .kernelTaps = s.kernelHeight * s.kernelWidth,
          .groups = s.groups,
          .depth = s.inChannels / s.groups,
          .width = s.outChannels / s.groups};
}

// The input gradient of the pixels whose position is (y, x) modulo the stride: each such class meets other elements of
// the kernel.
inline ConvGrid inputGradGrid(const kernels::ConvShape& s, int32_t y, int32_t x) {
  const int32_t firstY = (y + s.padding) % s.stride, firstX = (x + s.padding) % s.stride;
  const auto count = [&](int32_t size, int32_t first) {
    return size > first ? (size - first + s.stride - 1) / s.stride : 0;
  };
  return {.inHeight = s.outHeight,
          .inWidth = s.outWidth,
          .outHeight = s.inHeight,
          .outWidth = s.inWidth,
          .rows = count(s.inHeight, y),
          .columns = count(s.inWidth, x),
          .inStep = 1,
          .outStep = s.stride,
          .outY = y,
          .outX = x,
          .tapsDown = count(s.kernelHeight, firstY),
          .tapsAcross = count(s.kernelWidth, firstX),
          .offsetY = (y + s.padding - firstY) / s.stride,
          .offsetX = (x + s.padding - firstX) / s.stride,
          .direction = -1,
          .kernelY = firstY,
          .kernelX = firstX,
          .kernelStep = s.stride,
          .kernelWidth = s.kernelWidth,
          .kernelTaps = s.kernelHeight * s.kernelWidth,
          .groups = s.groups,
          .depth = s.outChannels / s.groups,
          .width = s.inChannels / s.groups};
}

}  // namespace rdi::cuda
