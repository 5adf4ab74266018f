#include "pool.h"

#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// The part of an output's window that lies inside the image.
struct Window {
  int32_t y0, y1, x0, x1;
};

// Calls visit(window, output pixel) for each output of an image.
template <class Visit>
RDI_INLINE void forEachWindow(const PoolShape& s, Visit visit) {
  for (int32_t oy = 0; oy < s.outHeight; oy++) {
    const int32_t top = oy * s.stride - s.padding, bottom = top + s.kernel;
    for (int32_t ox = 0; ox < s.outWidth; ox++) {
      const int32_t left = ox * s.stride - s.padding, right = left + s.kernel;
      visit(Window{top < 0 ? 0 : top, bottom > s.inHeight ? s.inHeight : bottom, left < 0 ? 0 : left,
                   right > s.inWidth ? s.inWidth : right},
            size_t(oy) * s.outWidth + ox);
    }
  }
}

RDI_INLINE size_t inPixel(const PoolShape& s, int32_t y, int32_t x) { return (size_t(y) * s.inWidth + x) * s.channels; }

// Whether the maximum so far is replaced: by a greater value, or by NaN.
RDI_INLINE vi replaces(vf value, vf best) { return (value > best) | (value != value); }

// The shape that the models use has kernels of its own: 2×2 windows side by side, and whole vectors of channels.
bool hasQuads(const PoolShape& s) { return s.kernel == 2 && s.stride == 2 && s.padding == 0 && s.channels % VL == 0; }

// The four inputs of one output's window, or their gradients.
template <class T>
struct Quad {
  T* topLeft;
  T* topRight;
  T* bottomLeft;
  T* bottomRight;
};

template <class T>
RDI_INLINE Quad<T> quadAt(T* image, const PoolShape& s, const Window& w) {
  T* top = image + inPixel(s, w.y0, w.x0);
  T* bottom = top + size_t(s.inWidth) * s.channels;
  return {top, top + s.channels, bottom, bottom + s.channels};
}

RDI_INLINE void maxQuad(const Quad<const float>& x, size_t channels, float* y) {
  for (size_t c = 0; c < channels; c += VL) {
    vf best = load(x.topLeft + c);
    const float* const others[] = {x.topRight, x.bottomLeft, x.bottomRight};
    RDI_UNROLL for (int i = 0; i < 3; i++) {
      const vf value = load(others[i] + c);
      best = select(replaces(value, best), value, best);
    }
    store(y + c, best);
  }
}

RDI_INLINE void maxQuadGrad(const Quad<const float>& x, const float* dy, size_t channels, const Quad<float>& dx) {
  for (size_t c = 0; c < channels; c += VL) {
    const vf a = load(x.topLeft + c), b = load(x.topRight + c), d = load(x.bottomLeft + c), e = load(x.bottomRight + c);
    const vi second = replaces(b, a);
    const vf top = select(second, b, a);
    const vi third = replaces(d, top);
    const vf left = select(third, d, top);
    const vi fourth = replaces(e, left);
    const vf gradient = load(dy + c);
    store(dx.topLeft + c, keep(~(second | third | fourth), gradient));
    store(dx.topRight + c, keep(second & ~(third | fourth), gradient));
    store(dx.bottomLeft + c, keep(third & ~fourth, gradient));
    store(dx.bottomRight + c, keep(fourth, gradient));
  }
}

size_t inFloats(const PoolShape& s) { return size_t(s.inHeight) * s.inWidth * s.channels; }
size_t outFloats(const PoolShape& s) { return size_t(s.outHeight) * s.outWidth * s.channels; }

}  // namespace

void maxPool2d(const PoolShape& s, int32_t images, const float* x, float* y) {
  const size_t channels = size_t(s.channels);
  const bool quads = hasQuads(s);
  for (int32_t image = 0; image < images; image++, x += inFloats(s), y += outFloats(s)) {
    forEachWindow(s, [&](const Window& w, size_t pixel) {
      if (quads) {
        maxQuad(quadAt(x, s, w), channels, y + pixel * channels);
        return;
      }
      for (size_t c = 0; c < channels; c += VL) {
        const size_t lanes = channels - c;
        vf best = loadLanes(x + inPixel(s, w.y0, w.x0) + c, lanes);
        for (int32_t iy = w.y0; iy < w.y1; iy++) {
          for (int32_t ix = w.x0; ix < w.x1; ix++) {
            const vf value = loadLanes(x + inPixel(s, iy, ix) + c, lanes);
            best = select(replaces(value, best), value, best);
          }
        }
        storeLanes(y + pixel * channels + c, best, lanes);
      }
    });
  }
}

void maxPool2dGrad(const PoolShape& s, int32_t images, const float* dy, const float* x, float* dx) {
  const size_t channels = size_t(s.channels);
  const bool quads = hasQuads(s);
  for (int32_t image = 0; image < images; image++, x += inFloats(s), dx += inFloats(s), dy += outFloats(s)) {
    // Windows side by side write each input that they cover themselves.
    if (!quads || s.inHeight % 2 != 0 || s.inWidth % 2 != 0) __builtin_memset(dx, 0, inFloats(s) * sizeof(float));
    forEachWindow(s, [&](const Window& w, size_t pixel) {
      if (quads) {
        maxQuadGrad(quadAt(x, s, w), dy + pixel * channels, channels, quadAt(dx, s, w));
        return;
      }
      for (size_t c = 0; c < channels; c += VL) {
        const size_t lanes = channels - c;
        vf best = loadLanes(x + inPixel(s, w.y0, w.x0) + c, lanes);
        vi winner = vi{} + int32_t(inPixel(s, w.y0, w.x0));
        for (int32_t iy = w.y0; iy < w.y1; iy++) {
          for (int32_t ix = w.x0; ix < w.x1; ix++) {
            const vf value = loadLanes(x + inPixel(s, iy, ix) + c, lanes);
            const vi replaced = replaces(value, best);
            best = select(replaced, value, best);
            winner = (replaced & int32_t(inPixel(s, iy, ix))) | (~replaced & winner);
          }
        }
        const vf gradient = loadLanes(dy + pixel * channels + c, lanes);
        for (int32_t iy = w.y0; iy < w.y1; iy++) {
          for (int32_t ix = w.x0; ix < w.x1; ix++) {
            float* to = dx + inPixel(s, iy, ix) + c;
            storeLanes(to, loadLanes(to, lanes) + keep(winner == int32_t(inPixel(s, iy, ix)), gradient), lanes);
          }
        }
      }
    });
  }
}

void avgPool2d(const PoolShape& s, int32_t images, const float* x, float* y) {
  const size_t channels = size_t(s.channels);
  const float scale = 1.0f / float(s.kernel * s.kernel);
  for (int32_t image = 0; image < images; image++, x += inFloats(s), y += outFloats(s)) {
    forEachWindow(s, [&](const Window& w, size_t pixel) {
      for (size_t c = 0; c < channels; c += VL) {
        const size_t lanes = channels - c;
        vf sum = zero();
        for (int32_t iy = w.y0; iy < w.y1; iy++) {
          for (int32_t ix = w.x0; ix < w.x1; ix++) sum += loadLanes(x + inPixel(s, iy, ix) + c, lanes);
        }
        storeLanes(y + pixel * channels + c, sum * scale, lanes);
      }
    });
  }
}

void avgPool2dGrad(const PoolShape& s, int32_t images, const float* dy, float* dx) {
  const size_t channels = size_t(s.channels);
  const float scale = 1.0f / float(s.kernel * s.kernel);
  for (int32_t image = 0; image < images; image++, dx += inFloats(s), dy += outFloats(s)) {
    __builtin_memset(dx, 0, inFloats(s) * sizeof(float));
    forEachWindow(s, [&](const Window& w, size_t pixel) {
      for (size_t c = 0; c < channels; c += VL) {
        const size_t lanes = channels - c;
        const vf gradient = loadLanes(dy + pixel * channels + c, lanes) * scale;
        for (int32_t iy = w.y0; iy < w.y1; iy++) {
          for (int32_t ix = w.x0; ix < w.x1; ix++) {
            float* to = dx + inPixel(s, iy, ix) + c;
            storeLanes(to, loadLanes(to, lanes) + gradient, lanes);
          }
        }
      }
    });
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
