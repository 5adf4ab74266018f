#include "run_checks.h"

namespace rdi {
namespace {

int32_t refuse(const char* name, const char* expected, int64_t received, Message& message) {
  message.clear() << "Expected " << expected << " for " << name << " but received " << received;
  return RDI_BAD_ARGUMENT;
}

int32_t checkRun(const Plan& plan, bool adaptive, int32_t batch, void* const* buffers, Message& message) {
  if (plan.adaptive() != adaptive) {
    message.clear() << (adaptive ? "Expected an adaptive plan but received an ordinary one"
                                 : "Expected an ordinary plan but received an adaptive one");
    return RDI_BAD_ARGUMENT;
  }
  if (batch < 1 || batch > plan.maxBatch) {
    message.clear() << "Expected 1 to " << plan.maxBatch << " for batch but received " << batch;
    return RDI_BAD_ARGUMENT;
  }
  if (!buffers && plan.externalCount > 0) return refuse("buffers", "a list of pointers", 0, message);
  for (int32_t i = 0; i < plan.externalCount; i++) {
    if (buffers[i] && reinterpret_cast<uintptr_t>(buffers[i]) % 4 == 0) continue;
    message.clear() << "Expected an address, a multiple of 4, for buffer " << i << " but received "
                    << uint64_t(uintptr_t(buffers[i]));
    return RDI_BAD_ARGUMENT;
  }
  return RDI_OK;
}

}  // namespace

int32_t checkOrdinaryRun(const Plan& plan, int32_t batch, int32_t total, int32_t repeat, void* const* buffers,
                         Message& message) {
  if (int32_t status = checkRun(plan, false, batch, buffers, message)) return status;
  if (total < batch) return refuse("total", "at least the batch", total, message);
  return repeat < 1 ? refuse("repeat", "at least 1", repeat, message) : int32_t(RDI_OK);
}

int32_t checkAdaptiveRun(const Plan& plan, int32_t batch, void* const* buffers, const float* thresholds,
                         const void* const (&results)[3], Message& message) {
  if (int32_t status = checkRun(plan, true, batch, buffers, message)) return status;
  if (!thresholds && plan.segments.size() > 1) return refuse("thresholds", "an address", 0, message);
  for (const void* result : results) {
    if (!result) return refuse("the results", "addresses", 0, message);
  }
  return RDI_OK;
}

bool overwritesCached(const Plan& plan, void* const* buffers) {
  for (size_t i = 0; i < plan.written.size(); i++) {
    for (size_t k = 0; plan.written[i] && k < plan.cachedFrom.size(); k++) {
      if (plan.cachedFrom[k] && buffers[i] == buffers[k]) return true;
    }
  }
  return false;
}

}  // namespace rdi
