// Any bytes as an ONNX model: a verified graph, or an Error.
#include "onnx/import.h"
#include "fuzz/target.h"
#include "ir/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  burnish::fuzz::expect_error_or_success([&] {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    burnish::ir::print(*burnish::onnx::import_bytes(bytes, nullptr, "").graph);
  });
  return 0;
}
