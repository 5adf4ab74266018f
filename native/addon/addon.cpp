// The addon's exports: what it was built with, and the class that runs plans.
#include <napi.h>

#include "core/rdi.h"
#include "engine.h"

namespace {

// groupLibrary(library: string | undefined): string; throws if there is none
Napi::Value groupLibrary(const Napi::CallbackInfo& info) {
  const std::string library = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
  const char* name = rdi_group_library(library.empty() ? nullptr : library.c_str());
  if (!name) throw Napi::Error::New(info.Env(), rdi_last_error(nullptr));
  return Napi::String::New(info.Env(), name);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["abiVersion"] = Napi::Number::New(env, RDI_ABI_VERSION);
  Napi::Array sets = Napi::Array::New(env);
  for (int32_t i = 0; i < rdi_isa_count(); i++) {
    Napi::Object set = Napi::Object::New(env);
    set["name"] = Napi::String::New(env, rdi_isa_name(i));
    set["supported"] = Napi::Boolean::New(env, rdi_isa_supported(i) != 0);
    sets[uint32_t(i)] = set;
  }
  exports["instructionSets"] = sets;
  Napi::Array devices = Napi::Array::New(env);
  const int32_t count = rdi_device_count();
  for (int32_t i = 0; i < count; i++) {
    Napi::Object device = Napi::Object::New(env);
    device["name"] = Napi::String::New(env, rdi_device_name(i));
    device["bytes"] = Napi::Number::New(env, double(rdi_device_bytes(i)));
    devices[uint32_t(i)] = device;
  }
  exports["devices"] = devices;
  if (count == 0) exports["noDevices"] = Napi::String::New(env, rdi_last_error(nullptr));
  exports["groupLibrary"] = Napi::Function::New(env, groupLibrary, "groupLibrary");
  exports["Engine"] = rdi::addon::Engine::define(env);
  return exports;
}

}  // namespace

NODE_API_MODULE(rdi_net, init)
