// Any bytes as an ONNX model beside a file of external data: a graph that prints, or an Error.
#include <vector>

#include "fuzz/target.h"
#include "ir/graph.h"
#include "onnx/import.h"

using namespace burnish;

namespace {

/// A folder with weights.bin in it, and a place for the model.
struct ModelFolder {
  ModelFolder() { fuzz::write_bytes(folder.file("weights.bin"), std::vector<uint8_t>(8192, 1).data(), 8192); }
  fuzz::ScratchFolder folder;
  const std::string model = folder.file("model.onnx");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ModelFolder place;
  fuzz::write_bytes(place.model, data, size);
  fuzz::expect_error_or_success([&] { ir::print(*onnx::import_file(place.model).graph); });
  return 0;
}
