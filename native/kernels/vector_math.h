// exp and log of vectors, within 2 ulp over the whole range. The polynomials and the two-part log(2) are those of the
// Cephes library (Moshier, "Methods and programs for mathematical functions", 1989).
#pragma once

#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

inline constexpr float log2High = 0.693359375f;  // few bits, so that its product with an exponent is exact
inline constexpr float log2Low = -2.12194440e-4f;

RDI_INLINE vf vectorExp(vf x) {
  // Beyond these the result is 0 or infinity anyway; NaN passes.
  x = atMost(atLeast(x, broadcast(-104.0f)), broadcast(89.0f));
  // Adding 1.5·2^23 rounds to an integer, which then stands in the low bits.
  const float shift = 12582912.0f;
  const vf shifted = x * 1.44269504088896341f + shift;
  const vf k = shifted - shift;
  const vi exponent = reinterpret_cast<vi>(shifted) - 0x4b400000;
  const vf r = (x - k * log2High) - k * log2Low;
  vf p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const vf y = (p * (r * r) + r) + 1.0f;
  // 2^k in two factors, as k may be beyond the exponents of normal numbers.
  const vi half = exponent >> 1;
  const vf scale0 = reinterpret_cast<vf>((half + 127) << 23),
           scale1 = reinterpret_cast<vf>((exponent - half + 127) << 23);
  return y * scale0 * scale1;
}

RDI_INLINE vf vectorLog(vf x) {
  const float smallestNormal = 1.17549435e-38f;
  const vi subnormal = x < smallestNormal;
  const vf scaled = select(subnormal, x * 33554432.0f, x);  // 2^25
  // scaled = m·2^k with m in [√½, √2).
  const vi offset = reinterpret_cast<vi>(reinterpret_cast<vu>(scaled) - 0x3f3504f3u);
  const vi exponent = (offset >> 23) - (subnormal & 25);
  const vf f = reinterpret_cast<vf>((offset & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const vf k = toFloat(exponent);
  vf p = broadcast(7.0376836292e-2f);
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const vf square = f * f;
  vf y = p * f * square + k * log2Low - square * 0.5f;
  y = (f + y) + k * log2High;
  const vf infinity = broadcast(__builtin_inff());
  y = select(x == 0.0f, -infinity, y);
  y = select(x == infinity, infinity, y);
  return select(x >= 0.0f, y, broadcast(__builtin_nanf("")));
}

}  // namespace rdi::kernels::inline RDI_ISA
