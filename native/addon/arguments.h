// What JavaScript passes, checked: errors are worded "Expected X for Y but received Z".
#pragma once

#include <napi.h>

#include <cmath>
#include <string>

namespace rdi::addon {

inline Napi::Error expected(const Napi::Value& value, const std::string& what, const char* name) {
  return Napi::TypeError::New(value.Env(),
                              "Expected " + what + " for " + name + " but received " + value.ToString().Utf8Value());
}

// An integer from low to high.
inline double integer(const Napi::Value& value, const char* name, double low, double high) {
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (number >= low && number <= high && std::floor(number) == number) return number;
  throw expected(value, "an integer from " + std::to_string(int64_t(low)) + " to " + std::to_string(int64_t(high)),
                 name);
}

inline Napi::TypedArray view(const Napi::Value& value, const char* name) {
  if (value.IsTypedArray()) return value.As<Napi::TypedArray>();
  throw expected(value, "a typed array", name);
}

inline Napi::TypedArray view(const Napi::Value& value, const char* name, napi_typedarray_type type, const char* what) {
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type)
    return value.As<Napi::TypedArray>();
  throw expected(value, what, name);
}

// Where a view's bytes are.
inline unsigned char* bytesOf(const Napi::TypedArray& array) {
  return static_cast<unsigned char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
}

}  // namespace rdi::addon
