#include "backends/cpu/onednn.h"

#include <fmt/core.h>

#include <dnnl.hpp>

namespace burnish::cpu::onednn {

std::string instruction_set() {
  using isa = dnnl::cpu_isa;
  constexpr isa none = static_cast<isa>(0);  // its name differs between versions
  switch (dnnl::get_effective_cpu_isa()) {
    case none:
      return "sse2";
    case isa::sse41:
      return "sse41";
    case isa::avx:
      return "avx";
    case isa::avx2:
      return "avx2";
    case isa::avx2_vnni:
      return "avx2_vnni";
    case isa::avx512_core:
      return "avx512_core";
    case isa::avx512_core_vnni:
      return "avx512_vnni";
    case isa::avx512_core_bf16:
      return "avx512_bf16";
    default:
      return "amx";
  }
}

std::string version() {
  const dnnl::version_t& v = *dnnl::version();
  return fmt::format("{}.{}.{}", v.major, v.minor, v.patch);
}

}  // namespace burnish::cpu::onednn
