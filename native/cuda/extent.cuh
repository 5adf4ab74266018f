// How much there is to do, and the loop over it.
#pragma once

#include "runtime.h"

namespace rdi::cuda {

// How many images there are: as many as were counted on the device, if there is a count.
struct Images {
  int32_t most;
  const int32_t* counted;
};

RDI_DEVICE int32_t imagesNow(const Images& images) { return images.counted ? *images.counted : images.most; }

// The elements of some images, or of a whole value (one image).
struct Extent {
  Images images;
  int64_t elements;  // of an image
};

RDI_DEVICE int64_t countOf(const Extent& e) { return e.elements * imagesNow(e.images); }

// Calls visit(i) for this thread's share of 0 … count − 1.
template <class Visit>
RDI_DEVICE void forEachIndex(int64_t count, Visit visit) {
  const int64_t step = int64_t(gridDim.x) * blockDim.x;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) visit(i);
}

// Of the masks of ReLUs (the operation positiveBits): one bit an element.
RDI_DEVICE bool bitAt(const uint32_t* words, int64_t i) { return words[i / 32] >> (i % 32) & 1; }

}  // namespace rdi::cuda
