// Softmax and what is made of it: matrices [images, classes], dense and row-major. All are shifted by the row's
// maximum, so that they are stable for large logits.
#pragma once

#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

void softmax(const float* logits, float* probabilities, int32_t images, int32_t classes);

// loss[image] = log Σ exp(logits[image]) − logits[image][label]; labels must be in 0 … classes − 1.
void crossEntropy(const float* logits, const int32_t* labels, float* loss, int32_t images, int32_t classes);

// dlogits[image] = ct[image] · (softmax(logits[image]) − onehot(label)); dlogits may be logits.
void crossEntropyGrad(const float* ct, const float* logits, const int32_t* labels, float* dlogits, int32_t images,
                      int32_t classes);

// loss[image] = log Σ exp(logits[image]) − mean(logits[image]): the cross-entropy to the uniform distribution.
void uniformCrossEntropy(const float* logits, float* loss, int32_t images, int32_t classes);

// loss[image] = the largest logit but for the label's − the label's; `scaled`, over (the largest − the third largest
// + 1e-12): the DLR loss of Croce and Hein. Labels must be in 0 … classes − 1, and classes 2 or more, `scaled` 3.
void margin(const float* logits, const int32_t* labels, float* loss, int32_t images, int32_t classes, bool scaled);

// dlogits[image] = ct[image] · the gradient of the margin; dlogits may not be logits.
void marginGrad(const float* ct, const float* logits, const int32_t* labels, float* dlogits, int32_t images,
                int32_t classes, bool scaled);

// entropy[image] = −Σ p·log(p + 1e-5), with p = softmax(logits[image]): the confidence measure of the RDI-Nets paper.
void softmaxEntropy(const float* logits, float* entropy, int32_t images, int32_t classes);

// The first maximum of each row.
void argmax(const float* logits, int32_t* index, int32_t images, int32_t classes);

}  // namespace rdi::kernels::inline RDI_ISA
