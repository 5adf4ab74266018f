// CUDA as the sources here see it: NVIDIA's runtime, or the emulator of it that lets all of them run on a CPU
// (emulator/cuda_runtime.h).
#pragma once

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#ifdef RDI_CUDA_EMULATED
// A block's dynamic shared memory.
#define RDI_SHARED_MEMORY(name) unsigned char* const name = ::rdi::emulator::sharedMemory()
#define RDI_UNROLL_LOOP _Pragma("GCC unroll 64")
#else
#define RDI_SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#define RDI_UNROLL_LOOP _Pragma("unroll")
#endif
#define RDI_DEVICE __device__ __forceinline__
// In headers, of which each file that includes them takes what it needs.
#define RDI_KERNEL [[maybe_unused]] static __global__
