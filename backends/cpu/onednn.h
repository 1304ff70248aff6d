// What the CPU backend uses of oneDNN. All that differs between its 2.x and 3.x interfaces is in onednn.cpp.
#pragma once

#include <string>

namespace burnish::cpu::onednn {

/// The widest instructions that oneDNN uses here: "sse2", "sse41", "avx", "avx2", "avx512_core",
/// "avx512_vnni", "avx512_bf16", "amx" ... Follows ONEDNN_MAX_CPU_ISA, as packed formats do.
std::string instruction_set();
/// "2.6.3"
std::string version();

}  // namespace burnish::cpu::onednn
