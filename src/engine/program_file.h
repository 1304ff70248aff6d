// Programs as sections of an engine file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/file.h"
#include "plan/program.h"

namespace burnish::engine {

/// A program as it was saved: not yet loaded on a device.
struct SavedProgram {
  std::shared_ptr<ir::Graph> graph;
  std::vector<device::Choice> choices;  ///< by node index
  std::map<int32_t, std::vector<SavedProgram>> bodies;
  int streams = 1;
  bool prefetch = false;
};

/// The sections program, weights and code of one program and its bodies. Lives as long as what it was given.
class ProgramWriter {
 public:
  explicit ProgramWriter(const plan::Program& program);
  /// Views into this object and into the program's tensors.
  std::vector<SectionData> sections() const;

 private:
  struct Blob {
    uint64_t offset = 0, bytes = 0;
  };
  std::string describe(const plan::Program& program);
  Blob add_weight(const Tensor& tensor);
  Blob add_code(const std::string& code);

  std::string code_;
  std::vector<std::string_view> weights_;
  std::vector<Tensor> kept_;
  uint64_t weights_bytes_ = 0;
  std::map<std::pair<const void*, int64_t>, Blob> known_weights_;
  std::map<std::string, Blob> known_code_;
  std::string text_;  // last: making it fills the others
};

/// Reads them back; weights stay in the file's mapping. Throws Error naming the section that is wrong.
SavedProgram read_program(const SectionFile& file);

}  // namespace burnish::engine
