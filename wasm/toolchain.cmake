# For `cmake --toolchain`: LLVM's own compiler and linker, 19 or newer (older ones write opcodes of relaxed SIMD that no engine takes), without
# any system below them.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
find_program(CLANG NAMES clang++-19 clang++-20 clang++-21 clang++-22 clang++ HINTS /opt/homebrew/opt/llvm/bin REQUIRED)
set(CMAKE_CXX_COMPILER ${CLANG})
set(CMAKE_CXX_COMPILER_TARGET wasm32-unknown-unknown)
# There is nothing to link a trial program with.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
