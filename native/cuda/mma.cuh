// Products of small matrices by a warp on the tensor cores, and copies into shared memory that go on meanwhile; the
// emulator has them by their definition. Layouts of the fragments: "PTX ISA", sections on mma.m16n8k8 and mma.m16n8k16,
// and cp.async.
#pragma once

#include "runtime.h"

namespace rdi::cuda {

// Rounds to TF32: 10 bits of mantissa, ties away from zero.
RDI_DEVICE uint32_t toTf32(float x) {
#ifdef RDI_CUDA_EMULATED
  const uint32_t bits = __float_as_uint(x);
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
#else
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#endif
}

#ifdef RDI_CUDA_EMULATED
inline float halfToFloat(uint16_t bits) {
  _Float16 value;
  __builtin_memcpy(&value, &bits, 2);
  return float(value);
}
inline float bfloatToFloat(uint16_t bits) { return __uint_as_float(uint32_t(bits) << 16); }
inline uint16_t floatToHalf(float x) {
  const auto value = _Float16(x);
  uint16_t bits;
  __builtin_memcpy(&bits, &value, 2);
  return bits;
}
inline uint16_t floatToBfloat(float x) {
  const uint32_t bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

// d[16][8] += a[16][K]·b[K][8], with `element(register bits, part)` an operand's number.
template <int K, int ARegisters, int BRegisters, class Element>
void emulatedMma(float (&d)[4], const uint32_t (&a)[ARegisters], const uint32_t (&b)[BRegisters], Element element) {
  constexpr int packed = K * 16 / (32 * ARegisters);  // numbers in a register
  uint32_t mine[ARegisters + BRegisters];
  for (int i = 0; i < ARegisters; i++) mine[i] = a[i];
  for (int i = 0; i < BRegisters; i++) mine[ARegisters + i] = b[i];
  const unsigned char* all = emulator::publish(mine, sizeof(mine));
  auto registerOf = [&](int lane, int i) {
    uint32_t bits;
    __builtin_memcpy(&bits, all + size_t(lane) * emulator::publishedBytes + size_t(i) * 4, 4);
    return bits;
  };
  const int lane = emulator::lane();
  for (int i = 0; i < 4; i++) {
    const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
    float sum = d[i];
    for (int k = 0; k < K; k++) {
      // a: registers 0 … 3 are (rows 0–7, first half of k), (rows 8–15, first), (rows 0–7, second), (rows 8–15,
      // second).
      const int half = k / (K / 2), inside = k % (K / 2);
      const uint32_t x = registerOf(row % 8 * 4 + inside / packed, row / 8 + half * 2);
      const uint32_t y = registerOf(column * 4 + inside / packed, ARegisters + half);
      sum += element(x, inside % packed) * element(y, inside % packed);
    }
    d[i] = sum;
  }
}
#endif

// What a product multiplies. `Registers`: of the fragments of A [16][K] and B [K][8]; `pack` makes a register of the
// numbers that lie in it.
struct Tf32 {
  static constexpr int K = 8, packed = 1;
  static RDI_DEVICE uint32_t pack(const float* p, int) { return toTf32(*p); }
  static RDI_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef RDI_CUDA_EMULATED
    emulatedMma<K>(d, a, b, [](uint32_t bits, int) { return __uint_as_float(bits & ~0x1fffu); });
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();  // never chosen there: see chooseArithmetic()
#endif
  }
};

struct Fp16 {
  static constexpr int K = 16, packed = 2;
  // The numbers at p[0] and p[step], the first in the low half.
  static RDI_DEVICE uint32_t pack(const float* p, int step) {
#ifdef RDI_CUDA_EMULATED
    return uint32_t(floatToHalf(p[0])) | uint32_t(floatToHalf(p[step])) << 16;
#elif __CUDA_ARCH__ >= 750
    uint32_t bits;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(p[step]), "f"(p[0]));
#else
    asm("{.reg .f16 lo, hi; cvt.rn.f16.f32 lo, %1; cvt.rn.f16.f32 hi, %2; mov.b32 %0, {lo, hi};}"
        : "=r"(bits)
        : "f"(p[0]), "f"(p[step]));
#endif
    return bits;
#else
    return 0;
#endif
  }
  static RDI_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef RDI_CUDA_EMULATED
    emulatedMma<K>(d, a, b, [](uint32_t bits, int part) { return halfToFloat(uint16_t(bits >> part * 16)); });
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif __CUDA_ARCH__ >= 750
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b[0]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#else
    __trap();
#endif
  }
};

struct Bf16 {
  static constexpr int K = 16, packed = 2;
  static RDI_DEVICE uint32_t pack(const float* p, int step) {
#ifdef RDI_CUDA_EMULATED
    return uint32_t(floatToBfloat(p[0])) | uint32_t(floatToBfloat(p[step])) << 16;
#elif __CUDA_ARCH__ >= 800
    uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(p[step]), "f"(p[0]));
    return bits;
#else
    return 0;
#endif
  }
  static RDI_DEVICE void multiply(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef RDI_CUDA_EMULATED
    emulatedMma<K>(d, a, b, [](uint32_t bits, int part) { return bfloatToFloat(uint16_t(bits >> part * 16)); });
#elif __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
  }
};

// Copies 16 bytes into shared memory, or zeros if not `there`. All copies up to a commit are a group.
RDI_DEVICE void copyAsync16(float* to, const float* from, bool there) {
#ifdef RDI_CUDA_EMULATED
  emulator::copyLater(to, there ? from : nullptr);
#elif __CUDA_ARCH__ >= 800
  const auto address = unsigned(__cvta_generic_to_shared(to));
  // Where nothing is read the address has to be one all the same.
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(there ? 16 : 0));
#else
  *reinterpret_cast<float4*>(to) = there ? *reinterpret_cast<const float4*>(from) : make_float4(0, 0, 0, 0);
#endif
}

RDI_DEVICE void commitCopies() {
#ifdef RDI_CUDA_EMULATED
  emulator::commitCopies();
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;");
#endif
}

// Waits until at most `pending` groups of this thread's are on their way.
template <int pending>
RDI_DEVICE void awaitCopies() {
#ifdef RDI_CUDA_EMULATED
  emulator::awaitCopies(pending);
#elif __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending));
#endif
}

}  // namespace rdi::cuda
