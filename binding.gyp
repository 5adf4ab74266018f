# Builds the addon with node-gyp alone: `npx node-gyp rebuild` in this folder, with node-addon-api installed, leaves
# build/Release/rdi_net.node, where the loader looks first. The list of instruction sets is that of native/CMakeLists.txt.
{
  "variables": {
    "kernel_sources": ["<!@(node native/sources.cjs kernels)"],
    "common_flags": ["-std=c++20", "-O3", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
    "engine_flags": ["-fno-exceptions", "-fno-rtti", "-ffp-contract=off"],
  },
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": ["<@(common_flags)"],
    "defines": ["NDEBUG"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "WARNING_CFLAGS": ["-Wall", "-Wextra"],
    },
    "msbuild_toolset": "ClangCL",
  },
  "targets": [
    {
      "target_name": "rdi_net",
      "sources": ["<!@(node native/sources.cjs core)", "<!@(node native/sources.cjs cpu)", "<!@(node native/sources.cjs addon)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
      "cflags_cc": ["-fexceptions"],
      "xcode_settings": {"GCC_ENABLE_CPP_EXCEPTIONS": "YES", "GCC_ENABLE_CPP_RTTI": "YES"},
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["kernels_avx512", "kernels_avx2", "kernels_baseline"]}],
        ["target_arch=='arm64'", {"dependencies": ["kernels_neon"]}],
        ["target_arch!='x64' and target_arch!='arm64'", {"dependencies": ["kernels_baseline"]}],
        ["OS=='linux'", {"ldflags": ["-static-libstdc++", "-Wl,--version-script=<(module_root_dir)/native/addon/exports.map", "-Wl,--gc-sections"]}],
      ],
    },
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "kernels_avx512",
          "type": "static_library",
          "sources": ["<@(kernel_sources)"],
          "cflags_cc": ["<@(engine_flags)", "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx2", "-mfma"],
          "xcode_settings": {"OTHER_CFLAGS": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx2", "-mfma", "-ffp-contract=off"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mavx2", "-mfma", "-ffp-contract=off"]}},
        },
        {
          "target_name": "kernels_avx2",
          "type": "static_library",
          "sources": ["<@(kernel_sources)"],
          "cflags_cc": ["<@(engine_flags)", "-mavx2", "-mfma"],
          "xcode_settings": {"OTHER_CFLAGS": ["-mavx2", "-mfma", "-ffp-contract=off"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["-mavx2", "-mfma", "-ffp-contract=off"]}},
        },
      ],
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "kernels_neon",
          "type": "static_library",
          "sources": ["<@(kernel_sources)"],
          "cflags_cc": ["<@(engine_flags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["-ffp-contract=off"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["-ffp-contract=off"]}},
        },
      ],
    }],
    ["target_arch!='arm64'", {
      "targets": [
        {
          "target_name": "kernels_baseline",
          "type": "static_library",
          "sources": ["<@(kernel_sources)"],
          "cflags_cc": ["<@(engine_flags)"],
          "xcode_settings": {"OTHER_CFLAGS": ["-ffp-contract=off"]},
          "msvs_settings": {"VCCLCompilerTool": {"AdditionalOptions": ["-ffp-contract=off"]}},
        },
      ],
    }],
  ],
}
