#include "resources.h"

#include <new>

namespace rdi::addon {

std::shared_ptr<const Failure> makeFailure(int32_t status, const char* message) {
  try {
    return std::make_shared<const Failure>(Failure{status, message});
  } catch (const std::bad_alloc&) {
    // Made beforehand, for when there is no memory for another.
    static const auto outOfMemory =
        std::make_shared<const Failure>(Failure{RDI_OUT_OF_MEMORY, "Out of memory while another error was reported"});
    return outOfMemory;
  }
}

std::shared_ptr<const Failure> Block::write(const void* from, size_t count) {
  std::lock_guard guard(core_->lock);
  const int32_t status = rdi_write(core_->engine, data, from, count);
  return status ? makeFailure(status, rdi_last_error(core_->engine)) : nullptr;
}

std::shared_ptr<const Failure> Block::read(void* to, size_t count) const {
  std::lock_guard guard(core_->lock);
  const int32_t status = rdi_read(core_->engine, to, data, count);
  return status ? makeFailure(status, rdi_last_error(core_->engine)) : nullptr;
}

}  // namespace rdi::addon
