// What every engine demands of a run's arguments, and when what is kept from the parameters is out of date.
#pragma once

#include "plan.h"
#include "rdi.h"

namespace rdi {

// An rdi_status, with a message unless it is RDI_OK.
int32_t checkOrdinaryRun(const Plan& plan, int32_t batch, int32_t total, int32_t repeat, void* const* buffers,
                         Message& message);
int32_t checkAdaptiveRun(const Plan& plan, int32_t batch, void* const* buffers, const float* thresholds,
                         const void* const (&results)[3], Message& message);

// Whether a repetition changes parameters that something was kept from: a carried output may be bound to its input's
// buffer.
bool overwritesCached(const Plan& plan, void* const* buffers);

}  // namespace rdi
