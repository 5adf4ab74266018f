# For `CXX=clang++-19 cmake --toolchain`: LLVM's own compiler and linker, 19 or newer (older ones write opcodes of relaxed SIMD that no engine
# takes), without any system below them.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_CXX_COMPILER_TARGET wasm32-unknown-unknown)
# There is nothing to link a trial program with.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
