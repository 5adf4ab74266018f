// 2-D convolution: forward, input gradient and weight gradient.
//
// Activations are dense NHWC, [image][y][x][channel], the images of a call one after another; weights are PyTorch's
// OIHW. No borders are stored: the kernels pad by themselves, in scratch. Every buffer is in floats, supplied by the
// caller, and may have any alignment of a float (64 bytes is fastest). Results must not overlap inputs, but for what
// epilogue.h allows. Scratch that was sized for a number of images serves any smaller number, and need not be cleared.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "epilogue.h"
#include "shapes.h"
#include "share.h"

namespace rdi::kernels::inline RDI_ISA {

// Winograd2 is F(2×2, 3×3), Winograd4 is F(4×4, 3×3), Winograd2x5 is F(2×2, 5×5) (Lavin and Gray, "Fast algorithms for
// convolutional neural networks", 2016).
enum class ConvMethod : int32_t { Direct, Winograd2, Winograd4, Winograd2x5, Depthwise };
enum class ConvPass : int32_t { Forward, InputGrad, WeightGrad };

// Whether a method can compute this convolution: Direct always can; the Winograd methods need a kernel of their
// size, stride 1, one group, and channel counts that are multiples of the vector length; Depthwise needs groups of one
// input and one output channel.
bool conv2dSupports(const ConvShape& shape, ConvMethod method);

// What may be chosen among: any method; only those that are local; or only direct sums of products. A local method
// computes each result from its own window alone, so that a window of zeros gives exactly zero and neighbouring equal
// windows give equal results: that decides signs of vanishing gradients and ties of a following maximum. F(4×4) is not
// local: its results carry the rounding of their whole tile, while of the two results of F(2×2) in a row or a column
// each has its own first or last input, and shares the others with its neighbour.
enum class ConvMethods : int32_t { Any, Local, Direct };

// The fastest of the allowed methods for this shape, by a rule that was measured.
ConvMethod conv2dMethod(const ConvShape& shape, ConvPass pass, ConvMethods allowed = ConvMethods::Any);

// Forward: y = epilogue(conv(x, weight)), or a share of it; each worker has scratch of its own.
size_t conv2dPackedFloats(const ConvShape& shape, ConvMethod method);
void conv2dPack(const ConvShape& shape, ConvMethod method, const float* weight, float* packed);
size_t conv2dScratchFloats(const ConvShape& shape, ConvMethod method, int32_t images);
void conv2dForward(const ConvShape& shape, ConvMethod method, int32_t images, const float* x, const float* packed,
                   const Epilogue& epilogue, float* y, float* scratch, Share share = {});

// Input gradient: dx = epilogue(the transposed convolution of dy), or a share of it; where it cannot be shared, the
// first worker's is all of it. `shape` is the forward convolution's.
size_t conv2dInputGradPackedFloats(const ConvShape& shape, ConvMethod method);
void conv2dInputGradPack(const ConvShape& shape, ConvMethod method, const float* weight, float* packed);
size_t conv2dInputGradScratchFloats(const ConvShape& shape, ConvMethod method, int32_t images);
void conv2dInputGrad(const ConvShape& shape, ConvMethod method, int32_t images, const float* dy, const float* packed,
                     const Epilogue& epilogue, float* dx, float* scratch, Share share = {});

// Weight gradient, in two steps. Each worker adds its images into an accumulator of its own, which the caller zeroed
// before the first call; then one call sums the accumulators in their order, so that the result is the same in every
// run, and writes dw in OIHW.
size_t conv2dWeightGradAccumulatorFloats(const ConvShape& shape, ConvMethod method);
size_t conv2dWeightGradScratchFloats(const ConvShape& shape, ConvMethod method, int32_t images);
void conv2dWeightGradAccumulate(const ConvShape& shape, ConvMethod method, int32_t images, const float* x,
                                const float* dy, float* accumulator, float* scratch);
void conv2dWeightGradFinish(const ConvShape& shape, ConvMethod method, const float* const* accumulators, int32_t count,
                            float* dw);

}  // namespace rdi::kernels::inline RDI_ISA
